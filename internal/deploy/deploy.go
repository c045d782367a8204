package deploy

import (
	"context"
	"errors"
	"sync"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/prune"
	"github.com/versatus/snowdrop/steps/upload"
)

// Deploy carries out a plan: what people do by hand, in the order in which their
// documentation lists it. Servers are handled side by side. The Result says what
// state each server and droplet is in, also when the error is not nil; the error
// is a *FailedError, or that of a cancelled context.
func (d *Deployer) Deploy(ctx context.Context, plan *Plan) (*Result, error) {
	return d.carryOut(ctx, verbDeploy, plan)
}

// Preview tells what Deploy would do with a plan, and changes nothing.
func (d *Deployer) Preview(ctx context.Context, plan *Plan) (*Result, error) {
	plan.DryRun = true
	return d.carryOut(ctx, verbPlan, plan)
}

const (
	verbDeploy = "deploy"
	verbPlan   = "plan"
)

func (d *Deployer) carryOut(ctx context.Context, verb string, plan *Plan) (*Result, error) {
	run := d.begin(verb, plan)
	if verb == verbPlan && plan.outlook != nil {
		plan.outlook.tell(d.Sink)
	}

	// 1. Build an image for each server: one nix build for all of them.
	built := d.build(ctx, run, plan)

	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if len(server.Pending()) == 0 {
					return nil
				}
				if err := errors.Join(built.failed(server.Server.Name), plan.outlook.failed(server.Server.Name)); err != nil {
					return err
				}
				return d.release(ctx, s)
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

// release brings one server to its new image.
func (d *Deployer) release(ctx context.Context, s *serverRun) error {
	// Beside all that follows: keep what the new system is made of, for later plans.
	var wait sync.WaitGroup
	defer wait.Wait()
	wait.Go(func() { d.leaveSnapshot(ctx, s) })

	// 2. Upload the image; DigitalOcean makes a custom image of it.
	image, err := d.upload(ctx, s)
	if err != nil {
		return err
	}
	if s.dryRun() {
		s.image = image
		if s.image.Name == "" { // it is to be made
			s.image.Name = ocean.ImageName(s.name(), s.plan.Want.Hash)
		}
		s.wouldRebuild()
		return nil
	}
	// 3. Rebuild the droplets with it, give them their secrets, see that the new
	// system started: a batch at a time, each droplet recorded as it goes.
	if err := d.rebuild(ctx, s, image); err != nil {
		return err
	}
	// 4. Delete what is no longer needed: only now that all is verified. What could
	// not be deleted costs a little storage and is tried again by the next run; the
	// release is none the worse for it.
	if err := d.prune(ctx, s); err != nil {
		s.warn("not everything was pruned: %v", err)
	}
	return nil
}

// build builds the images that DigitalOcean does not have yet.
func (d *Deployer) build(ctx context.Context, run *run, plan *Plan) *buildResult {
	in := build.In{Evaluated: map[string]build.Built{}}
	for _, s := range plan.Servers {
		if s.Image == nil && len(s.Pending()) > 0 {
			in.Servers = append(in.Servers, buildServer(s.Server))
			in.Evaluated[s.Server.Name] = s.Want
		}
	}
	if len(in.Servers) == 0 {
		return &buildResult{}
	}
	out, err := steps.Do(ctx, run.steps, event.Subject{}, build.Step{Nix: d.Nix}, in)
	return &buildResult{asked: in, out: out, err: err}
}

// upload makes the custom image of a server, or finds it.
func (d *Deployer) upload(ctx context.Context, s *serverRun) (ocean.Image, error) {
	if s.plan.Image != nil && inAll(*s.plan.Image, regionsOf(s.plan.Droplets)) {
		return *s.plan.Image, nil
	}
	in := upload.In{
		Server:        s.name(),
		Fleet:         s.run.plan.world.fleet,
		Revision:      s.plan.Revision,
		RunURL:        d.RunURL,
		Image:         s.plan.Want.ImagePath,
		Hash:          s.plan.Want.Hash,
		Regions:       regionsOf(s.plan.Droplets),
		Delivery:      d.Fleet.Space.Delivery,
		KeepObject:    d.Fleet.Space.KeepObjects,
		ImportTimeout: d.Fleet.Space.ImportTimeout.Std(),
		Existing:      s.run.plan.world.images,
		MinDisk:       smallestDisk(s.plan.Droplets),
	}
	out, err := steps.Do(ctx, s.run.steps, s.subject(), upload.Step{Space: d.Space, Ocean: d.Ocean}, in)
	if err != nil {
		return ocean.Image{}, err //nolint:wrapcheck // Do has said which step on what
	}
	s.uploaded = &out
	return out.CustomImage, nil
}

// prune deletes the server's custom images and objects that nothing needs.
func (d *Deployer) prune(ctx context.Context, s *serverRun) error {
	images, err := d.Ocean.CustomImages(ctx)
	if err != nil {
		return wrap(err, "list custom images to prune those of %s", s.name())
	}
	droplets, err := d.Ocean.Droplets(ctx)
	if err != nil {
		return wrap(err, "list droplets before pruning the images of %s", s.name())
	}
	in := prune.In{
		Server: s.name(), Fleet: s.run.plan.world.fleet, Keep: s.plan.Server.Keep, KeepObjects: d.Fleet.Space.KeepObjects,
		Images: images, Droplets: droplets, Record: s.recorded(),
	}
	out, err := steps.Do(ctx, s.run.steps, s.subject(), prune.Step{Space: d.Space, Ocean: d.Ocean}, in)
	s.pruned = out
	return err //nolint:wrapcheck // Do has said which step on what
}
