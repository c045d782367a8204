package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/install"
	"github.com/versatus/snowdrop/steps/verify"
)

const verbInstall = "install"

// Install carries out a plan of PlanInstall: it runs nixos-anywhere, waits for the
// new system, writes the server's files, verifies the host and keeps the record. In
// a dry run it says what it would do. Without the phase reboot nothing is verified.
func (d *Deployer) Install(ctx context.Context, plan *InstallPlan) (*Result, error) {
	run := d.begin(verbInstall, plan.Plan)
	run.server(ctx, plan.Servers[0], func(s *serverRun) error {
		i := &installing{serverRun: s, plan: plan, host: plan.Servers[0].Droplets[0]}
		if s.dryRun() {
			tell := event.NewTeller(d.Sink, s.on(i.host), verbInstall)
			tell.Phase("would run nixos-anywhere with the phases %s", anywhere.Join(plan.job.Phases))
			return nil
		}
		return i.carryOut(ctx)
	})
	return run.finish(ctx)
}

// installing is one installation at work.
type installing struct {
	*serverRun
	plan *InstallPlan
	host ocean.Droplet
	// begun says that the record tells of it: from when the host lost what it had.
	begun bool
	// boot is that of the installer, as far as it is known: the new system's is another.
	boot string
}

func (i *installing) carryOut(ctx context.Context) error {
	rec := &release.Record{Server: i.name()}
	if former := i.serverRun.plan.Record; former != nil {
		copied := *former
		rec = &copied
	}
	i.record = i.d.keep(rec)
	i.record.note(func(rec *release.Record) {
		e := entry(rec, i.host.ID, i.host.Name)
		e.HostKeys, e.Address = i.plan.Facts.HostKeys, i.address(i.host)
	})
	i.results = []result{{droplet: i.host, outcome: event.Untouched}}
	one := &i.results[0]
	one.err = i.change(ctx)
	switch {
	case one.err == nil && !i.plan.does(anywhere.Reboot):
		one.outcome = event.Begun
		if i.begun {
			i.keepRecord(ctx)
		}
		return nil
	case one.err != nil && ctx.Err() == nil && !i.begun:
		one.outcome = event.Failed
		return one.err // the record is of what ran before, and may be true yet
	}
	one.outcome = outcomeOf(ctx, one.err)
	if !i.begun && one.err != nil {
		return one.err
	}
	return i.conclude(ctx)
}

// change installs and verifies.
func (i *installing) change(ctx context.Context) error {
	dialer, _ := i.d.SSH.(install.Dialer) // PlanInstall has used it
	step := install.Step{Dialer: dialer, Anywhere: i.d.Anywhere, Now: i.d.Clock.Now}
	out, err := steps.Do(ctx, i.run.steps, i.on(i.host), step, install.In{
		Target: i.plan.target, Job: i.plan.job, Timeout: i.plan.timeout,
		At: func(stage anywhere.Stage, at time.Time) { i.at(ctx, stage, at) },
	})
	if i.unknown(err) && !i.begun {
		i.reached(i.host.ID, rebuildSent)
		i.begin(ctx, i.d.Clock.Now())
	}
	if err != nil {
		return i.left(err)
	}
	if !i.plan.does(anywhere.Reboot) {
		if i.plan.does(anywhere.Install) {
			i.expectNewKeys(ctx, i.d.Clock.Now()) // whoever reboots it
		}
		return nil
	}
	if out.RebootedAt.IsZero() {
		return errors.New("nixos-anywhere ended well and did not say that it rebooted the host: whether it runs the new system is not known")
	}
	return i.prove(ctx, i.host, arrival{
		expect: i.serverRun.plan.Want.Toplevel, revision: i.plan.Revision,
		formerBoot: i.boot, rebuiltAt: out.RebootedAt, keysKnown: len(i.plan.hostKeys) > 0,
	})
}

// at writes down what a stage means for the record: from formatting on, the host
// does not have what it had before; from the reboot on, it may have new host keys.
func (i *installing) at(ctx context.Context, stage anywhere.Stage, at time.Time) {
	i.reach(stage)
	if stage >= anywhere.Formatting && stage < anywhere.Done && !i.begun {
		i.boot = i.installerBoot(ctx)
		i.begin(ctx, at)
	}
	if stage == anywhere.Rebooting {
		i.expectNewKeys(ctx, at)
	}
}

// begin writes down that the host may not have any more what it had.
func (i *installing) begin(ctx context.Context, at time.Time) {
	i.begun = true
	next := release.Release{Revision: i.plan.Revision, RevisionTime: i.plan.RevisionTime, Toplevel: i.serverRun.plan.Want.Toplevel}
	i.tellRecord(ctx, func(rec *release.Record) {
		*rec = *release.Begin(rec.Server, rec, next, at)
		rec.RunURL = i.d.RunURL
		e := entry(rec, i.host.ID, i.host.Name)
		e.BootID, e.Evidence, e.VerifiedAt, e.Switched = i.boot, nil, time.Time{}, nil
	})
}

// identifyTimeout bounds a look at the installer.
const identifyTimeout = 20 * time.Second

// installerBoot is the boot that the installer is in: known, or asked for now that
// nothing else can run there. Where it does not answer, the new boot is told from it
// by the host's uptime.
func (i *installing) installerBoot(ctx context.Context) string {
	if i.plan.Facts.Installer {
		return i.plan.Facts.BootID
	}
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	target := i.plan.target
	target.User, target.Port = "root", i.plan.job.KexecPort // 0 is 22
	seen, err := verify.Identify(ctx, i.d.SSH, target)
	if err != nil {
		return ""
	}
	return seen.BootID
}

// reach notes how far the host is, for what is said of it at the end.
func (i *installing) reach(stage anywhere.Stage) {
	switch stage {
	case anywhere.Formatting, anywhere.Installing:
		i.reached(i.host.ID, rebuildSent)
	case anywhere.Rebooting:
		i.reached(i.host.ID, rebuilt)
	case anywhere.Preparing, anywhere.Leaving, anywhere.Done:
	}
}

// expectNewKeys writes down with which host keys the new system comes: those that
// are known, or one new set.
func (i *installing) expectNewKeys(ctx context.Context, at time.Time) {
	i.tellRecord(ctx, func(rec *release.Record) {
		e := entry(rec, i.host.ID, i.host.Name)
		if len(i.plan.hostKeys) > 0 {
			e.HostKeys = i.plan.hostKeys
			return
		}
		e.Rebuild = &release.Rebuild{StartedAt: at}
	})
}

// tellRecord changes the record. That it cannot be written is no reason to stop in
// the middle of an installation.
func (i *installing) tellRecord(ctx context.Context, change func(*release.Record)) {
	if err := i.record.update(ctx, change); err != nil {
		i.d.Sink.Emit(event.Warning{Subject: i.on(i.host), Text: err.Error()})
	}
}

// unknown says that nothing tells what was done to the host's disks.
func (i *installing) unknown(err error) bool {
	return errors.Is(err, anywhere.ErrNoWord) && (i.plan.does(anywhere.Disko) || i.plan.does(anywhere.Install))
}

// left adds to an error what the host was left as.
func (i *installing) left(err error) error {
	failed := (*anywhere.FailedError)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	switch {
	case i.unknown(err) && failed.Stage < anywhere.Rebooting:
		return fmt.Errorf("%w\nWhat it did to %s is not known, and its disks may be wiped: look at what it said", err, i.host.Name)
	case failed.Stage >= anywhere.Rebooting:
		return fmt.Errorf("%w\nNixOS was installed on %s and its reboot begun: see whether it runs with `snowdrop verify %s`", err, i.host.Name, i.name())
	case failed.Stage >= anywhere.Formatting:
		return fmt.Errorf("%w\nThe disks of %s are formatted or being so: its former system is lost. It runs the installer, in memory: "+
			"go on with `snowdrop install %s --phases disko,install,reboot`", err, i.host.Name, i.host.Name)
	case failed.Stage == anywhere.Leaving:
		return fmt.Errorf("%w\nThe disks of %s are as they were: if it does not answer, a reset brings its former system back", err, i.host.Name)
	default:
		return fmt.Errorf("%w\nNothing was changed on the disks of %s", err, i.host.Name)
	}
}
