package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
)

// How long a presigned URL lives beyond the import's time-out, and what S3 allows.
const (
	slack      = 15 * time.Minute
	longestTTL = 7 * 24 * time.Hour
)

// fetch makes DigitalOcean import the object.
func (s Step) fetch(ctx context.Context, tell event.Teller, in In, o object) (custom ocean.Image, err error) {
	url, err := s.url(ctx, in, o)
	if in.Delivery == fleet.PublicRead {
		defer func() { err = errors.Join(err, s.private(ctx, o)) }()
	}
	if err != nil {
		return ocean.Image{}, err
	}
	if err := s.preflight(ctx, tell, in, url); err != nil {
		return ocean.Image{}, err
	}
	// Another run may have begun the same import while this one uploaded.
	images, err := s.Ocean.CustomImages(ctx)
	if err != nil {
		return ocean.Image{}, fmt.Errorf("list custom images before the import: %w", err)
	}
	if found, err := s.find(ctx, tell, in, images); err != nil || found != nil {
		if err != nil {
			return ocean.Image{}, err
		}
		return *found, nil
	}
	tell.Phase("asking DigitalOcean to import it into %s", in.Regions[0])
	begun, err := s.Ocean.Import(ctx, ocean.ImportRequest{
		Name: ocean.ImageName(in.Server, in.Hash), URL: url, Region: in.Regions[0],
		Description: describe(in, o), Tags: ocean.Tags(in.Server),
	})
	if err != nil {
		return ocean.Image{}, fmt.Errorf("import the image of %s: %w", in.Server, err)
	}
	ready, err := s.Ocean.WaitForImage(ctx, begun.ID, in.timeout(), phase(tell))
	if err != nil {
		return ocean.Image{}, fmt.Errorf("import the image of %s as %s (%d): %w", in.Server, begun.Name, begun.ID, err)
	}
	return ready, nil
}

// url makes the object readable for DigitalOcean, and returns where.
func (s Step) url(ctx context.Context, in In, o object) (string, error) {
	if in.Delivery == fleet.PublicRead {
		if err := s.Space.SetPublic(ctx, o.key, true); err != nil {
			return "", fmt.Errorf("make the object of %s public for the import: %w", in.Server, err)
		}
		return s.Space.PublicURL(o.key), nil
	}
	url, err := s.Space.Presign(ctx, o.key, min(in.timeout()+slack, longestTTL))
	if err != nil {
		return "", fmt.Errorf("presign the object of %s: %w", in.Server, err)
	}
	return url, nil
}

// private takes back what url made public, also in a run that was cancelled.
func (s Step) private(ctx context.Context, o object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := s.Space.SetPublic(ctx, o.key, false); err != nil && !errors.Is(err, space.ErrNotFound) {
		return fmt.Errorf("the object %s may still be public: %w", o.key, err)
	}
	return nil
}

// preflight asks the URL what DigitalOcean will ask it.
func (s Step) preflight(ctx context.Context, tell event.Teller, in In, url string) error {
	client := s.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	tell.Phase("asking the object's URL what DigitalOcean will ask it")
	result, err := space.Probe(ctx, client, url)
	if err != nil {
		return fmt.Errorf("the object of %s cannot be reached by its URL, so DigitalOcean was not asked to import it: %w", in.Server, err)
	}
	if !result.Readable() {
		return fmt.Errorf("the object of %s cannot be read by its URL, so DigitalOcean was not asked to import it: %s", in.Server, result.Explain())
	}
	// That a presigned URL refuses HEAD is how S3 works; whether DigitalOcean minds
	// is disputed (nanovms/ops#468 and #1723). So it is told only with a failure,
	// and where HEAD should work.
	if in.Delivery == fleet.PublicRead && result.Explain() != "" {
		tell.Warn("%s", result.Explain())
	}
	return nil
}

// describe is the custom image's description: what changes with every release.
func describe(in In, o object) string {
	parts := []string{"snowdrop server " + in.Server}
	if in.Revision != "" {
		parts = append(parts, "revision "+in.Revision)
	}
	parts = append(parts, "sha256 "+o.SHA256)
	if in.RunURL != "" {
		parts = append(parts, in.RunURL)
	}
	return strings.Join(parts, ", ")
}
