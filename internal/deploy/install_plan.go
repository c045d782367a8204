package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/install"
	"github.com/versatus/snowdrop/steps/provision"
)

// InstallRequest says on which host NixOS is to be installed, and how.
type InstallRequest struct {
	// Host is a host of a server of provider ssh, or such a server with one host.
	Host string
	// Job is how; its flake and the way to the host are found here.
	Job anywhere.Job
	// User is who logs in on the former system; empty: as the fleet file says.
	User string
	// Reinstall allows it for a host that is recorded as verified.
	Reinstall bool
	DryRun    bool
	// Timeout bounds nixos-anywhere; 0 means install.DefaultTimeout.
	Timeout time.Duration
}

// InstallPlan is what an installation will do to a host.
type InstallPlan struct {
	*Plan
	Host  fleet.Host
	Facts install.Facts
	// Wiped are the disks that will be formatted. Where the configuration does not say
	// which, they are all that the host has, and Certain is false.
	Wiped   []install.Disk
	Certain bool
	// Cautions are what its owner should know.
	Cautions []string
	// Command is the command line of nixos-anywhere.
	Command []string

	job      anywhere.Job
	target   remote.Target
	timeout  time.Duration
	hostKeys []string // of the new system, where they are known before
}

// Installer runs nixos-anywhere. *anywhere.Client is one.
type Installer interface {
	install.Anywhere
	Command(j anywhere.Job) []string
}

// installable is a Nix that knows how a configuration is installed.
type installable interface {
	Installation(ctx context.Context, system string) (nix.Installation, error)
}

// PlanInstall looks at a host and at its configuration, and changes nothing. All
// that would keep the installation from working is found here, at once.
func (d *Deployer) PlanInstall(ctx context.Context, req InstallRequest) (*InstallPlan, error) {
	server, host, err := hostOf(d.Fleet, req.Host)
	if err != nil {
		return nil, UsageError{Err: err}
	}
	if err := checkJob(req.Job, server); err != nil {
		return nil, UsageError{Err: err}
	}
	server.Hosts = []fleet.Host{host}
	subject := event.Subject{Server: server.Name, Droplet: host.Name}
	return steps.Do(ctx, d.steps(false), subject, planningInstall{d, server, host}, req)
}

// planningInstall is PlanInstall as a step, so that it is shown like the others.
type planningInstall struct {
	d      *Deployer
	server fleet.Server
	host   fleet.Host
}

// Name implements steps.Step.
func (planningInstall) Name() string { return "plan" }

// Run implements steps.Step.
func (p planningInstall) Run(ctx context.Context, tell event.Teller, req InstallRequest) (*InstallPlan, error) {
	out := &InstallPlan{
		Plan: &Plan{Request: Request{Servers: []string{p.server.Name}, DryRun: req.DryRun}},
		Host: p.host, job: req.Job, timeout: req.Timeout,
	}
	tell.Phase("evaluating %s, asking the Space", p.server.System)
	found, owners, err := p.evaluate(ctx, tell, out)
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	faults := []error{err}
	out.hostKeys, err = install.HostKeysIn(req.Job.ExtraFiles)
	faults = append(faults, err)
	if out.does(anywhere.Reboot) { // they are written then
		faults = append(faults, provision.Check(p.server.Name, p.server.Files, p.d.Getenv)) //nolint:contextcheck // it looks at variables and files alone
	}

	rec := owners.records[p.server.Name]
	machines, _ := machines(p.server, nil) // a host can always be chosen
	host := machines[0]
	known := release.Droplet{ID: host.ID}
	if r := rec.Droplet(host.ID); r != nil {
		known = *r
	}
	out.target = targetOf(p.server, host, known)
	if req.User != "" {
		out.target.User = req.User
	}
	want := install.Want{Phases: req.Job.Phases, Platform: found.Platform, Devices: found.Devices}
	tell.Phase("looking at %s", out.target)
	dialer, ok := p.d.SSH.(install.Dialer)
	if !ok {
		return nil, errors.Join(append(faults, errors.New("this SSH cannot be used by OpenSSH"))...)
	}
	facts, err := install.Look(ctx, dialer, out.target, found.Devices)
	if err == nil {
		var more []error
		more, out.Cautions = install.Judge(facts, want)
		faults = append(faults, more...)
		out.accept(tell, facts, want)
		faults = append(faults, out.newKeys(p.server.SSH))
	} else {
		faults = append(faults, err)
	}
	if why := owners.inUse(p.server, host, facts); why != "" && !req.Reinstall {
		faults = append(faults, fmt.Errorf("it is in use: %s. To wipe it nevertheless, add --reinstall", why))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("nothing was changed on host %s of server %s:\n%w", p.host.Name, p.server.Name, err)
	}
	out.Cautions = append(out.Cautions, othersOf(rec, host, out.Servers[0].Want.Toplevel)...)
	for _, caution := range out.Cautions {
		tell.Warn("%s: %s", p.host.Name, caution)
	}
	out.plan(p.server, host, rec)
	out.Command = p.d.Anywhere.Command(out.shownJob())
	return out, nil
}

// evaluate asks Nix what is to be installed, and the Space and DigitalOcean what is
// known of the fleet's machines.
func (p planningInstall) evaluate(ctx context.Context, tell event.Teller, out *InstallPlan) (nix.Installation, owners, error) {
	var found nix.Installation
	var known owners
	var errNix, errKnown error
	var group errgroup.Group
	group.Go(func() error { // one after the other: each takes much memory
		found, errNix = p.askNix(ctx, tell, out)
		return nil
	})
	group.Go(func() error {
		known, errKnown = p.d.owners(ctx)
		return nil
	})
	_ = group.Wait() // both errors are told, not the first
	return found, known, errors.Join(errNix, errKnown)
}

func (p planningInstall) askNix(ctx context.Context, tell event.Teller, out *InstallPlan) (nix.Installation, error) {
	asks, ok := p.d.Nix.(installable)
	if !ok || p.d.Anywhere == nil {
		return nix.Installation{}, errors.New("to install, the nix program is needed")
	}
	meta, err := p.d.Nix.Metadata(ctx, p.d.Fleet.Flake)
	if err != nil {
		return nix.Installation{}, wrap(err, "read the flake's revision")
	}
	out.RevisionTime = meta.LastModified
	if out.Revision = meta.Revision; meta.Dirty {
		tell.Warn("the flake is not a clean git checkout: the record will name no revision")
		out.Revision = ""
	}
	systems, err := p.d.Nix.Evaluate(ctx, []string{p.server.System})
	if err != nil {
		return nix.Installation{}, wrap(err, "evaluate %s", p.server.System)
	}
	out.Servers = []ServerPlan{{Want: build.Built{Toplevel: systems[0].Path, Outputs: systems}}}
	found, err := asks.Installation(ctx, p.server.System)
	if err != nil {
		return found, wrap(err, "evaluate how server %s is installed", p.server.Name)
	}
	out.job.Flake = found.Flake
	if slices.Contains(out.job.Phases, anywhere.Disko) && !found.Disko {
		return found, fmt.Errorf("the configuration of server %s does not say how its disks are formatted (it has no config.system.build.diskoScript): "+
			"import disko's NixOS module and set disko.devices", p.server.Name)
	}
	return found, nil
}

// accept takes what a host said of itself. Its host keys are demanded from now on.
func (p *InstallPlan) accept(tell event.Teller, facts install.Facts, want install.Want) {
	p.Facts = facts
	p.Wiped, p.Certain = install.Wiped(facts, want)
	if facts.Trust == remote.FirstContact {
		tell.Warn("%s: its host key was accepted on first contact; nothing but the network vouches for it: %s", p.target, strings.Join(facts.HostKeys[:1], ""))
	}
	p.target.Keys.Known, p.target.Keys.Authorities, p.target.Keys.AcceptNewSet = facts.HostKeys, nil, false
	if p.job.CopyHostKeys {
		p.hostKeys = append(p.hostKeys, facts.HostKeys...)
	}
}

// plan makes it a plan as the other use cases have.
func (p *InstallPlan) plan(server fleet.Server, host ocean.Droplet, rec *release.Record) {
	p.Servers[0].Server, p.Servers[0].Droplets, p.Servers[0].Todo = server, []ocean.Droplet{host}, []Todo{RebuildIt}
	p.Servers[0].Revision, p.Servers[0].RevisionTime, p.Servers[0].Record = p.Revision, p.RevisionTime, rec
}

// shownJob is the job as people are shown it: with the host's name.
func (p *InstallPlan) shownJob() anywhere.Job {
	j := p.job
	j.SSH = anywhere.SSH{Host: p.Host.Name, User: p.target.User, Port: p.target.Port}
	return j
}

// does says whether a phase is among those to do.
func (p *InstallPlan) does(phase anywhere.Phase) bool { return slices.Contains(p.job.Phases, phase) }
