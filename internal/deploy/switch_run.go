package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/activate"
	"github.com/versatus/snowdrop/steps/transfer"
)

// copiesAtOnce is how many machines get their systems side by side.
const copiesAtOnce = 4

// Switch carries out a plan of PlanSwitch: it builds the systems, copies them to all
// machines of a server, and then activates them a batch at a time, so that a machine
// which cannot be reached any more goes back by itself. Result and error are as
// Deploy's.
func (d *Deployer) Switch(ctx context.Context, plan *Plan) (*Result, error) {
	run := d.begin(verbSwitch, plan)
	var built systemsBuilt
	if plan.how.OnServer == "" && len(plan.Servers) > 0 {
		built, _ = steps.Do(ctx, run.steps, event.Subject{}, systems{d}, plan) // each server says its part of the error
	}
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if err := built.broken[s.name()]; err != nil {
					return err
				}
				return d.switchServer(ctx, s)
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

// switching is what is known of one machine's switch.
type switching struct {
	system string
	// notCopied is why the system is not in its store.
	notCopied error
	// former is what ran before; empty while nothing was activated.
	former string
	// was is what the record said of a switch before this one.
	was *release.Switched
	// wentBack says that it went back by itself, unproven why its former system was not
	// verified then.
	wentBack bool
	unproven error
	// runs says that the new system runs, or is the next to boot, in short that the
	// switch is done.
	runs bool
	// undone says that the next boot brings the former one.
	undone bool
	// said is what dry-activate would do.
	said string
}

// switchServer switches one server's machines.
func (d *Deployer) switchServer(ctx context.Context, s *serverRun) error {
	how := s.run.plan.how
	if s.dryRun() {
		s.wouldSwitch()
		return nil
	}
	if how.keeps() {
		rec, err := d.records.Current(ctx, s.name())
		if err != nil {
			return wrap(err, "look whether another run was quicker")
		}
		if err := d.supersededSwitch(ctx, event.NewTeller(d.Sink, s.subject(), ""), s.plan, rec, how); err != nil {
			return err
		}
		if !sameRelease(s.plan.Record, rec) {
			return fmt.Errorf("server %s was given another release while this was on its way, so nothing was activated: "+
				"run it again, to see what it runs now", s.name())
		}
		s.plan.Record = rec
	}
	s.switches = map[int]*switching{}
	for _, machine := range s.plan.Droplets {
		s.switches[machine.ID] = &switching{system: s.plan.Want.Toplevel}
	}
	s.record = d.keep(s.knownRecord())
	if err := s.bring(ctx); err != nil {
		return err
	}
	if s.lasting() {
		s.record = d.keep(s.beginSwitch(s.record.snapshot()))
		if err := s.record.update(ctx, func(*release.Record) {}); err != nil {
			return fmt.Errorf("not switched: %w", err)
		}
	}
	policy := s.plan.Server.Rollout
	r := rollout{size: policy.Batch.Size(len(s.plan.Droplets)), maxFailures: policy.MaxFailures, change: s.switchOne}
	if how.keeps() {
		r.after = s.keepRecord
	}
	if policy.OnFailure == fleet.Rollback && how.activates() {
		r.back = s.switchBack
	}
	s.results = r.run(ctx, s.plan.Pending())
	s.settleSwitches()
	return s.concludeSwitch(ctx)
}

// bring copies the system to every machine of the server, or builds it there, before
// the first is changed: a machine that cannot get it is found while all still run
// what they ran.
func (s *serverRun) bring(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(copiesAtOnce)
	for _, machine := range s.plan.Droplets {
		group.Go(func() error {
			one := s.switches[machine.ID]
			one.system, one.notCopied = s.bringTo(ctx, machine, one.system)
			return nil
		})
	}
	_ = group.Wait() // each machine keeps its error
	var errs []error
	for _, machine := range s.plan.Droplets {
		if err := s.switches[machine.ID].notCopied; err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > s.plan.Server.Rollout.MaxFailures || ctx.Err() != nil {
		return errors.Join(append(errs, errors.New("nothing was activated on "+list(dropletNames(s.plan.Droplets))))...)
	}
	return nil
}

// bringTo returns the system's path on the machine.
func (s *serverRun) bringTo(ctx context.Context, machine ocean.Droplet, system string) (string, error) {
	how := s.run.plan.how
	if how.OnServer != "" {
		out, err := steps.Do(ctx, s.run.steps, s.on(machine), transfer.OnServer{SSH: s.d.SSH}, transfer.OnServerIn{
			Target: s.target(machine), Flake: how.OnServer, Revision: s.plan.Revision, System: s.plan.Server.System,
		})
		s.seenKeys(ctx, machine, out.HostKeys)
		return out.System, err //nolint:wrapcheck // Do has said which step on what
	}
	out, err := steps.Do(ctx, s.run.steps, s.on(machine), transfer.Step{Nix: s.d.Nix, SSH: s.d.SSH}, transfer.In{
		Target: s.target(machine), System: system, BuildHost: how.BuildHost, Substitute: how.Substitute,
	})
	s.seenKeys(ctx, machine, out.HostKeys)
	return system, err //nolint:wrapcheck // Do has said which step on what
}

// switchOne activates the system on one machine and verifies it.
func (s *serverRun) switchOne(ctx context.Context, machine ocean.Droplet) error {
	one, how := s.switches[machine.ID], s.run.plan.how
	if one.notCopied != nil {
		return one.notCopied
	}
	known := s.record.droplet(machine.ID)
	one.was = switchedOn(machine, &known)
	if how.activates() {
		if err := s.unproven(ctx, machine); err != nil {
			return err
		}
	}
	out, err := s.activate(ctx, machine, one.system, how.Verb)
	var failed *activate.FailedError
	switch {
	case err == nil:
		one.former, one.runs, one.undone = out.Former, true, how.Verb == activate.Test
		if how.Verb == activate.DryActivate {
			s.said(machine, out.Said)
			return nil
		}
		s.switched(ctx, machine, out.Former, how.Verb)
	case errors.As(err, &failed):
		one.former = failed.Former
		if failed.WentBack {
			one.wentBack = true
			if how.activates() && ctx.Err() == nil {
				one.unproven = s.examineSwitched(ctx, machine, one.former, "", nil)
			}
			return err
		}
		s.leftOn(ctx, machine, failed, out)
		return err
	case errors.Is(err, activate.ErrBusy), errors.Is(err, remote.ErrLost), errors.Is(err, remote.ErrTimeout):
		return err // what it will run is not known
	default: // nothing was changed on it
		s.record.note(func(rec *release.Record) {
			e := entry(rec, machine.ID, machine.Name)
			e.Evidence, e.VerifiedAt = known.Evidence, known.VerifiedAt
		})
		return err
	}
	if how.Verb == activate.Boot {
		s.knowBoot(ctx, machine)
		return nil
	}
	return s.examineSwitched(ctx, machine, one.system, s.plan.Revision, out.HostKeys)
}

// activate runs the step on one machine.
func (s *serverRun) activate(ctx context.Context, machine ocean.Droplet, system string, verb activate.Verb) (activate.Out, error) {
	how := s.run.plan.how
	in := activate.In{
		Target: s.target(machine), System: system, Verb: verb, Sudo: how.sudo(s.plan.Server),
		Confirm: cmp.Or(how.Confirm, s.plan.Server.Rollout.ConfirmTimeout.Std()),
	}
	out, err := steps.Do(ctx, s.run.steps, s.on(machine), activate.Step{Dialer: s.d.SSH, Clock: s.d.Clock}, in)
	if how.keeps() {
		s.seenKeys(ctx, machine, out.HostKeys)
	}
	return out, err //nolint:wrapcheck // Do has said which step on what
}

// examineSwitched verifies that a machine runs a system, in the boot that is.
func (s *serverRun) examineSwitched(ctx context.Context, machine ocean.Droplet, system, revision string, keys []string) error {
	target := s.target(machine)
	target.Keys = demand(target.Keys, keys)
	return s.examine(ctx, machine, target, arrival{expect: system, revision: revision, lookOnly: true})
}

// switchBack activates on one machine of a failed batch what it ran before.
func (s *serverRun) switchBack(ctx context.Context, machine ocean.Droplet) error {
	one := s.switches[machine.ID]
	switch {
	case one.wentBack:
		return one.unproven
	case one.former == "":
		return errUntouched
	}
	s.d.Sink.Emit(event.Warning{Subject: s.on(machine), Text: "goes back to " + one.former})
	out, err := s.activate(ctx, machine, one.former, s.run.plan.how.Verb)
	if err != nil {
		return err
	}
	one.runs = false
	err = s.record.update(ctx, func(rec *release.Record) { entry(rec, machine.ID, machine.Name).Switched = s.broughtBack(machine) })
	if err != nil {
		s.warn("%v", err)
	}
	return s.examineSwitched(ctx, machine, one.former, "", out.HostKeys)
}

// settleSwitches gives those machines that went back by themselves their outcome, and
// those of a verb that verifies nothing theirs.
func (s *serverRun) settleSwitches() {
	verb := s.run.plan.how.Verb
	for i := range s.results {
		r := &s.results[i]
		one := s.switches[r.droplet.ID]
		switch {
		case r.outcome == event.Failed && one.wentBack && one.unproven == nil:
			r.outcome = event.RolledBack
		case r.outcome == event.Failed && one.wentBack && r.backErr == nil:
			r.backErr = fmt.Errorf("it runs %s again, and that is not verified: %w", one.former, one.unproven)
		case r.outcome == event.Verified && verb == activate.Boot:
			r.outcome = event.Prepared
		case r.outcome == event.Verified && verb == activate.DryActivate:
			r.outcome = event.WouldDo
		}
	}
}

func dropletNames(droplets []ocean.Droplet) []string {
	names := make([]string, len(droplets))
	for i, d := range droplets {
		names[i] = d.Name
	}
	return names
}

// anySystem is the system that the machines get; with --on-server one that was built.
func (s *serverRun) anySystem() string {
	for _, machine := range s.plan.Droplets {
		if system := s.switches[machine.ID].system; system != "" {
			return system
		}
	}
	return ""
}
