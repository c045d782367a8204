package upload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
)

// work is one run of the step.
type work struct {
	Step
	tell event.Teller
	in   In

	keys     []string // what was or may have been written to the Space
	public   bool     // the object can be read by everybody
	importID int      // the custom image that is being imported
	head     int      // what the object's URL answered to HEAD
}

// pick finds the server's custom image with the hash, an available one first.
func (w *work) pick(images []ocean.Image) *ocean.Image {
	var found *ocean.Image
	for i := range images {
		image := &images[i]
		if image.Name != ocean.ImageName(w.in.Server, w.in.Hash) || !image.Ours(w.in.Server) {
			continue
		}
		if image.Available() {
			return image
		}
		if image.Importing() {
			found = image
		}
	}
	return found
}

// existing is the server's custom image, waited for if it is being imported: by
// another run, or by one that was cut off. One whose import fails counts as none.
func (w *work) existing(ctx context.Context, images []ocean.Image) (*ocean.Image, error) {
	found := w.pick(images)
	if found == nil || found.Available() {
		return found, nil
	}
	w.tell.Phase("waiting for custom image %d, which is being imported already", found.ID)
	image, err := w.Ocean.WaitForImage(ctx, found.ID, w.in.ImportTimeout, w.phase)
	var failed *ocean.ImageError
	switch {
	case errors.As(err, &failed), errors.Is(err, ocean.ErrNotFound):
		w.tell.Warn("the import of custom image %d that was under way has failed, so there will be another: %v", found.ID, err)
		return nil, nil //nolint:nilnil // none is an answer here
	case err != nil:
		return nil, fmt.Errorf("wait for custom image %d, whose import was under way: %w", found.ID, err)
	}
	return &image, nil
}

func (w *work) reuse(ctx context.Context, image ocean.Image) (Out, error) {
	out := Out{CustomImage: image, Reused: true}
	if len(missingRegions(image, w.in.Regions)) == 0 {
		return out, steps.Skip("custom image %d is there already", image.ID)
	}
	var err error
	out.CustomImage, err = w.everywhere(ctx, image)
	return out, err
}

// everywhere transfers the image to the regions that lack it.
func (w *work) everywhere(ctx context.Context, image ocean.Image) (ocean.Image, error) {
	missing := missingRegions(image, w.in.Regions)
	if len(missing) == 0 {
		return image, nil
	}
	w.tell.Phase("transferring custom image %d to %s", image.ID, strings.Join(missing, ", "))
	transferred, err := w.Ocean.Transfer(ctx, image.ID, missing, w.in.ImportTimeout, w.phase)
	if err != nil {
		return image, fmt.Errorf("custom image %d is available in %s; transfer to %s: %w",
			image.ID, strings.Join(image.Regions, ", "), strings.Join(missing, ", "), err)
	}
	return transferred, nil
}

func missingRegions(image ocean.Image, regions []string) []string {
	var missing []string
	for _, r := range regions {
		if !image.In(r) {
			missing = append(missing, r)
		}
	}
	return missing
}

// document is info.json: it is written after the object, so that an object with
// it beside it, of the size that it names, is whole.
type document struct {
	Name        string `json:"name"`
	SHA256      string `json:"sha256"`
	Size        int64  `json:"size"`
	VirtualSize int64  `json:"virtualSize"`
}

func (d *document) out() Out {
	return Out{SHA256: d.SHA256, Size: d.Size, VirtualSize: d.VirtualSize}
}

func (w *work) folder() string { return "images/" + w.in.Hash + "/" }

func (w *work) infoKey() string { return w.folder() + "info.json" }

// wholeObject is the object that a former run has left, nil if there is none or
// not all of it.
func (w *work) wholeObject(ctx context.Context) (*document, error) {
	data, err := w.Space.Get(ctx, w.infoKey())
	if errors.Is(err, space.ErrNotFound) {
		return nil, nil //nolint:nilnil // none is an answer here
	}
	if err != nil {
		return nil, fmt.Errorf("see whether the image is in the Space already: %w", err)
	}
	var d document
	if err := json.Unmarshal(data, &d); err != nil || d.Name == "" || strings.Contains(d.Name, "/") {
		return nil, nil //nolint:nilerr,nilnil // what cannot be read is written anew
	}
	object, err := w.Space.Stat(ctx, w.folder()+d.Name)
	switch {
	case errors.Is(err, space.ErrNotFound):
		return nil, nil //nolint:nilnil // none is an answer here
	case err != nil:
		return nil, fmt.Errorf("see whether the image is in the Space already: %w", err)
	case object.Size != d.Size || d.SHA256 == "":
		return nil, nil //nolint:nilnil // none is an answer here
	}
	return &d, nil
}
