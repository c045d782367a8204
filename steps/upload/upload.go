// Package upload is the step that turns an image in the Nix store into a custom
// image: an object in the Space, fetched by DigitalOcean, gone again.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/image"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
)

// Ocean is what the step needs of DigitalOcean; *ocean.Client is one.
type Ocean interface {
	CustomImages(ctx context.Context) ([]ocean.Image, error)
	Import(ctx context.Context, r ocean.ImportRequest) (ocean.Image, error)
	WaitForImage(ctx context.Context, id int, timeout time.Duration, phase func(string)) (ocean.Image, error)
	Transfer(ctx context.Context, imageID int, regions []string, timeout time.Duration, phase func(string)) (ocean.Image, error)
}

// Space is what the step needs of the Space; *space.Client is one.
type Space interface {
	Stat(ctx context.Context, key string) (space.Object, error)
	Upload(ctx context.Context, key string, r io.Reader, o space.UploadOptions) (space.Object, error)
	Put(ctx context.Context, key string, data []byte, contentType string) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, keys ...string) error
	Presign(ctx context.Context, key string, ttl time.Duration) (string, error)
	SetPublic(ctx context.Context, key string, public bool) error
	PublicURL(key string) string
}

var (
	_ Ocean = (*ocean.Client)(nil)
	_ Space = (*space.Client)(nil)
)

// Step makes the custom image of a server.
type Step struct {
	Space Space
	Ocean Ocean
	// HTTP asks the object's URL what it answers, before DigitalOcean does; nil
	// means http.DefaultClient.
	HTTP *http.Client
}

var (
	_ steps.Step[In, Out]      = Step{}
	_ steps.DryRunner[In, Out] = Step{}
)

// In says which image becomes the custom image of which server.
type In struct {
	Server, Revision, RunURL string
	// Image is the image's store path, Hash the one in it.
	Image, Hash string
	// Regions are those that the custom image must be in; at least one.
	Regions  []string
	Delivery fleet.Delivery
	// KeepObject leaves the object in the Space.
	KeepObject bool
	// ImportTimeout bounds the import, and the transfers after it; 0: one hour.
	ImportTimeout time.Duration
	// Existing are the account's custom images as far as they are known.
	Existing []ocean.Image
	// MinDisk is the smallest disk of the server's droplets, in GB; 0: not known.
	MinDisk int
}

func (in In) timeout() time.Duration {
	if in.ImportTimeout <= 0 {
		return time.Hour
	}
	return in.ImportTimeout
}

// Out is the custom image, available in all regions asked for.
type Out struct {
	CustomImage ocean.Image
	// Reused says that it was there already; then the rest is zero.
	Reused bool
	// SHA256 (hex) and Size (bytes) are the object's; VirtualSize the disk's.
	SHA256            string
	Size, VirtualSize int64
}

// String says which custom image came out.
func (o Out) String() string { return fmt.Sprintf("%s (%d)", o.CustomImage.Name, o.CustomImage.ID) }

// Name is "upload".
func (Step) Name() string { return "upload" }

// Run makes the custom image, or finds it: one that is available is taken, one
// that is being imported is waited for, an object that is whole is imported, and
// only else the image is uploaded. The object is gone when Run ends, whichever
// way, unless it is to be kept. A custom image whose import has begun stays: the
// next run finds it.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	if len(in.Regions) == 0 {
		return Out{}, fmt.Errorf("server %s: no region to import the image into: it has no droplets", in.Server)
	}
	found, err := s.find(ctx, tell, in, in.Existing)
	if err != nil {
		return Out{}, err
	}
	if found != nil {
		out, err := s.spread(ctx, tell, in, Out{CustomImage: *found, Reused: true})
		if err != nil {
			return Out{}, err
		}
		return out, steps.Skip("%s is there already", out)
	}
	out, err := s.make(ctx, tell, in)
	if err != nil {
		return Out{}, err
	}
	return s.spread(ctx, tell, in, out)
}

// DryRun says whether the image would be uploaded.
func (s Step) DryRun(_ context.Context, in In) (Out, string, error) {
	if i := slices.IndexFunc(in.Existing, in.is); i >= 0 && in.Existing[i].Available() {
		return Out{CustomImage: in.Existing[i], Reused: true}, "nothing to upload: custom image " + in.Existing[i].Name + " is there already", nil
	}
	name := ocean.ImageName(in.Server, in.Hash)
	return Out{CustomImage: ocean.Image{Name: name}}, fmt.Sprintf("would upload %s and import it as %s into %v", in.Image, name, in.Regions), nil
}

// is says whether a custom image is the one that is asked for, now or soon.
func (in In) is(i ocean.Image) bool {
	return i.Name == ocean.ImageName(in.Server, in.Hash) && i.Ours(in.Server) && (i.Available() || i.Importing())
}

// find finds the custom image; one that is still being imported is waited for.
// An import that then fails is not an error: it is done again.
func (s Step) find(ctx context.Context, tell event.Teller, in In, images []ocean.Image) (*ocean.Image, error) {
	at := slices.IndexFunc(images, in.is)
	if at < 0 {
		return nil, nil //nolint:nilnil // there is none
	}
	if images[at].Available() {
		return &images[at], nil
	}
	tell.Phase("waiting for the import of %s that another run began", images[at].Name)
	ready, err := s.Ocean.WaitForImage(ctx, images[at].ID, in.timeout(), phase(tell))
	var failed *ocean.ImageError
	switch {
	case errors.As(err, &failed):
		tell.Warn("the import that another run began failed and is done again: %v", err)
		return nil, nil //nolint:nilnil // there is none any more
	case err != nil:
		return nil, fmt.Errorf("wait for the import of %s that another run began: %w", images[at].Name, err)
	}
	return &ready, nil
}

// make uploads the image and imports it.
func (s Step) make(ctx context.Context, tell event.Teller, in In) (out Out, err error) {
	object, err := s.object(ctx, tell, in)
	if object.key != "" && !in.KeepObject {
		defer func() { err = errors.Join(err, s.remove(ctx, object)) }()
	}
	if err != nil {
		return Out{}, err
	}
	out = Out{SHA256: object.SHA256, Size: object.Size, VirtualSize: object.VirtualSize}
	out.CustomImage, err = s.fetch(ctx, tell, in, object)
	return out, err
}

// spread brings the custom image to the regions that it is not in.
func (s Step) spread(ctx context.Context, tell event.Teller, in In, out Out) (Out, error) {
	var missing []string
	for _, r := range in.Regions {
		if !out.CustomImage.In(r) {
			missing = append(missing, r)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	tell.Phase("transferring %s to %v", out.CustomImage.Name, missing)
	spread, err := s.Ocean.Transfer(ctx, out.CustomImage.ID, missing, in.timeout(), phase(tell))
	if err != nil {
		return Out{}, fmt.Errorf("transfer %s to %v (it stays, available in %v): %w", out, missing, out.CustomImage.Regions, err)
	}
	out.CustomImage = spread
	return out, nil
}

func phase(tell event.Teller) func(string) {
	return func(text string) { tell.Phase("%s", text) }
}

// inspect finds the image file and refuses one that cannot be imported.
func inspect(ctx context.Context, tell event.Teller, in In) (image.Info, error) {
	path, err := image.Find(in.Image)
	if err != nil {
		return image.Info{}, fmt.Errorf("find the image of %s: %w", in.Server, err)
	}
	tell.Phase("looking at %s", path)
	info, err := image.Inspect(ctx, path)
	if err != nil {
		return image.Info{}, fmt.Errorf("the image of %s cannot be imported, nothing was uploaded: %w", in.Server, err)
	}
	if in.MinDisk > 0 {
		if err := info.FitsDisk(in.MinDisk); err != nil {
			return image.Info{}, fmt.Errorf("the image of %s, nothing was uploaded: %w", in.Server, err)
		}
	}
	for _, w := range info.Warnings {
		tell.Warn("%s", w)
	}
	return info, nil
}
