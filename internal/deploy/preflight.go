package deploy

import (
	"fmt"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps/provision"
)

// preflight finds what would keep the plan from working.
func (d *Deployer) preflight(p *Plan) []error {
	var faults []error
	for _, s := range p.Servers {
		if len(s.Pending()) > 0 && !p.lookOnly {
			faults = append(faults, provision.Check(s.Server.Name, s.Server.Files, d.Getenv))
		}
		faults = append(faults, d.superseded(p, s))
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

// SupersededError says that a server runs a newer revision than the one asked for.
type SupersededError struct {
	Server, Running, Asked string
	RunningTime, AskedTime time.Time
}

// Error names both revisions and the way out.
func (e *SupersededError) Error() string {
	return fmt.Sprintf("server %s runs revision %s of %s, which is newer than %s of %s: not replaced; to go back on purpose use `snowdrop rollback %s`, or --force",
		e.Server, short(e.Running), stamp(e.RunningTime), short(e.Asked), stamp(e.AskedTime), e.Server)
}

func (d *Deployer) superseded(p *Plan, s ServerPlan) error {
	r := s.Record
	switch {
	case p.Force, len(s.Wiped()) == 0, r == nil, p.Revision == "", r.Revision == "", r.Revision == p.Revision:
		return nil
	case !p.RevisionTime.Before(r.RevisionTime):
		return nil
	}
	return &SupersededError{
		Server: s.Server.Name, Running: r.Revision, RunningTime: r.RevisionTime,
		Asked: p.Revision, AskedTime: p.RevisionTime,
	}
}
