package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/prune"
)

// Preview is all that there is of a pull request's preview.
type Preview struct {
	// Pull is the pull request's number.
	Pull     int             `json:"pull"`
	Droplets []ocean.Droplet `json:"droplets"`
	// Images are its custom images.
	Images []ocean.Image `json:"images,omitempty"`
	// UpdatedAt is when anything of it was last made or written; Until is when its time
	// is over.
	UpdatedAt time.Time `json:"updatedAt"`
	Until     time.Time `json:"until"`
	// keys are what it has in the Space, seen from its annex.
	keys []string
}

// Previews are the fleet's previews, by the numbers of their pull requests; also
// those of which a run that was cut off has left only images or objects.
func (d *Deployer) Previews(ctx context.Context) ([]Preview, error) {
	if d.Fleet.Preview == nil {
		return nil, UsageError{errNoPreviews}
	}
	found, _, err := d.previews(ctx)
	return found, err
}

func (d *Deployer) previews(ctx context.Context) ([]Preview, world, error) {
	now := world{fleet: fleetTag(d.Fleet.Space)}
	var objects []space.Object
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		now.droplets, err = d.Ocean.Droplets(gctx)
		return wrap(err, "list droplets")
	})
	group.Go(func() (err error) {
		now.images, err = d.Ocean.CustomImages(gctx)
		return wrap(err, "list custom images")
	})
	group.Go(func() (err error) {
		objects, err = d.Space.List(gctx, previewAnnex)
		return wrap(err, "list what previews have in the Space")
	})
	if err := group.Wait(); err != nil {
		return nil, now, err //nolint:wrapcheck // each part has said what it was doing
	}
	all := map[int]*Preview{}
	of := func(pull int, touched time.Time) *Preview {
		if all[pull] == nil {
			all[pull] = &Preview{Pull: pull}
		}
		if touched.After(all[pull].UpdatedAt) {
			all[pull].UpdatedAt = touched
		}
		return all[pull]
	}
	for _, droplet := range ours(d.Fleet.Space, now.droplets) {
		p := of(pullOf(d.Fleet.Space, droplet), droplet.CreatedAt)
		p.Droplets = append(p.Droplets, droplet)
	}
	entered := map[string]int{}
	for _, object := range objects {
		if pull, key, ok := pullOfKey(object.Key); ok {
			p := of(pull, object.Modified)
			p.keys = append(p.keys, key)
			if server, ok := strings.CutPrefix(key, enteredKey); ok {
				entered[server] = pull
			}
		}
	}
	for _, image := range now.images {
		if pull := entered[serverOfImage(now.fleet, image)]; pull > 0 {
			p := of(pull, image.CreatedAt)
			p.Images = append(p.Images, image)
		}
	}
	var found []Preview
	for _, pull := range slices.Sorted(maps.Keys(all)) {
		p := *all[pull]
		p.Until = p.UpdatedAt.Add(d.Fleet.Preview.TTL.Std())
		found = append(found, p)
	}
	return found, now, nil
}

// serverOfImage is the server whose custom image an image is; empty if it is none
// of the fleet's.
func serverOfImage(fleetTag string, i ocean.Image) string {
	hash, ok := ocean.HashOf(i.Name)
	server := strings.TrimSuffix(strings.TrimPrefix(i.Name, ocean.Tag+"-"), "-"+hash)
	if !ok || !i.MadeFor(fleetTag, server) {
		return ""
	}
	return server
}

// pullOfKey takes the pull request off a key in the Space.
func pullOfKey(key string) (pull int, rest string, ok bool) {
	below, ok := strings.CutPrefix(key, previewAnnex)
	digits, rest, whole := strings.Cut(below, "/")
	pull, err := strconv.Atoi(digits)
	return pull, rest, ok && whole && err == nil && pull > 0
}

// PreviewDown deletes what there is of a pull request's preview: its droplets, then
// its custom images, records and objects. Nothing that lacks the preview's tags is
// touched, nor an image that another droplet runs from. It is fine if there is
// nothing. A run that was cut off is continued by running it again.
func (d *Deployer) PreviewDown(ctx context.Context, pull int) (*Result, error) {
	if d.Fleet.Preview == nil {
		return nil, UsageError{errNoPreviews}
	}
	if pull <= 0 {
		return nil, UsageError{fmt.Errorf("%d is not the number of a pull request", pull)}
	}
	return d.takeDown(ctx, verbPreviewDown, func(p Preview) (string, error) {
		if p.Pull != pull {
			return "", nil
		}
		return fmt.Sprintf("the preview of pull request %d is no longer wanted", pull), nil
	})
}

// PreviewSweep deletes the previews whose time is over, and those of pull requests
// that are closed. open says whether one is open; it may be nil where nobody can be
// asked. A preview of which that could not be found out stays until its time is over.
func (d *Deployer) PreviewSweep(ctx context.Context, open func(ctx context.Context, pull int) (bool, error)) (*Result, error) {
	if d.Fleet.Preview == nil {
		return nil, UsageError{errNoPreviews}
	}
	return d.takeDown(ctx, verbPreviewSweep, func(p Preview) (string, error) {
		if !d.Clock.Now().Before(p.Until) {
			return fmt.Sprintf("its time was over at %s", stamp(p.Until)), nil
		}
		if open == nil {
			return "", nil
		}
		is, err := open(ctx, p.Pull)
		if err != nil || is {
			return "", err
		}
		return fmt.Sprintf("pull request %d is closed", p.Pull), nil
	})
}

// takeDown deletes the previews for which why gives a reason.
func (d *Deployer) takeDown(ctx context.Context, verb string, why func(Preview) (string, error)) (*Result, error) {
	found, now, err := d.previews(ctx)
	if err != nil {
		return nil, err
	}
	plan := &Plan{world: now}
	reasons := map[string]string{}
	doomed := map[string]Preview{}
	for _, p := range found {
		reason, err := why(p)
		if err != nil {
			d.Sink.Emit(event.Warning{Text: fmt.Sprintf("whether pull request %d is still open is not known, so its preview stays until %s: %v", p.Pull, stamp(p.Until), err)})
		}
		if reason == "" {
			continue
		}
		name := previewPrefix + strconv.Itoa(p.Pull)
		doomed[name], reasons[name] = p, reason
		plan.Servers = append(plan.Servers, ServerPlan{Server: fleet.Server{Name: name}, Droplets: p.Droplets, Todo: make([]Todo, len(p.Droplets))})
	}
	run := d.begin(verb, plan)
	for _, server := range plan.Servers {
		run.server(ctx, server, func(s *serverRun) error {
			out, err := steps.Do(ctx, run.steps, s.subject(), removing{d}, removeIn{doomed[s.name()], reasons[s.name()], now.droplets})
			s.pruned.Deleted, s.pruned.DeletedObjects = out.images, out.objects
			for _, droplet := range out.droplets {
				s.results = append(s.results, result{droplet: droplet, outcome: event.Pruned})
			}
			return err //nolint:wrapcheck // Do has said which step on what
		})
	}
	return run.finish(ctx)
}

// removeIn is a preview, why it goes, and all droplets of the account.
type removeIn struct {
	Preview
	why      string
	droplets []ocean.Droplet
}

// removed is what was deleted.
type removed struct {
	droplets []ocean.Droplet
	images   []prune.Judged
	objects  []prune.JudgedObject
	why      string
}

// String says what was deleted, and why.
func (r removed) String() string {
	return fmt.Sprintf("%s, %s and %s deleted: %s",
		plural(len(r.droplets), "droplet"), plural(len(r.images), "image"), plural(len(r.objects), "object"), r.why)
}

// removing is the deletion of a preview as a step.
type removing struct{ *Deployer }

// Name implements steps.Step.
func (removing) Name() string { return "remove" }

// Run implements steps.Step. While a droplet is still there, so are the images and
// the records: they say what it is.
func (r removing) Run(ctx context.Context, tell event.Teller, in removeIn) (removed, error) {
	out := removed{why: in.why}
	var faults []error
	for _, droplet := range in.Droplets {
		tell.Phase("deleting droplet %s (%d): %s", droplet.Name, droplet.ID, in.why)
		if err := r.Ocean.DeleteDroplet(ctx, droplet.ID, previewTags(r.Fleet.Space, in.Pull)...); err != nil {
			faults = append(faults, fmt.Errorf("%w; it goes on costing money: run `snowdrop preview down %d`", err, in.Pull))
			continue
		}
		out.droplets = append(out.droplets, droplet)
	}
	if err := errors.Join(faults...); err != nil {
		return out, err
	}
	stays := false
	for _, image := range in.Images {
		if by := r.runner(in, out.droplets, image.ID); by != "" {
			tell.Warn("image %s (%d) stays: droplet %s runs from it, or it cannot be seen what that runs from", image.Name, image.ID, by)
			stays = true
			continue
		}
		tell.Phase("deleting image %s (%d)", image.Name, image.ID)
		if err := r.Ocean.DeleteImage(ctx, image.ID); err != nil {
			faults = append(faults, err)
			continue
		}
		out.images = append(out.images, prune.Judged{Image: image, Reason: in.why})
	}
	if err := errors.Join(faults...); err != nil || stays {
		return out, err // without its records, nobody would know whose the rest is
	}
	annex := previewSpace(r.Space, in.Pull)
	if _, err := annex.SweepUploads(ctx, "", 0); err != nil {
		return out, fmt.Errorf("abort what the preview was uploading: %w", err)
	}
	if len(in.keys) > 0 {
		tell.Phase("deleting %s in the Space", plural(len(in.keys), "object"))
		if err := annex.Delete(ctx, in.keys...); err != nil {
			return out, fmt.Errorf("delete what the preview has in the Space: %w", err)
		}
		for _, key := range in.keys {
			out.objects = append(out.objects, prune.JudgedObject{Key: annex.prefix + key, Reason: in.why})
		}
	}
	return out, nil
}

// runner names a droplet that runs from an image and is not among the deleted.
func (removing) runner(in removeIn, deleted []ocean.Droplet, image int) string {
	for _, d := range in.droplets {
		gone := slices.ContainsFunc(deleted, func(g ocean.Droplet) bool { return g.ID == d.ID })
		if !gone && (d.ImageID == image || d.ImageID == 0) {
			return d.Name
		}
	}
	return ""
}
