package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// PreviewServers are the servers that a pull request has of the fleet's, sorted by
// name: under these names they are told. The error says what is wrong with the request.
func PreviewServers(f *fleet.Fleet, req PreviewRequest) ([]fleet.Server, error) {
	servers, _, err := previewServers(f, req)
	return servers, err
}

// previewServers are those servers, and the URLs of the checks that they do without.
func previewServers(f *fleet.Fleet, req PreviewRequest) (servers []fleet.Server, beside []string, err error) {
	if f.Preview == nil {
		return nil, nil, errNoPreviews
	}
	if req.Pull <= 0 {
		return nil, nil, fmt.Errorf("%d is not the number of a pull request", req.Pull)
	}
	for name := range f.Servers {
		if strings.HasPrefix(name, previewPrefix) {
			return nil, nil, fmt.Errorf("server %s has a name that belongs to a preview: give it one that does not begin with %s", name, previewPrefix)
		}
	}
	names := req.Servers
	if allowed := f.Preview.Servers; len(allowed) > 0 {
		for _, name := range names {
			if !slices.Contains(allowed, name) {
				return nil, nil, fmt.Errorf("server %s gets no previews: the fleet file names under preview.servers %s", name, list(allowed))
			}
		}
		if len(names) == 0 {
			names = allowed
		}
	}
	chosen, err := f.Select(names, "")
	if err != nil {
		return nil, nil, fmt.Errorf("choose servers: %w", err)
	}
	for _, s := range chosen {
		one, left := previewServer(s, *f.Preview, req.Pull)
		servers, beside = append(servers, one), append(beside, left...)
	}
	return servers, beside, nil
}

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

// PreviewPull is the number of the pull request whose preview a server of a Result is;
// 0 if it is none.
func PreviewPull(server string) int {
	digits, _, _ := strings.Cut(strings.TrimPrefix(server, previewPrefix), "-")
	pull, err := strconv.Atoi(digits)
	if err != nil || !strings.HasPrefix(server, previewPrefix) {
		return 0
	}
	return pull
}

func previewSpace(whole Space, pull int) annex {
	return annex{whole, previewAnnex + strconv.Itoa(pull) + "/"}
}

// previewServer is the server that a pull request has of a real one, and the URLs of
// checks that are left out.
func previewServer(s fleet.Server, limits fleet.Preview, pull int) (fleet.Server, []string) {
	s.Name = previewName(pull, s.Name)
	s.Droplets = fleet.Droplets{Names: []string{s.Name}}
	s.Keep, s.Cycle, s.URL = 1, "", ""
	// Its droplet is new: no key that was pinned for the real one can be its own.
	s.SSH.HostKeyPolicy, s.SSH.HostKeys, s.SSH.CertificateAuthorities = fleet.Rotate, nil, nil
	if !limits.Files {
		s.Files = nil
	}
	s.Rollout.Batch, s.Rollout.OnFailure, s.Rollout.MaxFailures = fleet.Batch{Count: 1}, fleet.Stop, 0
	var asked []fleet.HTTPCheck
	var beside []string
	for _, check := range s.Verify.HTTP {
		if strings.Contains(check.URL, "{{") {
			asked = append(asked, check)
		} else {
			beside = append(beside, check.URL)
		}
	}
	s.Verify.HTTP = asked
	return s, beside
}

// previewName is the name of the server and of the droplet; an underscore is none of
// a host's name.
func previewName(pull int, server string) string {
	return previewPrefix + strconv.Itoa(pull) + "-" + strings.ReplaceAll(server, "_", "-")
}

// previewTags are the tags that a droplet must have to be taken for the preview of a
// pull request: pull requests of two repositories have the same numbers, so the
// fleet's Space tells whose it is.
func previewTags(s fleet.Space, pull int) []string {
	return []string{previewTag + strconv.Itoa(pull), fleetTag(s)}
}

// fleetTag marks what belongs to the fleet that keeps its records in a Space.
func fleetTag(s fleet.Space) string {
	name := s.Bucket
	if prefix := strings.Trim(s.Prefix, "/"); prefix != "" {
		name += ":" + prefix
	}
	return ocean.Tag + ":fleet:" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == ':', r == '_', r == '-':
			return r
		default:
			return '-' // a tag has no other characters
		}
	}, name)
}

// pullOf is the pull request whose preview a droplet is, 0 if it is none of the
// fleet's.
func pullOf(s fleet.Space, d ocean.Droplet) int {
	if !d.Carries(fleetTag(s)) {
		return 0
	}
	for _, tag := range d.Tags {
		if digits, ok := strings.CutPrefix(tag, previewTag); ok {
			if pull, err := strconv.Atoi(digits); err == nil && pull > 0 {
				return pull
			}
		}
	}
	return 0
}

// ours are the fleet's preview droplets, of all pull requests, the oldest first.
func ours(s fleet.Space, droplets []ocean.Droplet) []ocean.Droplet {
	mine := slices.DeleteFunc(slices.Clone(droplets), func(d ocean.Droplet) bool { return pullOf(s, d) == 0 })
	slices.SortFunc(mine, func(a, b ocean.Droplet) int { return a.ID - b.ID })
	return mine
}
