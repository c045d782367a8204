package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/toplevel"
	"github.com/versatus/snowdrop/steps"
)

// comparing finds out what a plan changes on the servers that are rebuilt, as a
// step, so that it is shown like the others. It needs the new systems, but not their
// images: they are built unless the request says not to.
type comparing struct{ d *Deployer }

// Name implements steps.Step.
func (comparing) Name() string { return "compare" }

// comparison is one server's: what runs, what is to run, and what differs.
type comparison struct {
	plan          ServerPlan
	before, after *composition
	// why says why one of them is not known.
	why string
	// planned is the server's place in the outlook, which takes the differences.
	planned *event.ServerPlanned
}

// Run implements steps.Step. What cannot be known is told in the outlook and is no
// error; only a cancelled context is.
func (c comparing) Run(ctx context.Context, tell event.Teller, p *Plan) (*Plan, error) {
	var all []*comparison
	for i, s := range p.Servers {
		if len(s.Wiped()) > 0 {
			all = append(all, &comparison{plan: s, planned: &p.outlook.servers[i]})
		}
	}
	if len(all) == 0 {
		return p, steps.Skip("no server gets another system")
	}
	tell.Phase("finding out what the systems of %s are made of", plural(len(all), "server"))
	// Beside all that follows: the base is evaluated, if that is not what runs.
	var wait sync.WaitGroup
	var base baseline
	wait.Go(func() { base = c.baseline(ctx, tell, p, all) })
	defer wait.Wait()

	var group errgroup.Group
	group.SetLimit(8)
	for _, one := range all {
		group.Go(func() error { c.before(ctx, p.Store, one); return nil })
		group.Go(func() error { c.after(ctx, one); return nil })
	}
	_ = group.Wait() // what failed is in the outlook
	if !p.NoBuild {
		p.outlook.broken = c.build(ctx, tell, all)
	}
	c.cached(ctx, p.Store, all)
	c.stateVersions(ctx, tell, all)
	for _, one := range all {
		one.compare()
	}
	wait.Wait() // before more is evaluated
	c.estimate(ctx, tell, all)
	c.fromBase(ctx, tell, p, base, all)
	if ctx.Err() != nil {
		return p, fmt.Errorf("compare systems: %w", context.Cause(ctx))
	}
	return p, nil
}

// before finds what the record says that the server runs.
func (c comparing) before(ctx context.Context, store string, one *comparison) {
	r := one.plan.Record
	if r == nil || r.Image.Hash == "" && r.Toplevel == "" { // it may have been switched
		one.why = "snowdrop has not released this server before"
		return
	}
	found, err := c.d.composed(ctx, one.plan.Server.Name, r.Image.Hash, r.Toplevel)
	if err != nil {
		found, err = c.d.composedIn(ctx, store, r.Toplevel, err)
	}
	if err != nil {
		one.why = fmt.Sprintf("what revision %s is made of is not known: %v", short(r.Revision), err)
		return
	}
	one.before = &found
}

// after finds what the server is to run, if that was built before.
func (c comparing) after(ctx context.Context, one *comparison) {
	want := one.plan.Want
	if found, err := c.d.composed(ctx, one.plan.Server.Name, want.Hash, want.Toplevel); err == nil {
		one.after = &found
	}
}

// build builds the systems that are not known yet, in one nix build. It returns why
// those that can be built nowhere were not, by server.
func (c comparing) build(ctx context.Context, tell event.Teller, all []*comparison) map[string]error {
	var outputs []nix.Output
	var missing []*comparison
	for _, one := range all {
		if one.after != nil || one.before == nil {
			continue
		}
		at := slices.IndexFunc(one.plan.Want.Outputs, func(o nix.Output) bool { return o.Path == one.plan.Want.Toplevel })
		if at < 0 {
			one.why = "the fleet file names no `system` of this server"
			continue
		}
		missing = append(missing, one)
		outputs = append(outputs, one.plan.Want.Outputs[at])
	}
	if len(missing) == 0 || ctx.Err() != nil {
		return nil
	}
	tell.Phase("building %s, without images", plural(len(missing), "system"))
	err := c.d.Nix.Realise(ctx, outputs, nix.Progress{
		Count: func(done, total int64) { tell.Progress(done, total, "builds") },
		Phase: func(text string) { tell.Phase("%s", text) },
		Log:   tell.Log,
	})
	broken := map[string]error{}
	if err != nil && ctx.Err() == nil && !fails(err, outputs...) {
		tell.Warn("not every system can be built on this machine: %v", err)
	}
	for i, one := range missing {
		found, fault := c.d.composedHere(ctx, one.plan.Want.Toplevel)
		switch {
		case fault == nil:
			one.after = &found
		case err != nil && errors.Is(fault, errNoSnapshot):
			one.why = "the new system was not built: " + firstLine(err)
			if fails(err, outputs[i]) {
				broken[one.plan.Server.Name] = wrap(err, "the new system cannot be built")
			}
		default:
			one.why = fault.Error()
		}
	}
	return broken
}

// fails says that a builder ran and failed for one of the systems, as it will for a
// deploy. That this machine is not of the kind that a build needs says nothing of the
// system. A failure of which Nix does not say what it was for is one of all of them.
func fails(err error, systems ...nix.Output) bool {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		return slices.ContainsFunc(several.Unwrap(), func(one error) bool { return fails(one, systems...) })
	}
	var one *nix.BuildError
	if !errors.As(err, &one) || one.Drv == "" || strings.Contains(one.Reason, "is required to build") {
		return false
	}
	return len(one.Installables) == 0 || slices.ContainsFunc(systems, func(o nix.Output) bool { return slices.Contains(one.Installables, o.Installable) })
}

// compare writes the differences into the outlook, where both sides are known.
func (one *comparison) compare() {
	if one.before == nil || one.after == nil {
		return
	}
	one.planned.Packages = new(closure.Compare(one.before.paths, one.after.paths))
	if one.before.system == nil || one.after.system == nil {
		one.unknown("units, ports and users are not compared: %s", cmp.Or(one.before.unknown, one.after.unknown))
		return
	}
	one.planned.System = new(toplevel.Compare(*one.before.system, *one.after.system))
}

// estimate compares derivations, which needs no build, where there is nothing better.
func (c comparing) estimate(ctx context.Context, tell event.Teller, all []*comparison) {
	var group errgroup.Group
	group.SetLimit(evaluations)
	for _, one := range all {
		if one.planned.Packages != nil {
			continue
		}
		why := cmp.Or(one.why, errNotBuilt.Error())
		record := one.plan.Record
		if record == nil || record.Revision == "" || one.plan.Want.Toplevel == "" {
			one.unknown("nothing is compared: %s", why)
			continue
		}
		group.Go(func() error {
			tell.Phase("comparing the derivations of %s with revision %s", one.plan.Server.Name, short(record.Revision))
			diff, err := c.d.estimate(ctx, one.plan.Server, record.Revision)
			if err != nil {
				one.unknown("nothing is compared: %s; nor can derivations be: %s", why, firstLine(err))
				return nil
			}
			one.planned.Packages = diff
			one.unknown("packages are estimated, and units, ports and users are not compared: %s", why)
			return nil
		})
	}
	_ = group.Wait() // what failed is in the outlook
}

func (one *comparison) unknown(format string, args ...any) {
	one.planned.Unknown = append(one.planned.Unknown, fmt.Sprintf(format, args...))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
