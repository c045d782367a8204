// Package prune is the step that deletes what nothing needs any more: custom
// images of one server, and objects and uploads that cut-off runs left behind.
package prune

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
)

const (
	// objectPrefix is where images' objects are in the Space.
	objectPrefix = "images/"
	// staleAfter is longer than any run.
	staleAfter = 24 * time.Hour
)

// Ocean is what the step needs of DigitalOcean; *ocean.Client is one.
type Ocean interface {
	DeleteImage(ctx context.Context, id int) error
}

// Space is what the step needs of the Space; *space.Client is one.
type Space interface {
	List(ctx context.Context, prefix string) ([]space.Object, error)
	Delete(ctx context.Context, keys ...string) error
	SweepUploads(ctx context.Context, prefix string, olderThan time.Duration) (aborted []string, err error)
}

var (
	_ Ocean = (*ocean.Client)(nil)
	_ Space = (*space.Client)(nil)
)

// Step deletes what nothing needs.
type Step struct {
	Space Space
	Ocean Ocean
	// Now is the time; nil: the machine's.
	Now func() time.Time
}

var (
	_ steps.Step[In, Out]      = Step{}
	_ steps.DryRunner[In, Out] = Step{}
)

// In is all that the decision is made from.
type In struct {
	Server string
	// Fleet is the fleet's tag.
	Fleet string
	// Keep is how many of the newest images stay; at least one does.
	Keep int
	// KeepObjects leaves the objects of images that are still there.
	KeepObjects bool
	// Images and Droplets are all of the account, not only the server's.
	Images   []ocean.Image
	Droplets []ocean.Droplet
	// Record is what the server runs; without one, nothing usable is deleted.
	Record *release.Record
}

// Judged is a custom image with the reason why it was kept or deleted.
type Judged struct {
	Image  ocean.Image
	Reason string
}

// JudgedObject is an object with the reason why it was kept or deleted.
type JudgedObject struct{ Key, Reason string }

// Out is what was done. After an error it holds what was done all the same.
type Out struct {
	Deleted, Kept               []Judged
	DeletedObjects, KeptObjects []JudgedObject
	// AbortedUploads are the keys of uploads that were never completed.
	AbortedUploads []string
}

// String says what came out, for the step's result.
func (o Out) String() string {
	return "deleted " + o.gone() + ", kept " + count(len(o.Kept), "image")
}

func (o Out) gone() string {
	parts := []string{count(len(o.Deleted), "image")}
	if n := len(o.DeletedObjects); n > 0 {
		parts = append(parts, count(n, "stale object"))
	}
	if n := len(o.AbortedUploads); n > 0 {
		parts = append(parts, count(n, "stale upload"))
	}
	return strings.Join(parts, ", ")
}

func (o Out) nothing() bool {
	return len(o.Deleted)+len(o.DeletedObjects)+len(o.AbortedUploads) == 0
}

// Name is "prune".
func (Step) Name() string { return "prune" }

// Run deletes the images that Decide says may go, then stale objects and uploads.
// What cannot be deleted does not keep it from the rest; the errors are joined,
// and what they name is still there. It skips, with the result, when nothing was
// to be deleted.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	var out Out
	failures := []error{s.images(ctx, tell, in, &out)}
	if ctx.Err() == nil {
		failures = append(failures, s.objects(ctx, tell, in, &out))
	}
	if ctx.Err() == nil {
		failures = append(failures, s.uploads(ctx, tell, &out))
	}
	if err := errors.Join(failures...); err != nil {
		return out, fmt.Errorf("%w\n%s", err, "(deleted all the same: "+out.gone()+"; run prune again for the rest)")
	}
	if out.nothing() {
		return out, steps.Skip("nothing to delete, kept %s", count(len(out.Kept), "image"))
	}
	return out, nil
}

// DryRun says what would be deleted. Uploads that were never completed cannot be
// told without aborting them, so they are left out.
func (s Step) DryRun(ctx context.Context, in In) (Out, string, error) {
	var out Out
	for _, v := range Decide(in) {
		out.judge(v)
	}
	verdicts, err := s.judgeObjects(ctx, in, out.deleted())
	if err != nil {
		return out, "", err
	}
	for _, v := range verdicts {
		out.judgeObject(v)
	}
	return out, "would delete " + out.gone() + ", and keep " + count(len(out.Kept), "image"), nil
}

func (s Step) images(ctx context.Context, tell event.Teller, in In, out *Out) error {
	var failures []error
	for _, v := range Decide(in) {
		if ctx.Err() != nil {
			return errors.Join(append(failures, fmt.Errorf("prune images of server %s: %w", in.Server, context.Cause(ctx)))...)
		}
		if v.Delete {
			tell.Phase("deleting image %s (%d): %s", v.Image.Name, v.Image.ID, v.Reason)
			if err := s.Ocean.DeleteImage(ctx, v.Image.ID); err != nil {
				failures = append(failures, fmt.Errorf("image %s (%d) of server %s: %w", v.Image.Name, v.Image.ID, in.Server, err))
				continue
			}
		} else {
			tell.Log(fmt.Sprintf("kept image %s (%d): %s", v.Image.Name, v.Image.ID, v.Reason))
		}
		out.judge(v)
	}
	return errors.Join(failures...)
}

func (s Step) objects(ctx context.Context, tell event.Teller, in In, out *Out) error {
	verdicts, err := s.judgeObjects(ctx, in, out.deleted())
	if err != nil {
		return err
	}
	var failures []error
	for _, v := range verdicts {
		if v.Delete {
			tell.Phase("deleting %s: %s", v.Key, v.Reason)
			if err := s.Space.Delete(ctx, v.Key); err != nil {
				failures = append(failures, fmt.Errorf("delete stale object %s: %w", v.Key, err))
				continue
			}
		} else {
			tell.Log(fmt.Sprintf("kept object %s: %s", v.Key, v.Reason))
		}
		out.judgeObject(v)
	}
	return errors.Join(failures...)
}

// judgeObjects judges what images pass through, and the server's snapshots.
func (s Step) judgeObjects(ctx context.Context, in In, gone []ocean.Image) ([]ObjectVerdict, error) {
	objects, err := s.Space.List(ctx, objectPrefix)
	if err != nil {
		return nil, fmt.Errorf("look for stale objects: %w", err)
	}
	snapshots, err := s.Space.List(ctx, SnapshotPrefix(in.Server))
	if err != nil {
		return nil, fmt.Errorf("look for old snapshots: %w", err)
	}
	now := s.now()
	return append(DecideObjects(in, objects, gone, now), DecideSnapshots(in, snapshots, gone, now)...), nil
}

func (s Step) uploads(ctx context.Context, tell event.Teller, out *Out) error {
	tell.Phase("looking for uploads that were never completed")
	var err error
	out.AbortedUploads, err = s.Space.SweepUploads(ctx, objectPrefix, staleAfter)
	if err != nil {
		return fmt.Errorf("abort stale uploads: %w", err)
	}
	return nil
}

func (o *Out) judge(v Verdict) {
	list := &o.Kept
	if v.Delete {
		list = &o.Deleted
	}
	*list = append(*list, Judged{Image: v.Image, Reason: v.Reason})
}

func (o *Out) judgeObject(v ObjectVerdict) {
	list := &o.KeptObjects
	if v.Delete {
		list = &o.DeletedObjects
	}
	*list = append(*list, JudgedObject{Key: v.Key, Reason: v.Reason})
}

func (o *Out) deleted() []ocean.Image {
	images := make([]ocean.Image, 0, len(o.Deleted))
	for _, d := range o.Deleted {
		images = append(images, d.Image)
	}
	return images
}

func (s Step) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
