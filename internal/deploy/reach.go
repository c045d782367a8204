package deploy

import (
	"context"
	"fmt"
	"sync"

	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/verify"
)

// Reached says whether a droplet answers over SSH. Droplet is empty where the
// server's droplets could not be found.
type Reached struct {
	Server, Droplet, Text string
	Err                   error
}

// Reach tries every droplet of the fleet once, side by side, and changes nothing.
func (d *Deployer) Reach(ctx context.Context) []Reached {
	servers, err := d.Fleet.Select(nil, "")
	if err != nil {
		return []Reached{{Err: err}}
	}
	now, err := d.look(ctx, servers)
	if err != nil {
		return []Reached{{Err: err}}
	}
	var reached []Reached
	var targets []func() (string, error)
	for _, s := range servers {
		droplets, err := ocean.Select(now.droplets, s.Droplets.Names, s.Droplets.Tag)
		if err != nil {
			reached = append(reached, Reached{Server: s.Name, Err: err})
			targets = append(targets, nil)
			continue
		}
		for _, droplet := range droplets {
			var known release.Droplet
			if e := now.records[s.Name].Droplet(droplet.ID); e != nil {
				known = *e
			}
			target := targetOf(s, droplet, known)
			reached = append(reached, Reached{Server: s.Name, Droplet: droplet.Name})
			targets = append(targets, func() (string, error) {
				seen, err := verify.Identify(ctx, d.SSH, target)
				if err != nil {
					return "", wrap(err, "droplet %s (%d)", droplet.Name, droplet.ID)
				}
				return fmt.Sprintf("%s answers, host key: %s", target.Address, seen.Trust), nil
			})
		}
	}
	var wait sync.WaitGroup
	for i, try := range targets {
		if try != nil {
			wait.Go(func() { reached[i].Text, reached[i].Err = try() })
		}
	}
	wait.Wait()
	return reached
}
