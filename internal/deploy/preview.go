package deploy

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
)

// A preview is a server of a pull request's own: it has the real server's image,
// checks and way to be reached, and a name of its own, so that its custom images are
// never counted among the real server's, nor its record taken for the real one's.
// What it leaves in the Space lies in an annex. What is brought to its droplet, and
// how that is proved, is what a deploy does.

// PreviewRequest says which pull request's servers are to have droplets.
type PreviewRequest struct {
	// Pull is the pull request's number.
	Pull int
	// Servers are names; none means all that the fleet file gives previews to.
	Servers []string
	// Revision is the git revision to take instead of what is checked out, in full.
	Revision string
}

// previewOcean is what previews need of DigitalOcean beside what deploys do.
type previewOcean interface {
	CreateDroplet(ctx context.Context, r ocean.CreateRequest) (droplet ocean.Droplet, made bool, err error)
	WaitForDroplet(ctx context.Context, id int, timeout time.Duration, phase func(string)) (ocean.Droplet, error)
	DeleteDroplet(ctx context.Context, id int, tags ...string) error
	Sizes(ctx context.Context) ([]ocean.Size, error)
	SSHKeys(ctx context.Context) ([]string, error)
}

const (
	verbPreview      = "preview"
	verbPreviewUp    = verbPreview + " up"
	verbPreviewDown  = verbPreview + " down"
	verbPreviewSweep = verbPreview + " sweep"

	// previewPrefix begins the names of previews' servers and droplets.
	previewPrefix = "preview-pr-"
	// previewTag begins the tag of a pull request's droplets.
	previewTag = ocean.Tag + ":preview:pr-"
	// previewAnnex is where previews' objects and records are in the Space.
	previewAnnex = "previews/pr-"
	// enteredKey is where the names of its servers are, in its annex.
	enteredKey = "servers/"
)

// PreviewUp brings a pull request's servers to droplets of their own: new ones at
// first, later the same ones, rebuilt. It never makes more droplets than the fleet
// allows. A run that was cut off is continued by running it again. The error is as
// Deploy's, or a UsageError where the fleet has no previews.
func (d *Deployer) PreviewUp(ctx context.Context, req PreviewRequest) (*Result, error) {
	p, err := d.previewing(req)
	if err != nil {
		return nil, UsageError{err}
	}
	plan, err := steps.Do(ctx, p.steps(false), event.Subject{}, planningPreview{p}, req)
	if err != nil {
		return nil, err //nolint:wrapcheck // Do has said which step
	}
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	run := p.begin(verbPreviewUp, plan.Plan)
	built := p.build(ctx, run, plan.Plan)
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if len(server.Pending()) == 0 {
					return nil
				}
				if err := built.failed(server.Server.Name); err != nil {
					return err
				}
				return p.bringUp(ctx, s, plan)
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

// enter writes down for which servers there is a preview, before anything is made for
// it: whoever deletes it knows by that what is the fleet's own. When it was written
// last is when the preview's time began.
func (p *previewer) enter(ctx context.Context) error {
	for _, s := range p.servers {
		if err := p.Space.Put(ctx, enteredKey+s.Name, []byte(p.RunURL+"\n"), "text/plain"); err != nil {
			return fmt.Errorf("write down that there is a preview %s: %w", s.Name, err)
		}
	}
	return nil
}

// bringUp brings one server to its droplet.
func (p *previewer) bringUp(ctx context.Context, s *serverRun, plan *previewPlan) error {
	image, err := p.upload(ctx, s)
	if err != nil {
		return err
	}
	s.image = image
	if s.plan.Droplets[0].ID < 0 {
		made, err := steps.Do(ctx, s.run.steps, s.on(s.plan.Droplets[0]), creating{p}, createIn{
			CreateRequest: ocean.CreateRequest{
				Name: s.name(), Region: p.limits.Region, Size: p.limits.Size, ImageID: image.ID, SSHKeys: plan.keys, Tags: p.tags,
			},
			size: plan.size,
		})
		if err != nil {
			return err //nolint:wrapcheck // Do has said which step on what
		}
		s.plan.Droplets = []ocean.Droplet{made.Droplet}
		s.plan.Todo = []Todo{todo(s.plan.Record, made.Droplet, &image)}
	}
	if err := p.rebuild(ctx, s, image); err != nil {
		return err
	}
	if err := p.prune(ctx, s); err != nil {
		s.warn("not everything was pruned: %v", err)
	}
	return nil
}

// previewer is a Deployer of a pull request's servers.
type previewer struct {
	*Deployer
	limits fleet.Preview
	tags   []string
	// servers are those that get a droplet, in the order of their names.
	servers []fleet.Server
	// beside are the checks that ask nothing of the droplet, and are left out.
	beside []string
}

var errNoPreviews = errors.New("the fleet file has no `preview:`, so pull requests have no droplets of their own: add `preview: {}` to it, or more (docs/fleet-file.md)")

// previewing makes the Deployer of a pull request's servers.
func (d *Deployer) previewing(req PreviewRequest) (*previewer, error) {
	f := d.Fleet
	if req.Revision != "" {
		var err error
		if f, err = f.AtRevision(req.Revision); err != nil {
			return nil, fmt.Errorf("take another revision: %w", err)
		}
	}
	servers, beside, err := previewServers(f, req)
	if err != nil {
		return nil, err
	}
	own := *f
	own.Servers = map[string]fleet.Server{}
	for _, s := range servers {
		own.Servers[s.Name] = s
	}
	config := d.Config
	config.Fleet = &own
	config.Space = previewSpace(d.Space, req.Pull)
	config.Ancestry = nil
	return &previewer{
		Deployer: New(config), limits: *f.Preview, tags: previewTags(f.Space, req.Pull), servers: servers, beside: beside,
	}, nil
}

func previewSpace(whole Space, pull int) annex {
	return annex{whole, previewAnnex + strconv.Itoa(pull) + "/"}
}
