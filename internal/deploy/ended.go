package deploy

import (
	"context"
	"fmt"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
)

// result says how the server and each of its droplets ended.
func (s *serverRun) result(ctx context.Context, err error) ServerResult {
	out := ServerResult{Server: s.name(), Image: s.image, Pruned: s.pruned, Err: err}
	touched := map[int]result{}
	for _, r := range s.results {
		touched[r.droplet.ID] = r
	}
	for i, droplet := range s.plan.Droplets {
		one := DropletResult{Droplet: droplet, Outcome: event.Untouched, Rebuilt: s.rebuilds(droplet.ID)}
		r, ok := touched[droplet.ID]
		switch {
		case ok:
			one.Outcome, one.Err = r.outcome, r.err
		case s.run.verb == verbBuild: // it touches no droplet
		case s.dryRun() && s.plan.Todo[i] == VerifyOnly:
			one.Outcome = event.WouldVerify
		case s.dryRun() && (s.plan.Todo[i] == RebuildIt || s.plan.Todo[i] == SwitchIt):
			one.Outcome = event.WouldDo
		case s.plan.Todo[i] == Nothing:
			one.Outcome = event.Unchanged
		}
		if sw := s.switches[droplet.ID]; sw != nil {
			one.Switched = sw.runs && s.run.plan.how.keeps()
		}
		one.State = s.state(droplet, one.Outcome)
		if s.run.verb == verbPreviewUp && s.address(droplet) != "" { // nobody knows it yet
			one.State = "at " + s.address(droplet) + ": " + one.State
		}
		out.Droplets = append(out.Droplets, one)
	}
	out.Outcome = s.outcome(ctx, err, out.Droplets)
	return out
}

func (s *serverRun) outcome(ctx context.Context, err error, droplets []DropletResult) event.Outcome {
	switch {
	case err == nil && s.plan.Droplets == nil && s.run.verb == verbPlan:
		return event.Evaluated
	case err == nil && s.run.verb == verbPrune && deletes(s.pruned) && s.dryRun():
		return event.WouldDo
	case err == nil && s.run.verb == verbPrune && deletes(s.pruned):
		return event.Pruned
	case err == nil && (s.run.verb == verbPreviewDown || s.run.verb == verbPreviewSweep):
		return event.Pruned
	case err == nil && len(s.plan.Pending()) == 0:
		return event.Unchanged
	case err == nil && s.dryRun():
		return event.WouldDo
	case err == nil && s.run.verb == verbBuild:
		return event.Built
	case err == nil && s.run.verb == verbInstall && droplets[0].Outcome == event.Begun:
		return event.Begun
	case err == nil && s.run.plan.how != nil:
		return s.run.plan.how.switchOutcome()
	case err == nil:
		return event.Verified
	case ctx.Err() != nil:
		return event.Cancelled
	}
	back := 0
	for _, d := range droplets {
		switch d.Outcome { //nolint:exhaustive // the others say nothing about a way back
		case event.RolledBack:
			back++
		case event.Failed, event.Verified, event.Prepared: // what is verified keeps the new one
			return event.Failed
		}
	}
	if back > 0 {
		return event.RolledBack
	}
	return event.Failed
}

// state is one sentence: what runs on a droplet now.
func (s *serverRun) state(d ocean.Droplet, o event.Outcome) string {
	if s.run.plan.how != nil {
		return s.switchState(d, o)
	}
	if s.plan.Server.Provider == fleet.SSHHosts {
		return s.hostState(d, o)
	}
	if d.ID < 0 {
		return "was not created"
	}
	former := imageWords(d.ImageName, d.ImageID)
	switch o {
	case event.Verified:
		switch known := s.record.droplet(d.ID); {
		case switchedOn(d, &known) != nil && known.Evidence != nil:
			return "runs " + systemWords(known.Evidence.System) + ", verified"
		case s.image.ID == 0: // it was never released
			return "runs " + former + ", verified"
		}
		return "runs " + imageWords(s.image.Name, s.image.ID) + ", verified"
	case event.Unchanged:
		if known := s.plan.Record.Droplet(d.ID); known != nil && !known.VerifiedAt.IsZero() {
			return "runs " + former + ", verified " + stamp(known.VerifiedAt)
		}
		return "runs " + former + ", verified earlier"
	case event.WouldDo:
		return "would be rebuilt; runs " + former
	case event.WouldVerify:
		return "runs " + former + ", would be verified"
	case event.RolledBack:
		if s.record.droplet(d.ID).ImageID != d.ImageID { // it ran the failed one before this run
			return "runs " + imageWords(s.broughtTo(d), s.record.droplet(d.ID).ImageID) + ", verified"
		}
		return "runs " + former + " again, verified"
	case event.Pruned:
		return "deleted"
	}
	switch s.stage(d.ID) {
	case rebuildSent:
		return "a rebuild with " + imageWords(s.image.Name, s.image.ID) + " was asked for; whether it completed is not known"
	case rebuilt:
		return "was rebuilt with " + imageWords(s.image.Name, s.image.ID) + "; its files were not written, nothing is verified"
	case provisioned:
		return "was rebuilt with " + imageWords(s.image.Name, s.image.ID) + "; not verified"
	default:
		return "runs " + former + " as before"
	}
}

// imageWords names an image as people tell images apart: ours by the beginning of
// the hash, others by their name.
func imageWords(name string, id int) string {
	if hash, ok := ocean.HashOf(name); ok {
		return fmt.Sprintf("image %s (%d)", hash[:8], id)
	}
	if name == "" {
		return fmt.Sprintf("image %d", id)
	}
	return fmt.Sprintf("image %q (%d)", name, id)
}
