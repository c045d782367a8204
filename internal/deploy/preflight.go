package deploy

import (
	"context"
	"slices"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps/provision"
)

// preflight finds what would keep the plan from working.
func (d *Deployer) preflight(ctx context.Context, tell event.Teller, p *Plan) []error {
	var faults []error
	for _, s := range p.Servers {
		if len(s.Pending()) > 0 && !p.lookOnly {
			err := provision.Check(s.Server.Name, s.Server.Files, d.Getenv) //nolint:contextcheck // it looks at variables and files alone
			if err != nil && p.Preview {
				tell.Phase("leaving aside what only a deploy needs: %v", err)
				err = nil
			}
			faults = append(faults, err)
		}
		faults = append(faults, d.superseded(ctx, tell, s, s.Record, p.Force))
	}
	faults = append(faults, ocean.Preflight(p.targets()))
	return slices.DeleteFunc(faults, func(err error) bool { return err == nil })
}

// targets are the droplets that the plan rebuilds, with what is known of the image.
func (p *Plan) targets() []ocean.Target {
	var targets []ocean.Target
	for _, s := range p.Servers {
		for _, droplet := range s.Wiped() {
			t := ocean.Target{Server: s.Server.Name, Droplet: droplet}
			if s.Image != nil {
				t.Image = *s.Image
			}
			if s.Record != nil && s.Record.Image.Hash == s.Want.Hash {
				t.ImageVirtualSize = s.Record.Image.VirtualSize
			}
			targets = append(targets, t)
		}
	}
	return targets
}
