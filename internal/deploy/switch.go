package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/activate"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/transfer"
)

const verbSwitch = "switch"

// SwitchRequest says which servers get another system over SSH, and how.
type SwitchRequest struct {
	Request
	// Verb is what nixos-rebuild calls it; empty means activate.Switch.
	Verb activate.Verb
	Sudo activate.Sudo
	// SudoUnlessRoot uses sudo on servers whose ssh.user is not root.
	SudoUnlessRoot bool
	// BuildHost is what the user's own ssh calls the machine that builds; empty: this
	// one does.
	BuildHost string
	// OnServer is the flake as the servers fetch it, to build for themselves; empty:
	// they get what was built elsewhere.
	OnServer string
	// Substitute lets the machines fetch from their own caches what they have.
	Substitute bool
	// Confirm goes before the server's own rollout.confirm-timeout; 0 does not.
	Confirm time.Duration
}

// keeps says whether the verb leaves anything behind.
func (r *SwitchRequest) keeps() bool { return r.Verb != activate.DryActivate }

// sudo is how the user of a server becomes root.
func (r *SwitchRequest) sudo(s fleet.Server) activate.Sudo {
	sudo := r.Sudo
	sudo.Use = sudo.Use || r.SudoUnlessRoot && s.SSH.User != "root"
	return sudo
}

// activates says whether the new system runs afterwards.
func (r *SwitchRequest) activates() bool { return r.Verb == activate.Switch || r.Verb == activate.Test }

// PlanSwitch finds out which machines get which system, and changes nothing. A
// server that runs a newer revision is a *SupersededError, unless forced; one whose
// system the fleet file does not name is a UsageError.
func (d *Deployer) PlanSwitch(ctx context.Context, req SwitchRequest) (*Plan, error) {
	if req.Verb == "" {
		req.Verb = activate.Switch
	}
	if req.BuildHost != "" {
		if err := transfer.CheckBuildHost(req.BuildHost); err != nil {
			return nil, UsageError{Err: err}
		}
	}
	flake, servers, err := d.chosen(req.Request)
	if err != nil {
		return nil, err
	}
	var faults []error
	for _, s := range servers {
		if s.System == "" {
			faults = append(faults, fmt.Errorf("server %s: the fleet file gives its image and not its system: "+
				"add `system:`, the installable of its toplevel, such as .#nixosConfigurations.%s.config.system.build.toplevel", s.Name, s.Name))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, UsageError{Err: err}
	}
	return steps.Do(ctx, d.steps(false), event.Subject{}, planningSwitch{d, flake, servers}, req)
}

// planningSwitch is PlanSwitch as a step, so that it is shown like the others.
type planningSwitch struct {
	d       *Deployer
	flake   string
	servers []fleet.Server
}

// Name implements steps.Step.
func (planningSwitch) Name() string { return "plan" }

// Run implements steps.Step.
func (p planningSwitch) Run(ctx context.Context, tell event.Teller, req SwitchRequest) (*Plan, error) {
	var outputs []nix.Output
	meta, now, err := p.d.gather(ctx, tell, p.flake, p.servers, func(ctx context.Context) (err error) {
		if req.OnServer == "" {
			outputs, err = p.d.Nix.Evaluate(ctx, systemsOf(p.servers))
		}
		return err //nolint:wrapcheck // the caller does
	})
	if err != nil {
		return nil, err
	}
	plan := &Plan{Request: req.Request, lookOnly: true, world: now, how: &req}
	plan.ofFlake(tell, meta)
	var faults []error
	if meta.Dirty && req.OnServer != "" {
		faults = append(faults, UsageError{Err: errors.New("--on-server builds what others can fetch: commit and push what is changed here")})
	}
	for i, server := range p.servers {
		var want build.Built
		if req.OnServer == "" {
			want = build.Built{Toplevel: outputs[i].Path, Outputs: outputs[i : i+1]}
		}
		one, err := plan.server(server, want)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for i := range one.Todo {
			one.Todo[i] = SwitchIt
		}
		faults = append(faults, p.d.supersededSwitch(ctx, tell, one, one.Record, &req))
		plan.Servers = append(plan.Servers, one)
	}
	return plan, errors.Join(faults...)
}

func systemsOf(servers []fleet.Server) []string {
	all := make([]string, len(servers))
	for i, s := range servers {
		all[i] = s.System
	}
	return all
}

// supersededSwitch refuses to replace what the record says, of the server or of a
// machine that was switched, by an older revision.
func (d *Deployer) supersededSwitch(ctx context.Context, tell event.Teller, s ServerPlan, rec *release.Record, req *SwitchRequest) error {
	if req.Force || !req.keeps() || rec == nil {
		return nil
	}
	if err := d.older(ctx, tell, s, rec.Revision, rec.RevisionTime); err != nil {
		return err
	}
	for _, machine := range s.Droplets {
		if sw := switchedOn(machine, rec.Droplet(machine.ID)); sw != nil {
			if err := d.older(ctx, tell, s, sw.Revision, sw.RevisionTime); err != nil {
				return err
			}
		}
	}
	return nil
}
