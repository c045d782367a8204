package upload

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
)

// urlSlack is how much longer a URL is valid than the import may take: for the
// preflight, for an import that begins late, and for clocks that differ.
const urlSlack = 30 * time.Minute

// fresh makes a new custom image, and removes the object however that ends.
func (w *work) fresh(ctx context.Context) (out Out, err error) {
	defer func() { err = w.tidy(ctx, err) }()
	object, err := w.object(ctx)
	if err != nil {
		return Out{}, err
	}
	out = object.out()
	out.CustomImage, out.Reused, err = w.deliver(ctx, object)
	return out, err
}

// deliver has DigitalOcean fetch the object and waits for it. From here on the
// object's URL is a secret that is kept out of every text.
func (w *work) deliver(ctx context.Context, object *document) (image ocean.Image, reused bool, err error) {
	address, err := w.address(ctx, w.folder()+object.Name)
	if err != nil {
		return ocean.Image{}, false, err
	}
	defer func() { err = conceal(err, address) }()
	if err := w.preflight(ctx, address, object); err != nil {
		return ocean.Image{}, false, err
	}
	// The look before the POST: another run may have begun the same import.
	images, err := w.Ocean.CustomImages(ctx)
	if err != nil {
		return ocean.Image{}, false, fmt.Errorf("look for the custom image once more before importing it: %w", err)
	}
	found, err := w.existing(ctx, images)
	if found != nil || err != nil {
		if found != nil {
			image = *found
		}
		return image, found != nil, err
	}
	image, err = w.importFrom(ctx, address, object)
	return image, false, err
}

// address is the URL that DigitalOcean is given.
func (w *work) address(ctx context.Context, key string) (string, error) {
	if w.in.Delivery == fleet.PublicRead {
		w.public = true // also if the answer is lost
		if err := w.Space.SetPublic(ctx, key, true); err != nil {
			return "", fmt.Errorf("make the image readable for DigitalOcean (space.delivery: public-read): %w", err)
		}
		return w.Space.PublicURL(key), nil
	}
	address, err := w.Space.Presign(ctx, key, min(w.in.ImportTimeout+urlSlack, space.MaxPresign))
	if err != nil {
		return "", fmt.Errorf("make a URL for DigitalOcean: %w", err)
	}
	return address, nil
}

// preflight asks the URL what DigitalOcean will ask it. HEAD is told and not
// demanded: an S3 refuses it for a URL that was signed for GET, and whether that
// matters to the importer is disputed (nanovms/ops#468, #1723). So a refused HEAD
// is worth a warning only where it should have worked; it is told again with the
// error if the import fails.
func (w *work) preflight(ctx context.Context, address string, object *document) error {
	w.tell.Phase("checking that DigitalOcean can read %s", object.Name)
	seen, err := w.Space.Probe(ctx, address)
	if err != nil {
		return fmt.Errorf("preflight of the import: %w; DigitalOcean would not reach it either", err)
	}
	w.head = seen.Head
	switch trouble := seen.Explain(); {
	case !seen.Readable():
		return fmt.Errorf("preflight of the import: %s", trouble)
	case seen.Length >= 0 && seen.Length != object.Size:
		return fmt.Errorf("preflight of the import: the object's URL gives %d bytes, not the %d that were stored; run it again",
			seen.Length, object.Size)
	case trouble != "" && (w.in.Delivery == fleet.PublicRead || seen.Head != http.StatusForbidden):
		w.tell.Warn("%s", trouble)
	default:
		w.tell.Phase("its URL answers %d to HEAD and %d to a ranged GET", seen.Head, seen.RangedGet)
	}
	return nil
}

func (w *work) importFrom(ctx context.Context, address string, object *document) (ocean.Image, error) {
	w.tell.Phase("asking DigitalOcean to import %s (%s) in %s", object.Name, amount(object.Size), w.in.Regions[0])
	image, err := w.Ocean.Import(ctx, ocean.ImportRequest{
		Name: ocean.ImageName(w.in.Server, w.in.Hash), URL: address, Region: w.in.Regions[0],
		Description: w.description(object), Tags: ocean.Tags(w.in.Fleet, w.in.Server),
	})
	if err != nil {
		return image, fmt.Errorf("start the import: %w", err)
	}
	w.importID = image.ID
	image, err = w.Ocean.WaitForImage(ctx, image.ID, w.in.ImportTimeout, w.phase)
	var failed *ocean.ImageError
	switch {
	case errors.As(err, &failed):
		w.importID = 0
		return image, fmt.Errorf("DigitalOcean could not import the image: %w\n  likely: %s", err, w.cause(failed.Reason))
	case err != nil:
		return image, fmt.Errorf("wait for the import: %w", err)
	}
	w.importID = 0
	return image, nil
}

// description is for people who look at the image in the control panel.
func (w *work) description(object *document) string {
	parts := []string{"sha256 " + object.SHA256}
	if w.in.Revision != "" {
		parts = append([]string{"revision " + w.in.Revision}, parts...)
	}
	if w.in.RunURL != "" {
		parts = append(parts, w.in.RunURL)
	}
	return strings.Join(parts, ", ")
}

// RevisionOf is the git revision that a custom image's description names; ok is
// false where it names none, as for an image of a tree that was not committed.
func RevisionOf(description string) (revision string, ok bool) {
	rest, ok := strings.CutPrefix(description, "revision ")
	revision, _, _ = strings.Cut(rest, ",")
	return revision, ok && revision != ""
}

// cause is the likely reason of a failed import, and what to do. DigitalOcean's own
// words can be empty.
func (w *work) cause(words string) string {
	words = strings.ToLower(words)
	refusedHead := w.head != http.StatusOK
	switch {
	case strings.Contains(words, "unreachable"), strings.Contains(words, "download"), strings.Contains(words, "fetch"), strings.Contains(words, "url"):
		if w.in.Delivery == fleet.Presigned && refusedHead {
			return fmt.Sprintf("the presigned URL answers %d to HEAD; set space.delivery to public-read in snowdrop.yaml and run it again", w.head)
		}
		return "DigitalOcean could not read the object; see whether the Space can be reached from outside, and run it again"
	case strings.Contains(words, "size"), strings.Contains(words, "large"), strings.Contains(words, "100"):
		return "the disk is larger than DigitalOcean takes; lower virtualisation.diskSize"
	case strings.Contains(words, "format"), strings.Contains(words, "invalid"), strings.Contains(words, "corrupt"):
		return "DigitalOcean could not read the image's format; build it as qcow2 with gzip, the default of digitalOceanImage"
	case w.in.Delivery == fleet.Presigned && refusedHead:
		return fmt.Sprintf("no reason was given, but the presigned URL answers %d to HEAD; "+
			"set space.delivery to public-read in snowdrop.yaml and run it again", w.head)
	default:
		return "no reason was found here; run it again, and if it fails again ask DigitalOcean's support with the custom image's id"
	}
}

func (w *work) phase(text string) { w.tell.Phase("%s", text) }
