package upload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/ocean"
)

// How long tidying up may take: a cancelled run is killed soon.
const (
	tidyTime          = time.Minute
	tidyWhenCancelled = 5 * time.Second
)

func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := tidyTime
	if ctx.Err() != nil {
		limit = tidyWhenCancelled
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

// tidy takes the object away from everybody and removes it. It returns err with
// what was left behind; what could not be removed alone is a warning, for a prune
// removes it, except for an object that everybody can still read.
func (w *work) tidy(ctx context.Context, err error) error {
	cancelled := ctx.Err() != nil
	if len(w.keys) == 0 {
		return err
	}
	ctx, cancel := detached(ctx)
	defer cancel()
	exposed := w.makePrivate(ctx)
	if w.in.KeepObject {
		return join(err, exposed)
	}
	if w.wanted(ctx) {
		w.tell.Phase("leaving the object to another server's import of the same image")
		return join(err, exposed)
	}
	left := w.Space.Delete(ctx, w.keys...)
	switch {
	case left != nil && (exposed != nil || err != nil):
		return join(err, exposed, fmt.Errorf("the object may still be in the Space: %w; remove it with snowdrop prune", left))
	case left != nil:
		w.tell.Warn("the object may still be in the Space and costs storage: %v; remove it with snowdrop prune", left)
		return nil
	case err != nil && cancelled:
		return fmt.Errorf("%w; nothing is left in the Space%s", err, w.underWay())
	default:
		return err
	}
}

// join is errors.Join that leaves a single error as it is.
func join(errs ...error) error {
	var some []error
	for _, err := range errs {
		if err != nil {
			some = append(some, err)
		}
	}
	if len(some) == 1 {
		return some[0]
	}
	return errors.Join(some...)
}

// underWay says what becomes of an import whose object is gone.
func (w *work) underWay() string {
	if w.importID == 0 {
		return ""
	}
	return fmt.Sprintf("; custom image %d was being imported and may become available or fail: the next run looks", w.importID)
}

// makePrivate undoes what public-read did.
func (w *work) makePrivate(ctx context.Context) error {
	if !w.public {
		return nil
	}
	if err := w.Space.SetPublic(ctx, w.keys[0], false); err != nil {
		return fmt.Errorf("the object may still be readable for everybody: %w; make it private in the control panel, or delete it", err)
	}
	w.public = false
	return nil
}

// wanted says whether another server's custom image is being made of the same
// object: whoever is last removes it.
func (w *work) wanted(ctx context.Context) bool {
	images, err := w.Ocean.CustomImages(ctx)
	if err != nil {
		return false // an object that stays is worse than an import that is tried again
	}
	for _, image := range images {
		hash, ok := ocean.HashOf(image.Name)
		if ok && hash == w.in.Hash && image.Importing() && image.Name != ocean.ImageName(w.in.Server, w.in.Hash) {
			return true
		}
	}
	return false
}

// tidyLeftovers removes the object that a run which was cut off has left, once its
// custom image is there. That it fails is no reason to fail: a prune removes it.
func (w *work) tidyLeftovers(ctx context.Context) {
	if w.in.KeepObject {
		return
	}
	objects, err := w.Space.List(ctx, w.folder())
	if err != nil || len(objects) == 0 || w.wanted(ctx) {
		return
	}
	keys := make([]string, 0, len(objects))
	for _, o := range objects {
		keys = append(keys, o.Key)
	}
	if err := w.Space.Delete(ctx, keys...); err != nil {
		w.tell.Warn("an object that is no longer needed is still in the Space: %v; remove it with snowdrop prune", err)
	}
}
