package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/activate"
	"github.com/versatus/snowdrop/steps/verify"
)

// lasting says whether the switch is the server's release: its machines have no
// image that it could differ from. A test is one only where there is no release yet.
func (s *serverRun) lasting() bool {
	how := s.run.plan.how
	return s.plan.Server.Provider == fleet.SSHHosts && how.keeps() && (how.Verb != activate.Test || s.plan.Record == nil || s.plan.Record.Toplevel == "")
}

// sameRelease says whether two records of a server tell of one release.
func sameRelease(a, b *release.Record) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.StartedAt.Equal(b.StartedAt)
}

// beginSwitch makes the record of a switch that is the server's release.
func (s *serverRun) beginSwitch(former *release.Record) *release.Record {
	rec := release.BeginSwitch(s.name(), former, release.Release{
		Revision: s.plan.Revision, RevisionTime: s.plan.RevisionTime, Toplevel: s.anySystem(),
	}, s.d.Clock.Now())
	rec.RunURL = s.d.RunURL
	return rec
}

// knownRecord is the record that the switch is written into. It tells of no other
// release than before.
func (s *serverRun) knownRecord() *release.Record {
	if s.plan.Record == nil { // never released: there is nothing but the switch to tell
		now := s.d.Clock.Now()
		rec := &release.Record{Server: s.name(), Outcome: release.Unreleased, StartedAt: now, FinishedAt: now, RunURL: s.d.RunURL}
		if s.lasting() {
			rec.Outcome = release.Pending
		}
		return rec
	}
	rec := *s.plan.Record
	rec.Droplets = slices.Clone(rec.Droplets)
	return &rec
}

// switched writes down what a machine was switched to. One that was brought to what
// its image has is no longer switched.
func (s *serverRun) switched(ctx context.Context, machine ocean.Droplet, former string, verb activate.Verb) {
	system := s.switches[machine.ID].system
	err := s.record.update(ctx, func(rec *release.Record) {
		e := entry(rec, machine.ID, machine.Name)
		e.Address = s.address(machine)
		e.Evidence, e.VerifiedAt = nil, time.Time{} // it was of another system
		next := release.Switched{
			Verb: string(verb), Revision: s.plan.Revision, RevisionTime: s.plan.RevisionTime, System: system, At: s.d.Clock.Now(),
		}
		was := switchedOn(machine, e)
		switch {
		case verb == activate.Test && former == system: // it ran already, and what boots was left as it was
			e.Switched = was
		case verb == activate.Test:
			next.Former, next.Before = s.undoneTo(machine, was, former)
			e.Switched = &next
		case verb == activate.Boot && former != system:
			next.Former = former
			e.Switched = &next
		default:
			e.Switched = s.lastingOn(machine, next)
		}
		e.ImageID = machine.ImageID // which the switch differs from
	})
	if err != nil {
		s.d.Sink.Emit(event.Warning{Subject: s.on(machine), Text: "it was switched, and that is not recorded: " + err.Error()})
	}
}

// switchedOn is what a droplet was switched to since it has its image; nil where it
// was not. One that has another image than when it was switched was rebuilt since.
func switchedOn(d ocean.Droplet, known *release.Droplet) *release.Switched {
	if known == nil || known.ImageID != d.ImageID {
		return nil
	}
	return known.Switched
}

// lastingOn is what the record says of a machine that runs a system and boots it: nil
// where its image has that system.
func (s *serverRun) lastingOn(machine ocean.Droplet, sw release.Switched) *release.Switched {
	if r := releaseWith(s.plan.Record, machine.ImageID); r != nil && r.Toplevel == sw.System {
		return nil
	}
	sw.Verb, sw.Former, sw.Before = string(activate.Switch), "", nil
	return &sw
}

// undoneTo is what the next boot makes of a test: the system, and what the record
// will say of it.
func (s *serverRun) undoneTo(machine ocean.Droplet, was *release.Switched, former string) (string, *release.Switched) {
	switch {
	case was == nil:
		return former, nil
	case was.Verb == string(activate.Test):
		return was.Former, was.Before
	default:
		return was.System, s.lastingOn(machine, *was)
	}
}

// broughtBack is what the record says of a machine of a failed batch that runs and
// boots again what ran before: that may have been a test, or not what was to boot.
func (s *serverRun) broughtBack(machine ocean.Droplet) *release.Switched {
	one := s.switches[machine.ID]
	switch {
	case one.was == nil || s.run.plan.how.Verb == activate.Test:
		return one.was
	case one.was.System == one.former:
		return s.lastingOn(machine, *one.was)
	default:
		return s.lastingOn(machine, release.Switched{System: one.former, At: s.d.Clock.Now()})
	}
}

// unproven writes down, before a machine is switched, that what is known of it may
// soon be of another system: whoever finds the record of a run that was killed looks.
func (s *serverRun) unproven(ctx context.Context, machine ocean.Droplet) error {
	err := s.record.update(ctx, func(rec *release.Record) {
		e := entry(rec, machine.ID, machine.Name)
		e.Evidence, e.VerifiedAt = nil, time.Time{}
	})
	return wrap(err, "not switched")
}

// leftOn writes down what runs on a machine whose switch failed and that did not go
// back. Where units failed, the new system was kept.
func (s *serverRun) leftOn(ctx context.Context, machine ocean.Droplet, failed *activate.FailedError, out activate.Out) {
	one := s.switches[machine.ID]
	verb := failed.Verb
	if out.System != failed.System && !failed.Kept {
		seen, err := verify.Identify(ctx, s.d.SSH, s.target(machine))
		if err != nil || seen.System != failed.System {
			return
		}
		verb = activate.Test // it runs, and what boots was not set
	}
	one.runs, one.undone = true, verb == activate.Test
	s.switched(ctx, machine, failed.Former, verb)
	if failed.Exit == 0 { // it was not seen to the end
		return
	}
	s.record.note(func(rec *release.Record) {
		entry(rec, machine.ID, machine.Name).Evidence = &release.Evidence{
			At: s.d.Clock.Now(), System: failed.System, Failed: failed.Units,
			Checks: []release.Check{{Name: "activation", Want: "exit status 0", Got: fmt.Sprintf("exit status %d", failed.Exit)}},
		}
	})
}

// knowBoot writes down which boot a machine is in, so that the next one is noticed.
func (s *serverRun) knowBoot(ctx context.Context, machine ocean.Droplet) {
	seen, err := verify.Identify(ctx, s.d.SSH, s.target(machine))
	if err == nil {
		s.record.note(func(rec *release.Record) { entry(rec, machine.ID, machine.Name).BootID = seen.BootID })
	}
}

// seenKeys writes down host keys, if they are other ones than those that are known.
func (s *serverRun) seenKeys(ctx context.Context, machine ocean.Droplet, keys []string) {
	known := s.record.droplet(machine.ID)
	if len(keys) == 0 || !s.run.plan.how.keeps() || s.plan.Server.SSH.HostKeyPolicy == fleet.Strict {
		return
	}
	unknown := slices.ContainsFunc(keys, func(key string) bool {
		return !slices.Contains(known.HostKeys, key) && !slices.Contains(s.plan.Server.SSH.HostKeys, key)
	})
	if unknown {
		s.knowKeys(ctx, machine, keys)
	}
}

// afterSwitch says what is expected of a machine whose record says that it was
// switched: a test is undone by the next boot, and what is to be booted comes with it.
func (s *serverRun) afterSwitch(machine ocean.Droplet, bootID string, at arrival) arrival {
	known := s.record.droplet(machine.ID)
	sw := known.Switched
	booted := known.BootID != "" && known.BootID != bootID
	tell := func(text string) { s.d.Sink.Emit(event.Warning{Subject: s.on(machine), Text: text}) }
	become := func(next *release.Switched) {
		s.record.note(func(rec *release.Record) { entry(rec, machine.ID, machine.Name).Switched = next })
	}
	at.expect, at.revision = sw.System, sw.Revision
	switch {
	case sw.Verb == string(activate.Test) && booted:
		tell("it booted since " + systemWords(sw.System) + " was tested, which undid the test: it is to run what it ran before")
		at.expect, at.revision = sw.Former, ""
		become(sw.Before)
	case sw.Verb == string(activate.Test):
		tell(systemWords(sw.System) + " is being tested: the next boot undoes it")
	case sw.Verb == string(activate.Boot) && booted:
		become(s.lastingOn(machine, *sw))
	case sw.Verb == string(activate.Boot):
		tell(systemWords(sw.System) + " comes with the next boot")
		at.expect, at.revision = sw.Former, ""
	}
	return at
}

// concludeSwitch writes the record's end and says what failed.
func (s *serverRun) concludeSwitch(ctx context.Context) error {
	err := s.verdict(ctx)
	if !s.run.plan.how.keeps() {
		return err
	}
	keep := s.record.update(ctx, func(rec *release.Record) {
		if !s.lasting() {
			return
		}
		if s.formerSystem() == "" { // nothing was activated anywhere
			s.noSwitch(rec)
			return
		}
		rec.FinishedAt = s.d.Clock.Now()
		switch {
		case err == nil:
			rec.Outcome = release.Verified
			return
		case ctx.Err() != nil:
			rec.Outcome = release.Pending
		default:
			rec.Outcome = release.Failed
		}
		rec.Failure = err.Error()
		if !s.allBack() {
			return
		}
		rec.Outcome, rec.Attempted = release.RolledBack, new(rec.Release)
		rec.Release, rec.Previous = s.formerRelease()
	})
	return errors.Join(err, keep)
}

// allBack says whether every machine that was changed runs what it ran before.
func (s *serverRun) allBack() bool {
	back := false
	for _, r := range s.results {
		switch r.outcome { //nolint:exhaustive // machines that were not touched run it anyway
		case event.RolledBack:
			back = true
		case event.Failed, event.Verified, event.Prepared, event.Cancelled:
			return false
		}
	}
	return back
}

// noSwitch makes a record tell of the release before, where no machine was changed.
func (s *serverRun) noSwitch(rec *release.Record) {
	machines := rec.Droplets
	if *rec = (release.Record{Server: s.name(), Outcome: release.Pending, StartedAt: rec.StartedAt}); s.plan.Record != nil {
		*rec = *s.plan.Record
	}
	rec.Droplets = machines
}

// formerRelease is the one that the machines run which went back, and the one before
// it. The record's own is not always it: that of a run that was cut off never was. If
// they ran different systems, it is the last verified release, if there is one: what
// each of them runs stands with it.
func (s *serverRun) formerRelease() (release.Release, *release.Release) {
	ran := map[string]bool{}
	for _, r := range s.results {
		ran[s.switches[r.droplet.ID].former] = true
	}
	everywhere := len(ran) == 1
	delete(ran, "") // machines that were not touched
	rec, alike := s.plan.Record, len(ran) == 1
	switch {
	case rec != nil && alike && ran[rec.Toplevel]:
		return rec.Release, rec.Previous
	case rec != nil && alike && rec.Previous != nil && ran[rec.Previous.Toplevel]:
		return *rec.Previous, nil
	case everywhere:
		return release.Release{Toplevel: s.formerSystem()}, nil
	case rec != nil && (rec.Outcome == release.Verified || rec.Outcome == release.RolledBack):
		return rec.Release, rec.Previous
	case rec != nil && rec.Previous != nil:
		return *rec.Previous, nil
	}
	return release.Release{}, nil
}

// formerSystem is what a machine ran before.
func (s *serverRun) formerSystem() string {
	for _, r := range s.results {
		if former := s.switches[r.droplet.ID].former; former != "" {
			return former
		}
	}
	return ""
}
