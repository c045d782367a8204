package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
)

// previewPlan is the plan of a pull request's servers, and what their new droplets
// are made with.
type previewPlan struct {
	*Plan
	size ocean.Size
	keys []string
	said string
}

// String says what it costs.
func (p *previewPlan) String() string { return p.said }

// planningPreview is the planning as a step, so that it is shown like the others.
type planningPreview struct{ *previewer }

// Name implements steps.Step.
func (planningPreview) Name() string { return "plan" }

// Run implements steps.Step.
func (p planningPreview) Run(ctx context.Context, tell event.Teller, req PreviewRequest) (*previewPlan, error) {
	var (
		built build.Out
		meta  nix.Metadata
		now   world
		sizes []ocean.Size
		plan  previewPlan
	)
	for _, url := range p.beside {
		tell.Warn("%s is not asked: it names nothing of the droplet, so it would ask the real server", url)
	}
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		meta, now, err = p.gather(gctx, tell, p.Fleet.Flake, p.servers, func(ctx context.Context) (err error) {
			built, _, err = build.Step{Nix: p.Nix}.DryRun(ctx, buildInput(p.servers))
			return err //nolint:wrapcheck // the caller does
		})
		return err
	})
	group.Go(func() (err error) {
		sizes, err = p.Ocean.Sizes(gctx)
		return wrap(err, "find out what a droplet costs")
	})
	group.Go(func() (err error) {
		if plan.keys = p.limits.SSHKeys; len(plan.keys) == 0 {
			plan.keys, err = p.Ocean.SSHKeys(gctx)
		}
		return wrap(err, "find the SSH keys that new droplets let in (or name them: preview.ssh-keys)")
	})
	err := group.Wait()
	if err != nil {
		return nil, err //nolint:wrapcheck // each part has said what it was doing
	}
	if plan.size, err = p.pickSize(sizes); err != nil {
		return nil, err
	}
	// A branch may be pushed back to an older revision on purpose.
	plan.Plan = &Plan{Request: Request{Servers: req.Servers, Revision: req.Revision, Force: true}, world: now}
	plan.ofFlake(tell, meta)
	for i, server := range p.servers {
		one := ServerPlan{
			Server: server, Revision: plan.Revision, RevisionTime: plan.RevisionTime,
			Record: now.records[server.Name], Want: built.Servers[server.Name],
		}
		one.Image = imageOf(now.images, server.Name, one.Want.Hash)
		droplet, err := p.dropletOf(ctx, tell, now.droplets, server.Name)
		if err != nil {
			return nil, err
		}
		if droplet == nil { // to be made; the number only tells it from its like
			droplet = &ocean.Droplet{
				ID: -1 - i, Name: server.Name, Region: p.limits.Region, Size: p.limits.Size,
				DiskGB: plan.size.DiskGB, Status: ocean.StatusActive,
			}
		}
		one.Droplets, one.Todo = []ocean.Droplet{*droplet}, []Todo{todo(one.Record, *droplet, one.Image)}
		plan.Servers = append(plan.Servers, one)
	}
	plan.said, err = p.afford(plan, ours(p.Fleet.Space, now.droplets))
	return &plan, errors.Join(append(p.preflight(ctx, tell, plan.Plan), err)...)
}

// dropletOf is the preview's droplet, when it takes actions; nil if there is none.
func (p planningPreview) dropletOf(ctx context.Context, tell event.Teller, droplets []ocean.Droplet, name string) (*ocean.Droplet, error) {
	for _, droplet := range ours(p.Fleet.Space, droplets) {
		if droplet.Name != name || !droplet.Carries(p.tags...) {
			continue
		}
		if ocean.Is(droplet.Status, ocean.StatusNew) || droplet.Locked { // an earlier run was cut off there
			var err error
			droplet, err = p.Ocean.WaitForDroplet(ctx, droplet.ID, 0, func(text string) { tell.Phase("%s", text) })
			if err != nil {
				return nil, wrap(err, "droplet %s", name)
			}
		}
		return &droplet, nil
	}
	return nil, nil //nolint:nilnil // none is an answer here
}

// pickSize is the size of new droplets, if it can be had in their region.
func (p planningPreview) pickSize(sizes []ocean.Size) (ocean.Size, error) {
	at := slices.IndexFunc(sizes, func(s ocean.Size) bool { return s.Slug == p.limits.Size })
	switch {
	case at < 0:
		return ocean.Size{}, fmt.Errorf("DigitalOcean has no size %s: correct preview.size", p.limits.Size)
	case !sizes[at].Available || !slices.Contains(sizes[at].Regions, p.limits.Region):
		return ocean.Size{}, fmt.Errorf("size %s cannot be had in %s: correct preview.size or preview.region", p.limits.Size, p.limits.Region)
	}
	return sizes[at], nil
}

// afford says what the new droplets cost, or refuses to make more than there may be.
func (p planningPreview) afford(plan previewPlan, there []ocean.Droplet) (string, error) {
	fresh := 0
	for _, s := range plan.Servers {
		if s.Droplets[0].ID < 0 {
			fresh++
		}
	}
	if len(there)+fresh > p.limits.Max && fresh > 0 {
		return "", tooMany(p.limits.Max, fresh, there)
	}
	if fresh == 0 {
		return fmt.Sprintf("no new droplet; %d of %d there", len(there), p.limits.Max), nil
	}
	return fmt.Sprintf("%s of size %s in %s, %s each; then %d of %d are there",
		plural(fresh, "new droplet"), p.limits.Size, p.limits.Region, price(plan.size), len(there)+fresh, p.limits.Max), nil
}

func tooMany(most, fresh int, there []ocean.Droplet) error {
	names := make([]string, len(there))
	for i, d := range there {
		names[i] = d.Name
	}
	return fmt.Errorf("there may be %s (preview.max), there are %d (%s), and %d more would be needed: nothing was made; "+
		"close a pull request, run `snowdrop preview down` for one, or raise preview.max",
		plural(most, "preview droplet"), len(there), list(names), fresh)
}

// price is what a droplet costs, in words.
func price(s ocean.Size) string {
	return fmt.Sprintf("%.4f USD an hour (%s USD a month)", s.PriceHourly, strings.TrimSuffix(fmt.Sprintf("%.2f", s.PriceMonthly), ".00"))
}

// createIn is a droplet to be made, and what one of its size costs.
type createIn struct {
	ocean.CreateRequest
	size ocean.Size
}

// created is a droplet that was made.
type created struct {
	ocean.Droplet
	said string
}

// String says where it is and what it costs.
func (c created) String() string { return c.said }

// creating is the making of a droplet as a step.
type creating struct{ *previewer }

var _ steps.Step[createIn, created] = creating{}

// Name implements steps.Step.
func (creating) Name() string { return "create" }

// Run implements steps.Step. Two runs that began at once may both have found room for
// their droplets: whoever came last gives way.
func (c creating) Run(ctx context.Context, tell event.Teller, in createIn) (created, error) {
	tell.Phase("asking for a droplet of size %s in %s", in.Size, in.Region)
	droplet, _, err := c.Ocean.CreateDroplet(ctx, in.CreateRequest)
	if err != nil {
		return created{}, err //nolint:wrapcheck // the client says which droplet
	}
	all, err := c.Ocean.Droplets(ctx)
	if err != nil {
		return created{}, fmt.Errorf("droplet %d was made; see how many there are now: %w", droplet.ID, err)
	}
	there := ours(c.Fleet.Space, all)
	if at := slices.IndexFunc(there, func(d ocean.Droplet) bool { return d.ID == droplet.ID }); at >= c.limits.Max {
		refused := tooMany(c.limits.Max, 1, there[:at])
		if err := c.Ocean.DeleteDroplet(context.WithoutCancel(ctx), droplet.ID, in.Tags...); err != nil {
			return created{}, fmt.Errorf("%w; another run was quicker, and droplet %d, which was made meanwhile, is still there: %w", refused, droplet.ID, err)
		}
		return created{}, refused
	}
	droplet, err = c.Ocean.WaitForDroplet(ctx, droplet.ID, 0, func(text string) { tell.Phase("%s", text) })
	if err != nil {
		return created{}, fmt.Errorf("%w; a further run goes on with it", err)
	}
	return created{droplet, fmt.Sprintf("droplet %d at %s, %s", droplet.ID, addressOf(c.servers[0], droplet), price(in.size))}, nil
}
