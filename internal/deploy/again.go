package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/upload"
)

// PlanRebuild plans to put the image that a server is recorded to run on all of
// its droplets again, whatever they run now. imageID picks another custom image
// of the server, as the request's revision does; 0 means the recorded one. Nothing
// is built.
func (d *Deployer) PlanRebuild(ctx context.Context, req Request, imageID int) (*Plan, error) {
	return d.planAgain(ctx, req, withImages, func(p *Plan, s fleet.Server) (ServerPlan, error) {
		rec := p.world.records[s.Name]
		if imageID != 0 {
			r, err := pickRelease(p.world, s, rec, imageID)
			if err != nil {
				return ServerPlan{}, err
			}
			return p.again(s, r, true)
		}
		if req.Revision != "" {
			r, err := releaseAt(p.world, s, rec, req.Revision)
			if err != nil {
				return ServerPlan{}, err
			}
			return p.again(s, r, true)
		}
		if rec == nil || rec.CustomImage.ID == 0 { // it may have been switched
			return ServerPlan{}, fmt.Errorf("server %s was never released, so there is no image to rebuild it with: run `snowdrop deploy --server %s`", s.Name, s.Name)
		}
		return p.again(s, rec.Release, true)
	})
}

// PlanRollback plans to put the release before the recorded one on a server's
// droplets. Those that run it already, verified, are left alone: after a release
// that stopped half way only the others have to go back.
func (d *Deployer) PlanRollback(ctx context.Context, req Request) (*Plan, error) {
	return d.planAgain(ctx, req, withImages, func(p *Plan, s fleet.Server) (ServerPlan, error) {
		rec := p.world.records[s.Name]
		if rec == nil || rec.Previous == nil {
			return ServerPlan{}, fmt.Errorf("server %s: %w: no earlier verified release is recorded", s.Name, errNoWayBack)
		}
		return p.again(s, *rec.Previous, false)
	})
}

// planAgain plans without asking Nix: what to do with each server comes from the
// records and the account alone. which takes those that it can be done with out of
// the servers.
func (d *Deployer) planAgain(ctx context.Context, req Request, which func([]fleet.Server, []string) ([]fleet.Server, error),
	choose func(*Plan, fleet.Server) (ServerPlan, error),
) (*Plan, error) {
	servers, err := d.Fleet.Select(req.Servers, req.Cycle)
	if err != nil {
		return nil, fmt.Errorf("choose servers: %w", err)
	}
	if servers, err = which(servers, req.Servers); err != nil {
		return nil, err
	}
	return steps.Do(ctx, d.steps(false), event.Subject{}, planningAgain{d, servers, choose}, req)
}

type planningAgain struct {
	d       *Deployer
	servers []fleet.Server
	choose  func(*Plan, fleet.Server) (ServerPlan, error)
}

// Name implements steps.Step.
func (planningAgain) Name() string { return "plan" }

// Run implements steps.Step.
func (p planningAgain) Run(ctx context.Context, tell event.Teller, req Request) (*Plan, error) {
	tell.Phase("asking DigitalOcean and the Space about %s", plural(len(p.servers), "server"))
	now, err := p.d.lookSettled(ctx, tell, p.servers)
	if err != nil {
		return nil, err
	}
	req.Force = true // an earlier revision is what was asked for
	plan := &Plan{Request: req, world: now}
	var faults []error
	for _, s := range p.servers {
		one, err := p.choose(plan, s)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		plan.Servers = append(plan.Servers, one)
	}
	faults = append(faults, p.d.preflight(ctx, tell, plan)...)
	plan.tellSwitched(tell)
	return plan, errors.Join(faults...)
}

// again plans to bring the droplets of a server to an earlier release; those that
// run it are rebuilt too if all is set.
func (p *Plan) again(s fleet.Server, r release.Release, all bool) (ServerPlan, error) {
	at := slices.IndexFunc(p.world.images, func(i ocean.Image) bool { return i.ID == r.CustomImage.ID && i.Available() })
	if at < 0 {
		return ServerPlan{}, fmt.Errorf("server %s: custom image %s is gone from the account: deploy a revision that builds it again",
			s.Name, imageWords(r.CustomImage.Name, r.CustomImage.ID))
	}
	one, err := p.server(s, build.Built{ImagePath: r.Image.StorePath, Hash: r.Image.Hash, Toplevel: r.Toplevel})
	if err != nil {
		return ServerPlan{}, err
	}
	one.Image = &p.world.images[at]
	one.Revision, one.RevisionTime = r.Revision, r.RevisionTime
	for i, droplet := range one.Droplets {
		one.Todo[i] = RebuildIt
		if !all {
			one.Todo[i] = todo(one.Record, droplet, one.Image)
		}
	}
	return one, nil
}

// pickRelease is the release with a custom image that somebody named by its id.
func pickRelease(w world, s fleet.Server, rec *release.Record, imageID int) (release.Release, error) {
	if r := releaseWith(rec, imageID); r != nil {
		return *r, nil
	}
	var has []string
	for _, i := range w.images {
		if !i.MadeFor(w.fleet, s.Name) {
			continue
		}
		if i.ID == imageID {
			hash, _ := ocean.HashOf(i.Name)
			revision, _ := upload.RevisionOf(i.Description)
			return release.Release{
				Revision:    revision,
				Image:       release.Image{Hash: hash},
				CustomImage: release.CustomImage{ID: i.ID, Name: i.Name, Regions: i.Regions},
			}, nil
		}
		has = append(has, imageWords(i.Name, i.ID))
	}
	return release.Release{}, fmt.Errorf("server %s has no custom image %d; it has: %s", s.Name, imageID, list(has))
}

// releaseAt is the release of a git revision, or of one that begins like it: from
// the record, else from what the custom images say of themselves.
func releaseAt(w world, s fleet.Server, rec *release.Record, revision string) (release.Release, error) {
	if len(revision) < leastRevision {
		return release.Release{}, fmt.Errorf("server %s: revision %q is too short to be one: give %d digits of it or more", s.Name, revision, leastRevision)
	}
	if rec != nil {
		for _, r := range []*release.Release{&rec.Release, rec.Previous, rec.Attempted} {
			if r != nil && strings.HasPrefix(r.Revision, revision) {
				return *r, nil
			}
		}
	}
	var has []string
	for _, i := range w.images {
		built, _ := upload.RevisionOf(i.Description)
		switch {
		case !i.MadeFor(w.fleet, s.Name) || !i.Available() || built == "":
		case strings.HasPrefix(built, revision), strings.HasPrefix(revision, built):
			return pickRelease(w, s, rec, i.ID)
		default:
			has = append(has, short(built)+" ("+imageWords(i.Name, i.ID)+")")
		}
	}
	return release.Release{}, fmt.Errorf("server %s has no custom image of revision %s; it has: %s; deploy that revision to build it again",
		s.Name, short(revision), list(has))
}

// leastRevision is as short as git itself abbreviates.
const leastRevision = 7

// Rebuild carries out a plan of PlanRebuild or PlanRollback. verb is what people
// called it.
func (d *Deployer) Rebuild(ctx context.Context, verb string, plan *Plan) (*Result, error) {
	run := d.begin(verb, plan)
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if s.dryRun() {
					s.wouldRebuild()
					return nil
				}
				image, err := d.spread(ctx, s)
				if err != nil {
					return err
				}
				return d.rebuild(ctx, s, image)
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

// spread brings the image of a plan to the regions of its droplets.
func (d *Deployer) spread(ctx context.Context, s *serverRun) (ocean.Image, error) {
	regions := regionsOf(s.plan.Droplets)
	if inAll(*s.plan.Image, regions) {
		return *s.plan.Image, nil
	}
	tell := event.NewTeller(d.Sink, s.subject(), "transfer")
	image, err := d.Ocean.Transfer(ctx, s.plan.Image.ID, regions, d.Fleet.Space.ImportTimeout.Std(),
		func(text string) { tell.Phase("%s", text) })
	return image, wrap(err, "server %s: bring %s to %s", s.name(), imageWords(s.plan.Image.Name, s.plan.Image.ID), list(regions))
}
