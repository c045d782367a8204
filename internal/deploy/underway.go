package deploy

import (
	"context"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
)

// underWayPause is between two looks at a rebuild that is under way.
const underWayPause = 3 * time.Second

// lookSettled is look, after the rebuilds that a run which was cut off has begun:
// what they will have made of a droplet decides what is to do with it.
func (d *Deployer) lookSettled(ctx context.Context, tell event.Teller, servers []fleet.Server) (world, error) {
	for {
		now, err := d.look(ctx, servers)
		if err != nil {
			return now, err
		}
		busy := now.underWay(servers, d.Clock.Now())
		if len(busy) == 0 {
			return now, nil
		}
		tell.Phase("waiting for the rebuild of %s, which an earlier run has begun", list(busy))
		if err := d.Clock.Sleep(ctx, underWayPause); err != nil {
			return now, wrap(err, "wait for the rebuild of %s", list(busy))
		}
	}
}

// underWay are the droplets that DigitalOcean has locked and whose record says
// that a rebuild was begun, no longer ago than one may take.
func (w world) underWay(servers []fleet.Server, now time.Time) []string {
	var busy []string
	for _, s := range servers {
		// What cannot be chosen is told when the server is planned.
		droplets, _ := machines(s, w.droplets)
		for _, droplet := range droplets {
			known := w.records[s.Name].Droplet(droplet.ID)
			if droplet.Locked && known != nil && known.Rebuild != nil &&
				now.Before(known.Rebuild.StartedAt.Add(s.Rollout.RebuildTimeout.Std())) {
				busy = append(busy, droplet.Name)
			}
		}
	}
	return busy
}
