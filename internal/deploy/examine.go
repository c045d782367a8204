package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/provision"
	"github.com/versatus/snowdrop/steps/verify"
)

// Examined is one thing that a deploy will need, and whether it is as it should be.
type Examined struct {
	What, Text string
	Err        error
}

// Examine looks at every server of the fleet as a deploy would before its first
// change, and tries every droplet once over SSH. It changes nothing.
func (d *Deployer) Examine(ctx context.Context) []Examined {
	servers, err := d.Fleet.Select(nil, "")
	if err != nil {
		return []Examined{{What: "servers", Err: err}}
	}
	now, err := d.look(ctx, servers)
	if err != nil {
		return []Examined{{What: "droplets and records", Err: err}}
	}
	var all []Examined
	for _, s := range servers {
		all = append(all, d.examine(ctx, now, s)...)
	}
	return all
}

// examine looks at one server: first at it as a whole, then at its droplets.
func (d *Deployer) examine(ctx context.Context, now world, s fleet.Server) []Examined {
	droplets, err := machines(s, now.droplets)
	if err != nil {
		return []Examined{{What: "server " + s.Name, Err: err}}
	}
	targets := make([]ocean.Target, len(droplets))
	for i, droplet := range droplets {
		targets[i] = ocean.Target{Server: s.Name, Droplet: droplet}
	}
	if s.Provider == fleet.SSHHosts {
		targets = nil // nobody rebuilds them
	}
	all := make([]Examined, len(droplets)+1)
	all[0] = Examined{
		What: "server " + s.Name, Text: plural(len(droplets), "droplet") + " can be rebuilt",
		Err: errors.Join(ocean.Preflight(targets), provision.Check(s.Name, s.Files, d.Getenv)), //nolint:contextcheck // it looks at variables and files alone
	}
	if s.Provider == fleet.SSHHosts {
		all[0].Text = plural(len(droplets), "host") + " of its own"
	}
	var wait sync.WaitGroup
	for i, droplet := range droplets {
		wait.Go(func() { all[i+1] = d.reach(ctx, s, droplet, now.records[s.Name].Droplet(droplet.ID)) })
	}
	wait.Wait()
	return all
}

// reach tries a droplet once over SSH, with the host keys that are expected.
func (d *Deployer) reach(ctx context.Context, s fleet.Server, droplet ocean.Droplet, known *release.Droplet) Examined {
	if known == nil {
		known = &release.Droplet{}
	}
	one := Examined{What: fmt.Sprintf("ssh %s/%s", s.Name, droplet.Name)}
	target := targetOf(s, droplet, *known)
	seen, err := verify.Identify(ctx, d.SSH, target)
	if err != nil {
		one.Err = wrap(err, "%s", machineWords(s, droplet))
		return one
	}
	one.Text = fmt.Sprintf("%s answers, host key: %s", target.Address, seen.Trust)
	return one
}
