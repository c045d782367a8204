package deploy

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
)

// Evaluate says what image each server would get, from the flake alone: all that
// can be known where there are no credentials, as in a pull request from a fork.
// It speaks to Nix only, so Ocean, Space and SSH of the Config may be nil. The
// error is the first that Nix found, as Plan would return it.
func (d *Deployer) Evaluate(ctx context.Context, req Request) (*Result, error) {
	flake, servers, err := d.asked(req)
	if err != nil {
		return nil, err
	}
	evaluated, err := steps.Do(ctx, d.steps(false), event.Subject{}, evaluating{d, flake}, servers)
	if err != nil {
		return nil, err //nolint:wrapcheck // Do has said which step
	}
	req.DryRun = true
	plan := &Plan{Request: req, Revision: evaluated.revision, lookOnly: true}
	for _, s := range servers {
		plan.Servers = append(plan.Servers, ServerPlan{Server: s, Revision: plan.Revision, Want: evaluated.Servers[s.Name]})
	}
	if req.Base != "" {
		if plan, err = steps.Do(ctx, d.steps(false), event.Subject{}, comparingRevisions{d}, plan); err != nil {
			return nil, err //nolint:wrapcheck // Do has said which step
		}
	}
	run := d.begin(verbPlan, plan)
	if plan.outlook != nil {
		plan.outlook.tellServers(d.Sink)
	}
	for _, s := range plan.Servers {
		run.server(ctx, s, func(one *serverRun) error {
			one.image.Name = ocean.ImageName(s.Server.Name, s.Want.Hash)
			return nil
		})
	}
	return run.finish(ctx)
}

// evaluating is Evaluate's work as a step, so that it is shown like the others.
type evaluating struct {
	d     *Deployer
	flake string
}

// evaluation is what the flake says.
type evaluation struct {
	build.Out
	revision string
}

// Name implements steps.Step.
func (evaluating) Name() string { return "evaluate" }

// Run implements steps.Step.
func (e evaluating) Run(ctx context.Context, tell event.Teller, servers []fleet.Server) (evaluation, error) {
	var meta nix.Metadata
	var out evaluation
	tell.Phase("evaluating %s", plural(len(servers), "server"))
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		meta, err = e.d.Nix.Metadata(gctx, e.flake)
		return wrap(err, "read the flake's revision")
	})
	group.Go(func() (err error) {
		out.Out, _, err = build.Step{Nix: e.d.Nix}.DryRun(gctx, buildInput(servers))
		return wrap(err, "evaluate")
	})
	err := group.Wait()
	if !meta.Dirty {
		out.revision = meta.Revision
	}
	return out, err //nolint:wrapcheck // each part has said what it was doing
}
