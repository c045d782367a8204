package deploy

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// world is what the outside said when the plan was made: one list each.
type world struct {
	// fleet is the fleet's tag.
	fleet    string
	droplets []ocean.Droplet
	images   []ocean.Image
	records  map[string]*release.Record
}

// look asks the outside what there is: one list of droplets, one of images, and
// a record for each server, side by side.
func (d *Deployer) look(ctx context.Context, servers []fleet.Server) (world, error) {
	w := world{fleet: fleetTag(d.Fleet.Space), records: map[string]*release.Record{}}
	records := make([]*release.Record, len(servers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	if slices.ContainsFunc(servers, onDroplets) { // hosts are in no account
		group.Go(func() (err error) {
			w.droplets, err = d.Ocean.Droplets(ctx)
			return wrap(err, "list droplets")
		})
		group.Go(func() (err error) {
			w.images, err = d.Ocean.CustomImages(ctx)
			return wrap(err, "list custom images")
		})
	}
	for i, s := range servers {
		group.Go(func() (err error) {
			records[i], err = d.records.Current(ctx, s.Name)
			return wrap(err, "server %s", s.Name)
		})
	}
	err := group.Wait()
	for i, s := range servers {
		w.records[s.Name] = records[i]
	}
	return w, err //nolint:wrapcheck // each part has said what it was doing
}

// gather asks for what every plan starts from, side by side with an evaluation: the
// flake's revision, and what there is.
func (d *Deployer) gather(ctx context.Context, tell event.Teller, flake string, servers []fleet.Server, evaluate func(context.Context) error) (nix.Metadata, world, error) {
	var (
		meta nix.Metadata
		now  world
	)
	tell.Phase("evaluating %s, asking DigitalOcean and the Space", plural(len(servers), "server"))
	group, gctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		meta, err = d.Nix.Metadata(gctx, flake)
		return wrap(err, "read the flake's revision")
	})
	group.Go(func() error { return wrap(evaluate(gctx), "evaluate") })
	group.Go(func() (err error) {
		now, err = d.lookSettled(gctx, tell, servers)
		return err
	})
	err := group.Wait()
	return meta, now, err //nolint:wrapcheck // each part has said what it was doing
}

// ofFlake sets the revision of a plan; a tree that is not committed has none.
func (p *Plan) ofFlake(tell event.Teller, meta nix.Metadata) {
	p.Revision, p.RevisionTime = meta.Revision, meta.LastModified
	if meta.Dirty {
		tell.Warn("the flake is not a clean git checkout: the records will name no revision")
		p.Revision = ""
	}
}

// fleetTag marks what belongs to the fleet that keeps its records in a Space. What a
// tag cannot hold is replaced; then a hash of the whole tells it from its like.
func fleetTag(s fleet.Space) string {
	name := cmp.Or(s.Region, s.Endpoint) + ":" + s.Bucket
	if prefix := strings.Trim(s.Prefix, "/"); prefix != "" {
		name += ":" + prefix
	}
	tag := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == ':', r == '_', r == '-':
			return r
		default:
			return '-' // a tag has no other characters
		}
	}, name)
	if tag != name {
		sum := sha256.Sum256([]byte(name))
		tag = tag[:min(len(tag), mostOfTag)] + "-" + hex.EncodeToString(sum[:4])
	}
	return ocean.Tag + ":fleet:" + tag
}

// mostOfTag leaves room for the rest: a tag has 255 characters at most.
const mostOfTag = 200
