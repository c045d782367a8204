package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/provision"
	"github.com/versatus/snowdrop/steps/rebuild"
	"github.com/versatus/snowdrop/steps/verify"
)

// onto is what droplets are brought to.
type onto struct {
	image ocean.Image
	// toplevel is the system that must run then; empty where it is not known.
	toplevel string
	// revision is the commit of that system; empty where it is not known.
	revision string
}

// change brings one droplet to a release: rebuild, provision, verify.
func (s *serverRun) change(ctx context.Context, droplet ocean.Droplet, next onto) error {
	if s.todo(droplet) == RebuildIt {
		at, err := s.rebuildOne(ctx, droplet, next)
		if err != nil {
			return err
		}
		return s.prove(ctx, droplet, at)
	}
	s.reached(droplet.ID, rebuilt)
	// That it runs the image is known from DigitalOcean alone: the run that brought it
	// there was cut off before it could write so, or it was created from it.
	s.record.note(func(rec *release.Record) {
		e := entry(rec, droplet.ID, droplet.Name)
		e.ImageID, e.Switched = droplet.ImageID, nil
	})
	at := s.asKnown(droplet, next.toplevel)
	at.revision = next.revision
	return s.prove(ctx, droplet, at)
}

// asKnown is what is expected of a droplet that this run did not rebuild: an
// earlier one that was cut off may have.
func (s *serverRun) asKnown(droplet ocean.Droplet, toplevel string) arrival {
	at := arrival{expect: toplevel}
	if known := s.record.droplet(droplet.ID); wasRebuilt(droplet, known) {
		at.formerBoot, at.rebuiltAt = known.BootID, known.Rebuild.StartedAt
	}
	return at
}

// rebuildOne rebuilds one droplet. That it is about to be is written down first:
// whoever continues a run that was cut off here knows that new host keys may come.
func (s *serverRun) rebuildOne(ctx context.Context, droplet ocean.Droplet, next onto) (arrival, error) {
	at := arrival{expect: next.toplevel, revision: next.revision, formerBoot: s.formerBoot(ctx, droplet), rebuiltAt: s.d.Clock.Now()}
	err := s.record.update(ctx, func(rec *release.Record) {
		e := entry(rec, droplet.ID, droplet.Name)
		e.Rebuild = &release.Rebuild{ImageID: next.image.ID, StartedAt: at.rebuiltAt}
		e.BootID = at.formerBoot
		e.Evidence, e.VerifiedAt = nil, time.Time{}
	})
	if err != nil {
		return at, fmt.Errorf("not rebuilt: %w", err)
	}
	s.reached(droplet.ID, rebuildSent)
	in := rebuild.In{Droplet: droplet, Image: next.image, Timeout: s.plan.Server.Rollout.RebuildTimeout.Std()}
	if _, err := steps.Do(ctx, s.run.steps, s.on(droplet), rebuild.Step{Ocean: s.d.Ocean}, in); err != nil {
		return at, err //nolint:wrapcheck // Do has said which step on what
	}
	s.reached(droplet.ID, rebuilt)
	s.record.note(func(rec *release.Record) {
		e := entry(rec, droplet.ID, droplet.Name)
		e.ImageID, e.Switched = next.image.ID, nil
	})
	return at, nil
}

// arrival is what is expected of a droplet after it came up.
type arrival struct {
	expect     string
	revision   string // empty: not known
	formerBoot string
	rebuiltAt  time.Time // zero: it was not rebuilt by us since it was last known
	keysKnown  bool      // it comes with the host keys that are recorded
	lookOnly   bool      // nothing may be written to the droplet
	switched   bool      // the record says that it was switched since it has its image
}

// prove waits for the new boot, writes the droplet's files and verifies it. The
// host keys that came with the boot are demanded from then on.
func (s *serverRun) prove(ctx context.Context, droplet ocean.Droplet, at arrival) error {
	server := s.plan.Server
	target := s.target(droplet)
	target.Keys.AcceptNewSet = !at.rebuiltAt.IsZero() && !at.keysKnown

	up, err := steps.Do(ctx, s.run.steps, s.on(droplet), verify.Boot{Dialer: s.d.SSH, Clock: s.d.Clock}, verify.BootIn{
		Target: target, FormerBootID: at.formerBoot, RebuiltAt: at.rebuiltAt, Timeout: server.Verify.Timeout.Std(),
	})
	if err != nil {
		return err //nolint:wrapcheck // Do has said which step on what
	}
	if s.rebuilds(droplet.ID) { // in a run that continues another, it would be the time in between too
		away := s.d.Clock.Now().Sub(at.rebuiltAt)
		s.record.note(func(rec *release.Record) { entry(rec, droplet.ID, droplet.Name).Downtime = away })
	}
	target.Keys = demand(target.Keys, up.HostKeys)
	s.knowKeys(ctx, droplet, up.HostKeys)
	if at.switched {
		at = s.afterSwitch(droplet, up.BootID, at)
	}

	if len(server.Files) > 0 && !at.lookOnly {
		written, err := steps.Do(ctx, s.run.steps, s.on(droplet), provision.Step{Dialer: s.d.SSH, Getenv: s.d.Getenv, Learn: s.d.Learn},
			provision.In{Target: target, Files: server.Files})
		if err != nil {
			return err //nolint:wrapcheck // Do has said which step on what
		}
		if len(written.HostKeys) > 0 {
			target.Keys = demand(target.Keys, written.HostKeys)
			s.knowKeys(ctx, droplet, written.HostKeys)
		}
	}
	s.reached(droplet.ID, provisioned)
	return s.examine(ctx, droplet, target, at)
}

// examine verifies a machine that is up, and writes down what was seen.
func (s *serverRun) examine(ctx context.Context, droplet ocean.Droplet, target remote.Target, at arrival) error {
	evidence, err := steps.Do(ctx, s.run.steps, s.on(droplet), verify.Step{Dialer: s.d.SSH, Clock: s.d.Clock}, verify.In{
		Target: target, Verify: s.plan.Server.Verify, ExpectSystem: at.expect, Server: s.claims(), Revision: at.revision,
		FormerBootID: at.formerBoot, RebuiltAt: at.rebuiltAt, Droplet: droplet,
	})
	s.d.Sink.Emit(event.Evidence{Subject: s.on(droplet), Evidence: *evidence.Clone()})
	s.record.note(func(rec *release.Record) {
		e := entry(rec, droplet.ID, droplet.Name)
		e.Evidence, e.BootID, e.Address = evidence.Clone(), evidence.BootID, s.address(droplet)
		if err == nil {
			e.VerifiedAt = evidence.At
		}
	})
	if err != nil {
		return err //nolint:wrapcheck // Do has said which step on what
	}
	s.reached(droplet.ID, proven)
	return nil
}

// claims is the server that a system may say it is. A preview's system is made for
// the server that it is a preview of.
func (s *serverRun) claims() string {
	if PreviewPull(s.name()) != 0 {
		return ""
	}
	return s.name()
}

// formerBoot is the boot that the droplet is in before its rebuild: asked over
// SSH, else as recorded, else not known.
func (s *serverRun) formerBoot(ctx context.Context, droplet ocean.Droplet) string {
	known := s.record.droplet(droplet.ID)
	seen, err := verify.Identify(ctx, s.d.SSH, s.target(droplet))
	if err != nil {
		return known.BootID
	}
	return seen.BootID
}

// knowKeys writes down the host keys that a new boot came with. That the record
// cannot be written now is no reason to stop: it is written again after the batch.
func (s *serverRun) knowKeys(ctx context.Context, droplet ocean.Droplet, keys []string) {
	err := s.record.update(ctx, func(rec *release.Record) {
		e := entry(rec, droplet.ID, droplet.Name)
		e.HostKeys, e.Rebuild, e.Address = keys, nil, s.address(droplet)
	})
	if err != nil {
		s.d.Sink.Emit(event.Warning{Subject: s.on(droplet), Text: err.Error()})
	}
}

func (s *serverRun) on(d ocean.Droplet) event.Subject {
	return event.Subject{Server: s.name(), Droplet: d.Name}
}

func (s *serverRun) todo(droplet ocean.Droplet) Todo {
	for i := range s.plan.Droplets {
		if s.plan.Droplets[i].ID == droplet.ID {
			return s.plan.Todo[i]
		}
	}
	return Nothing
}
