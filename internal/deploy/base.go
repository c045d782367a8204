package deploy

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
)

// baseline is what a request's base says of the servers that run something else.
type baseline struct {
	servers map[string]nix.Output
	// faults are why it is not known, by server.
	faults map[string]error
}

// baseline evaluates the base, once, for the servers that run another revision. Where
// all of them run the base there is nothing to evaluate: what is compared with what
// runs is what the pull request changes.
func (c comparing) baseline(ctx context.Context, tell event.Teller, p *Plan, all []*comparison) baseline {
	var others []ServerPlan
	for _, one := range all {
		r := one.plan.Record
		if p.Base != "" && p.Base != p.Revision && r != nil && r.Revision != p.Base && one.plan.Want.Toplevel != "" {
			others = append(others, one.plan)
		}
	}
	if len(others) == 0 {
		return baseline{}
	}
	tell.Phase("evaluating the base, revision %s", short(p.Base))
	servers, faults := c.d.systemsAt(ctx, p.Base, others)
	return baseline{servers, faults}
}

// fromBase compares with the base what is planned for the servers that run something
// else: what a pull request changes itself is then only a part of what its merge
// brings. Nothing of the base is built: where it is not known what its system is made
// of, derivations are compared.
func (c comparing) fromBase(ctx context.Context, tell event.Teller, p *Plan, base baseline, all []*comparison) {
	var group errgroup.Group
	group.SetLimit(evaluations)
	for _, one := range all {
		name, record := one.plan.Server.Name, one.plan.Record
		if fault := base.faults[name]; fault != nil {
			one.unknown("what of it is new since the base, revision %s, is not known: %s", short(p.Base), firstLine(fault))
			continue
		}
		former, ok := base.servers[name]
		if !ok || former.Path == record.Toplevel {
			continue // what runs is the base
		}
		group.Go(func() error {
			tell.Phase("comparing %s with the base, revision %s", name, short(p.Base))
			diff, err := c.since(ctx, p.Store, former, one)
			if err != nil {
				one.unknown("what of it is new since the base, revision %s, is not known: %s", short(p.Base), firstLine(err))
				return nil
			}
			one.planned.FromBase = &event.FromBase{Revision: p.Base, Packages: *diff}
			return nil
		})
	}
	_ = group.Wait() // what failed is in the outlook
}

// since compares a former system with the planned one.
func (c comparing) since(ctx context.Context, store string, former nix.Output, one *comparison) (*closure.Diff, error) {
	if former.Path == one.plan.Want.Toplevel {
		return new(closure.Diff), nil
	}
	if one.after != nil {
		found, err := c.d.composedHere(ctx, former.Path)
		if err != nil {
			found, err = c.d.composedIn(ctx, store, former.Path, err)
		}
		if err == nil {
			return new(closure.Compare(found.paths, one.after.paths)), nil
		}
	}
	return c.d.estimateBetween(ctx, former, one.plan.system())
}
