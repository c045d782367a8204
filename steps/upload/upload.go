// Package upload is the step that makes a custom image of a disk image: it brings
// the image's bytes into the Space, has DigitalOcean fetch them from there, and
// removes them again.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
)

// Space is what the step needs of the bucket; *space.Client is one.
type Space interface {
	Stat(ctx context.Context, key string) (space.Object, error)
	List(ctx context.Context, prefix string) ([]space.Object, error)
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, contentType string) error
	Upload(ctx context.Context, key string, r io.Reader, o space.UploadOptions) (space.Object, error)
	Delete(ctx context.Context, keys ...string) error
	Presign(ctx context.Context, key string, ttl time.Duration) (string, error)
	SetPublic(ctx context.Context, key string, public bool) error
	PublicURL(key string) string
	Probe(ctx context.Context, url string) (space.ProbeResult, error)
}

// Ocean is what the step needs of DigitalOcean; *ocean.Client is one.
type Ocean interface {
	CustomImages(ctx context.Context) ([]ocean.Image, error)
	Import(ctx context.Context, r ocean.ImportRequest) (ocean.Image, error)
	WaitForImage(ctx context.Context, id int, timeout time.Duration, phase func(string)) (ocean.Image, error)
	Transfer(ctx context.Context, imageID int, regions []string, timeout time.Duration, phase func(string)) (ocean.Image, error)
}

// Step makes a server's custom image, or finds the one that is there.
type Step struct {
	Space Space
	Ocean Ocean
}

var (
	_ steps.Step[In, Out]      = Step{}
	_ steps.DryRunner[In, Out] = Step{}
	_ Space                    = (*space.Client)(nil)
)

// In says which image of which server, and where it is needed.
type In struct {
	Server   string
	Fleet    string // the fleet's tag
	Revision string // git's; may be empty
	RunURL   string // may be empty
	Image    string // store path of the image, or of a directory that holds it
	Hash     string // the one in that path: the image's identity
	// Regions are those of the server's droplets. The image is imported into the
	// first and transferred to the others.
	Regions       []string
	Delivery      fleet.Delivery // "" is presigned
	KeepObject    bool
	ImportTimeout time.Duration // 0: an hour
	// Existing are the account's custom images as last seen.
	Existing []ocean.Image
	// MinDisk is the smallest disk of the server's droplets in GB; 0: not known.
	MinDisk int
}

// Out is the custom image. SHA256, Size and VirtualSize are those of the object
// that it was made from; zero where the image was there before.
type Out struct {
	CustomImage ocean.Image
	Reused      bool
	SHA256      string
	Size        int64
	VirtualSize int64
}

// String says what came out, for the step's result.
func (o Out) String() string {
	s := fmt.Sprintf("custom image %d", o.CustomImage.ID)
	if o.Size > 0 {
		s += fmt.Sprintf(" from %s", amount(o.Size))
	}
	return s
}

// Name is "upload".
func (Step) Name() string { return "upload" }

// Run makes the custom image available in all regions. What exists is used, in
// this order: a custom image of the server with the hash (waited for while it is
// being imported), the object in the Space, and only then the image file. It skips
// if nothing was left to do. Whichever way it ends, the object is removed, unless
// KeepObject; what could not be removed is told. The error never holds the
// object's URL.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	in, err := in.normalize()
	if err != nil {
		return Out{}, err
	}
	w := &work{Step: s, tell: tell, in: in}
	found, err := w.existing(ctx, in.Existing)
	if err != nil {
		return Out{}, err
	}
	if found != nil {
		w.tidyLeftovers(ctx)
		return w.reuse(ctx, *found)
	}
	out, err := w.fresh(ctx)
	if err != nil {
		return out, err
	}
	out.CustomImage, err = w.everywhere(ctx, out.CustomImage)
	return out, err
}

// DryRun says which of the ways Run would take.
func (s Step) DryRun(ctx context.Context, in In) (Out, string, error) {
	in, err := in.normalize()
	if err != nil {
		return Out{}, "", err
	}
	w := &work{Step: s, in: in}
	if found := w.pick(in.Existing); found != nil {
		out := Out{CustomImage: *found, Reused: true}
		switch missing := missingRegions(*found, in.Regions); {
		case found.Importing():
			return out, fmt.Sprintf("would wait for custom image %d, which is being imported", found.ID), nil
		case len(missing) > 0:
			return out, fmt.Sprintf("would transfer custom image %d to %v", found.ID, missing), nil
		default:
			return out, fmt.Sprintf("nothing to upload: custom image %d is there", found.ID), nil
		}
	}
	object, err := w.wholeObject(ctx)
	if err != nil {
		return Out{}, "", err
	}
	if object != nil {
		return object.out(), fmt.Sprintf("would import %s, which is in the Space already", object.Name), nil
	}
	return Out{}, fmt.Sprintf("would upload %s and import it in %s", in.Image, in.Regions[0]), nil
}

// normalize tells everything that is missing, and fills in defaults.
func (in In) normalize() (In, error) {
	var faults []error
	if !ocean.IsHash(in.Hash) {
		faults = append(faults, fmt.Errorf("image %q of server %s: %q is not the hash of a path in the Nix store", in.Image, in.Server, in.Hash))
	}
	in.Regions = slices.Compact(slices.Sorted(slices.Values(in.Regions)))
	in.Regions = slices.DeleteFunc(in.Regions, func(r string) bool { return r == "" })
	if len(in.Regions) == 0 {
		faults = append(faults, fmt.Errorf("server %s has no droplets, so no region to import its image into: "+
			"create a droplet, or correct droplets in snowdrop.yaml", in.Server))
	}
	switch in.Delivery {
	case "":
		in.Delivery = fleet.Presigned
	case fleet.Presigned, fleet.PublicRead:
	default:
		faults = append(faults, fmt.Errorf("space.delivery is %q; it can be %s or %s", in.Delivery, fleet.Presigned, fleet.PublicRead))
	}
	if in.ImportTimeout <= 0 {
		in.ImportTimeout = time.Hour
	}
	return in, errors.Join(faults...)
}

// amount is a number of bytes as people say it, in decimal units.
func amount(n int64) string {
	const kB, MB, GB = 1e3, 1e6, 1e9
	switch f := float64(n); {
	case f >= GB:
		return fmt.Sprintf("%.1f GB", f/GB)
	case f >= MB:
		return fmt.Sprintf("%.0f MB", f/MB)
	default:
		return fmt.Sprintf("%.0f kB", f/kB)
	}
}
