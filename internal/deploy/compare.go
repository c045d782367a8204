package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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
	tell.Phase("looking for what %s and will run", plural(len(all), "server")+" run")
	var group errgroup.Group
	group.SetLimit(8)
	for _, one := range all {
		group.Go(func() error { c.before(ctx, one); return nil })
		group.Go(func() error { c.after(ctx, one); return nil })
	}
	_ = group.Wait() // what failed is in the outlook
	c.build(ctx, tell, p, all)
	if ctx.Err() != nil {
		return p, fmt.Errorf("compare systems: %w", context.Cause(ctx))
	}
	for _, one := range all {
		one.compare()
	}
	return p, nil
}

// before finds what the record says that the server runs.
func (c comparing) before(ctx context.Context, one *comparison) {
	r := one.plan.Record
	if r == nil {
		one.unknown("nothing is compared: snowdrop has not released this server before, so what it is made of is not known")
		return
	}
	found, err := c.d.composed(ctx, r.Server, r.Image.Hash, r.Toplevel)
	if err != nil {
		one.unknown("nothing is compared: what revision %s is made of is not known: %v", short(r.Revision), err)
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

// build builds the systems that are not known yet, in one nix build.
func (c comparing) build(ctx context.Context, tell event.Teller, p *Plan, all []*comparison) {
	var outputs []nix.Output
	var missing []*comparison
	for _, one := range all {
		if one.after != nil || one.before == nil {
			continue
		}
		at := slices.IndexFunc(one.plan.Want.Outputs, func(o nix.Output) bool { return o.Path == one.plan.Want.Toplevel })
		if at < 0 {
			one.unknown("nothing is compared: the fleet file names no `system` of this server")
			continue
		}
		missing = append(missing, one)
		outputs = append(outputs, one.plan.Want.Outputs[at])
	}
	if len(missing) == 0 || ctx.Err() != nil {
		return
	}
	tell.Phase("building %s, without images", plural(len(missing), "system"))
	err := c.d.Nix.Realise(ctx, outputs, nix.Progress{
		Count: func(done, total int64) { tell.Progress(done, total, "builds") },
		Phase: func(text string) { tell.Phase("%s", text) },
		Log:   tell.Log,
	})
	if err != nil {
		tell.Warn("not every system can be built, so a deploy would fail: %v", err)
	}
	for _, one := range missing {
		found, fault := c.d.composedHere(ctx, one.plan.Want.Toplevel)
		switch {
		case fault == nil:
			one.after = &found
		case err != nil && errors.Is(fault, errNoSnapshot):
			one.unknown("nothing is compared: the new system was not built: %s", firstLine(err))
		default:
			one.unknown("nothing is compared: %v", fault)
		}
	}
}

// compare writes the differences into the outlook.
func (one *comparison) compare() {
	if one.before == nil || one.after == nil {
		return
	}
	one.planned.Packages = new(closure.Compare(one.before.paths, one.after.paths))
	if one.before.system == nil || one.after.system == nil {
		why := one.before.unknown
		if why == "" {
			why = one.after.unknown
		}
		one.unknown("units, ports and users are not compared: %s", why)
		return
	}
	one.planned.System = new(toplevel.Compare(*one.before.system, *one.after.system))
}

func (one *comparison) unknown(format string, args ...any) {
	one.planned.Unknown = append(one.planned.Unknown, fmt.Sprintf(format, args...))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
