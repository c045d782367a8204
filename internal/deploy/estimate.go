package deploy

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
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
	former, faults := c.former(ctx, p)
	var group errgroup.Group
	group.SetLimit(evaluations)
	for i, s := range p.Servers {
		one := &p.outlook.servers[i]
		switch {
		case faults[s.Server.Name] != nil:
			one.Unknown = []string{"nothing is compared: " + firstLine(faults[s.Server.Name])}
		case s.Want.Toplevel == "":
			one.Unknown = []string{"nothing is compared: the fleet file names no `system` of this server"}
		case former[s.Server.Name] == s.Want.Toplevel:
			one.Packages = &closure.Diff{Estimate: true}
		default:
			group.Go(func() error {
				tell.Phase("comparing the derivations of %s with revision %s", s.Server.Name, short(p.Base))
				diff, err := c.d.estimate(ctx, s.Server, p.Base)
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

// former are the toplevels at the base, or why they are not known, by server.
func (c comparingRevisions) former(ctx context.Context, p *Plan) (map[string]string, map[string]error) {
	former, faults := map[string]string{}, map[string]error{}
	base, err := c.d.Fleet.AtRevision(p.Base)
	var names, installables []string
	for _, s := range p.Servers {
		switch {
		case err != nil:
			faults[s.Server.Name] = wrap(err, "compare with revision %s", short(p.Base))
		case s.Server.System != "":
			names, installables = append(names, s.Server.Name), append(installables, base.Servers[s.Server.Name].System)
		}
	}
	outputs, err := c.d.Nix.Evaluate(ctx, installables)
	for i, name := range names {
		if err != nil { // one that the base does not have spoils the answer for all
			one, fault := c.d.Nix.Evaluate(ctx, installables[i:i+1])
			if fault != nil {
				faults[name] = wrap(fault, "evaluate revision %s (actions/checkout fetches it with `fetch-depth: 0`)", short(p.Base))
				continue
			}
			former[name] = one[0].Path
			continue
		}
		former[name] = outputs[i].Path
	}
	return former, faults
}
