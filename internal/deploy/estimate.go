package deploy

import (
	"cmp"
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
)

// evaluations is how many systems are evaluated at once: each takes Nix a gigabyte
// or so.
const evaluations = 2

// estimate compares what a server's system is built from with what it was at another
// revision.
func (d *Deployer) estimate(ctx context.Context, server fleet.Server, revision string) (*closure.Diff, error) {
	former, err := d.Fleet.AtRevision(revision)
	if err != nil {
		return nil, wrap(err, "compare with revision %s", short(revision))
	}
	before, err := d.Nix.Derivations(ctx, []string{former.Servers[server.Name].System})
	if err != nil {
		return nil, wrap(err, "evaluate revision %s", short(revision))
	}
	after, err := d.Nix.Derivations(ctx, []string{server.System})
	if err != nil {
		return nil, wrap(err, "evaluate %s", server.System)
	}
	return new(closure.CompareDerivations(before, after)), nil
}

// estimateBetween compares what two evaluated systems are built from. Nothing is
// evaluated for it again.
func (d *Deployer) estimateBetween(ctx context.Context, before, after nix.Output) (*closure.Diff, error) {
	former, err := d.Nix.Derivations(ctx, []string{cmp.Or(before.Drv, before.Installable)})
	if err != nil {
		return nil, wrap(err, "list the derivations of %s", before.Installable)
	}
	now, err := d.Nix.Derivations(ctx, []string{cmp.Or(after.Drv, after.Installable)})
	if err != nil {
		return nil, wrap(err, "list the derivations of %s", after.Installable)
	}
	return new(closure.CompareDerivations(former, now)), nil
}

// comparingRevisions compares the systems of a plan with those of the request's base,
// from the flake alone. It takes one evaluation to see which differ at all.
type comparingRevisions struct{ d *Deployer }

// Name implements steps.Step.
func (comparingRevisions) Name() string { return "compare" }

// Run implements steps.Step. What cannot be known is told in the outlook and is no
// error; only a cancelled context is.
func (c comparingRevisions) Run(ctx context.Context, tell event.Teller, p *Plan) (*Plan, error) {
	p.outlook = &outlook{servers: make([]event.ServerPlanned, len(p.Servers))}
	for i, s := range p.Servers {
		p.outlook.servers[i] = event.ServerPlanned{Subject: event.Subject{Server: s.Server.Name}, Action: event.OnlyEvaluated}
	}
	tell.Phase("evaluating the base, revision %s", short(p.Base))
	former, faults := c.d.systemsAt(ctx, p.Base, p.Servers)
	var group errgroup.Group
	group.SetLimit(evaluations)
	for i, s := range p.Servers {
		one := &p.outlook.servers[i]
		switch {
		case faults[s.Server.Name] != nil:
			one.Unknown = []string{"nothing is compared: " + firstLine(faults[s.Server.Name])}
		case s.Want.Toplevel == "":
			one.Unknown = []string{"nothing is compared: the fleet file names no `system` of this server"}
		case former[s.Server.Name].Path == s.Want.Toplevel:
			one.Packages = &closure.Diff{Estimate: true}
		default:
			group.Go(func() error {
				tell.Phase("comparing the derivations of %s with revision %s", s.Server.Name, short(p.Base))
				diff, err := c.d.estimateBetween(ctx, former[s.Server.Name], s.system())
				if err != nil {
					one.Unknown = []string{"nothing is compared: " + firstLine(err)}
					return nil
				}
				one.Packages = diff
				one.Unknown = []string{fmt.Sprintf("packages are estimated, by comparison with revision %s, and not with what runs", short(p.Base))}
				return nil
			})
		}
	}
	_ = group.Wait() // what failed is in the outlook
	if ctx.Err() != nil {
		return p, fmt.Errorf("compare revisions: %w", context.Cause(ctx))
	}
	return p, nil
}

// systemsAt are the systems of servers at another revision, or why they are not known,
// by server. They are evaluated in one go.
func (d *Deployer) systemsAt(ctx context.Context, revision string, servers []ServerPlan) (map[string]nix.Output, map[string]error) {
	former, faults := map[string]nix.Output{}, map[string]error{}
	base, err := d.Fleet.AtRevision(revision)
	if err == nil { // else a revision that is not there would be looked for once a server
		_, err = d.Nix.Metadata(ctx, base.Flake)
	}
	var names, installables []string
	for _, s := range servers {
		switch {
		case err != nil:
			faults[s.Server.Name] = wrap(err, "find revision %s (actions/checkout fetches it with `fetch-depth: 0`)", short(revision))
		case s.Server.System != "":
			names, installables = append(names, s.Server.Name), append(installables, base.Servers[s.Server.Name].System)
		}
	}
	if len(names) == 0 {
		return former, faults
	}
	outputs, err := d.Nix.Evaluate(ctx, installables)
	for i, name := range names {
		if err != nil { // one that the base does not have spoils the answer for all
			one, fault := d.Nix.Evaluate(ctx, installables[i:i+1])
			if fault != nil {
				faults[name] = wrap(fault, "evaluate revision %s", short(revision))
				continue
			}
			former[name] = one[0]
			continue
		}
		former[name] = outputs[i]
	}
	return former, faults
}

// system is the planned system as it was evaluated.
func (p ServerPlan) system() nix.Output {
	for _, o := range p.Want.Outputs {
		if o.Path == p.Want.Toplevel {
			return o
		}
	}
	return nix.Output{Installable: p.Server.System, Path: p.Want.Toplevel}
}
