package deploy

import (
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/prune"
)

// dollarsPerGB is what DigitalOcean takes for a custom image each month, wherever
// else it lies too. https://docs.digitalocean.com/products/images/custom-images/details/pricing/
const dollarsPerGB = 0.06

// unborn is the id of a custom image that is still to be made.
const unborn = -1

// outlook is what a plan that is shown says beside what is done: a line a server,
// and what the custom images cost before and after.
type outlook struct {
	servers []event.ServerPlanned
	fleet   event.FleetPlanned
	// broken are the servers whose new system cannot be built, and why.
	broken map[string]error
}

// failed is why a server's plan cannot be carried out, as far as building showed.
func (o *outlook) failed(server string) error {
	if o == nil {
		return nil
	}
	return o.broken[server]
}

// foresee makes the outlook of a plan from what is known without asking anybody.
func (d *Deployer) foresee(p *Plan) *outlook {
	out := &outlook{fleet: event.FleetPlanned{Before: stored(p.world.images, nil)}}
	after := slices.Clone(p.world.images)
	var gone []int
	for _, s := range p.Servers {
		one := event.ServerPlanned{
			Subject: event.Subject{Server: s.Server.Name},
			Action:  s.action(), Batches: s.batches(), Drift: s.drifts(p.world), Downtime: s.downtime(),
		}
		next := s.afterwards(p.world, d.Clock.Now())
		if next.Image != nil {
			after = append(after, *next.Image)
		}
		for _, v := range prune.Decide(next.prune) {
			image := event.PlannedImage{Name: v.Image.Name, Reason: v.Reason}
			switch {
			case v.Image.ID == unborn: // it is what the plan is about
			case !v.Delete:
				one.Keep = append(one.Keep, image)
			case one.Action == event.DoNothing:
				image.Reason = "nothing is deployed here; `snowdrop prune " + s.Server.Name + "` deletes it"
				one.Keep = append(one.Keep, image)
			default:
				one.Prune = append(one.Prune, image)
				gone = append(gone, v.Image.ID)
			}
		}
		out.servers = append(out.servers, one)
	}
	out.fleet.After = stored(after, gone)
	return out
}

// stored sums up those of the images that are snowdrop's and are not gone.
func stored(images []ocean.Image, gone []int) event.Stored {
	var s event.Stored
	for _, i := range images {
		if slices.Contains(i.Tags, ocean.Tag) && !slices.Contains(gone, i.ID) {
			s.Images++
			s.GB += i.SizeGB
		}
	}
	s.Dollars = s.GB * dollarsPerGB
	return s
}

// action is what is done with a server, in a word or two.
func (p ServerPlan) action() event.Action {
	switch {
	case len(p.Pending()) == 0:
		return event.DoNothing
	case len(p.Wiped()) == 0:
		return event.OnlyVerify
	case p.Image == nil:
		return event.BuildAndRebuild
	default:
		return event.RebuildOnly
	}
}

// batches are the droplets that are rebuilt, in the batches of the rollout.
func (p ServerPlan) batches() [][]string {
	var batches [][]string
	size := max(1, p.Server.Rollout.Batch.Size(len(p.Droplets)))
	for batch := range slices.Chunk(p.Pending(), size) {
		var names []string
		for _, droplet := range batch {
			if slices.ContainsFunc(p.Wiped(), func(w ocean.Droplet) bool { return w.ID == droplet.ID }) {
				names = append(names, droplet.Name)
			}
		}
		if len(names) > 0 {
			batches = append(batches, names)
		}
	}
	return batches
}

// drifts are the ways in which the server differs from its record.
func (p ServerPlan) drifts(w world) []string {
	if p.Record == nil {
		return nil // a first release differs from nothing
	}
	var all []string
	if r := p.Record; r.CustomImage.ID != 0 &&
		!slices.ContainsFunc(w.images, func(i ocean.Image) bool { return i.ID == r.CustomImage.ID && i.Available() }) {
		all = append(all, "the record names "+imageWords(r.CustomImage.Name, r.CustomImage.ID)+", which is gone from the account")
	}
	for _, droplet := range p.Droplets {
		if text := drift(p.Record, droplet); text != "" {
			all = append(all, droplet.Name+": "+text)
		}
	}
	return all
}

// downtime is the longest that a droplet of the server was away when it was last
// rebuilt; 0 where none is to be rebuilt, or none ever was.
func (p ServerPlan) downtime() time.Duration {
	var longest time.Duration
	if len(p.Wiped()) == 0 || p.Record == nil {
		return 0
	}
	for _, d := range p.Record.Droplets {
		longest = max(longest, d.Downtime)
	}
	return longest
}

// afterwards is what pruning will find when the plan was carried out.
type afterwards struct {
	prune prune.In
	// Image is the custom image that the plan makes; nil if it makes none.
	Image *ocean.Image
}

func (p ServerPlan) afterwards(w world, now time.Time) afterwards {
	out := afterwards{prune: prune.In{
		Server: p.Server.Name, Fleet: w.fleet, Keep: p.Server.Keep, Images: w.images, Droplets: w.droplets, Record: p.Record,
	}}
	if len(p.Pending()) == 0 {
		return out
	}
	image := p.Image
	if image == nil {
		image = p.unbornImage(w, now)
		out.Image = image
		out.prune.Images = append(slices.Clone(w.images), *image)
	}
	out.prune.Droplets = slices.Clone(w.droplets)
	for _, wiped := range p.Wiped() {
		for i := range out.prune.Droplets {
			if out.prune.Droplets[i].ID == wiped.ID {
				out.prune.Droplets[i].ImageID, out.prune.Droplets[i].ImageName = image.ID, image.Name
			}
		}
	}
	rec := release.Begin(p.Server.Name, p.Record, release.Release{
		Revision: p.Revision, Toplevel: p.Want.Toplevel,
		CustomImage: release.CustomImage{ID: image.ID, Name: image.Name},
	}, now)
	rec.Outcome = release.Verified
	for _, droplet := range p.Pending() {
		e := entry(rec, droplet.ID, droplet.Name)
		e.ImageID, e.Rebuild = image.ID, nil
	}
	out.prune.Record = rec
	return out
}

// unbornImage is the custom image that the plan will make. What it will take is
// not known before: about what the newest one of the server does.
func (p ServerPlan) unbornImage(w world, now time.Time) *ocean.Image {
	image := ocean.Image{
		ID: unborn, Name: ocean.ImageName(p.Server.Name, p.Want.Hash), Status: ocean.StatusAvailable,
		Tags: ocean.Tags(w.fleet, p.Server.Name), CreatedAt: now,
	}
	var newest time.Time
	for _, i := range w.images {
		if i.MadeFor(w.fleet, p.Server.Name) && i.Available() && i.CreatedAt.After(newest) {
			newest, image.SizeGB = i.CreatedAt, i.SizeGB
		}
	}
	return &image
}

// tell emits the outlook of a plan.
func (o *outlook) tell(sink event.Sink) {
	o.tellServers(sink)
	sink.Emit(o.fleet)
}

func (o *outlook) tellServers(sink event.Sink) {
	for _, s := range o.servers {
		sink.Emit(s)
	}
}
