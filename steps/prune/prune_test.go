package prune_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/prune"
)

var errBroken = errors.New("broken")

// fakes fail for what is in broken and note what they deleted.
type fakes struct {
	objects []space.Object
	stale   []string
	broken  []any
	deleted []any
}

func (f *fakes) remove(what any) error {
	if slices.Contains(f.broken, what) {
		return errBroken
	}
	f.deleted = append(f.deleted, what)
	return nil
}

func (f *fakes) DeleteImage(_ context.Context, id int) error { return f.remove(id) }

func (f *fakes) List(context.Context, string) ([]space.Object, error) { return f.objects, nil }

func (f *fakes) Delete(_ context.Context, keys ...string) error { return f.remove(keys[0]) }

func (f *fakes) SweepUploads(_ context.Context, prefix string, olderThan time.Duration) ([]string, error) {
	if prefix != "images/" || olderThan != 24*time.Hour {
		return nil, errors.New("swept elsewhere")
	}
	return f.stale, nil
}

func world() (*fakes, prune.Step, prune.In) {
	now := time.Unix(1e9, 0)
	f := &fakes{
		objects: []space.Object{{Key: "images/" + hash(1) + "/x", Modified: now.Add(-48 * time.Hour)}, {Key: "images/" + hash(6) + "/x", Modified: now}},
		stale:   []string{"images/" + hash(2) + "/x"},
	}
	step := prune.Step{Ocean: f, Space: f, Now: func() time.Time { return now }}
	return f, step, prune.In{Server: "web", Fleet: acme, Keep: 3, Images: six(), Record: record(6)}
}

func TestPruneDeletesAndSaysWhat(t *testing.T) {
	t.Parallel()
	f, step, in := world()
	out, err := step.Run(t.Context(), event.Teller{}, in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{3, 2, 1, "images/" + hash(1) + "/x"}, f.deleted); diff != "" {
		t.Error(diff)
	}
	if got, want := out.String(), "deleted 3 images, 1 stale object, 1 stale upload, kept 3 images"; got != want {
		t.Errorf("result %q, want %q", got, want)
	}
}

func TestAFailedDeletionDoesNotKeepItFromTheRest(t *testing.T) {
	t.Parallel()
	f, step, in := world()
	f.broken = []any{2, "images/" + hash(1) + "/x"}
	out, err := step.Run(t.Context(), event.Teller{}, in)
	if !errors.Is(err, errBroken) {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{
		"image " + ocean.ImageName("web", hash(2)) + " (2) of server web: broken",
		"delete stale object images/" + hash(1) + "/x: broken",
		"deleted all the same: 2 images, 1 stale upload",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q:\n%v", part, err)
		}
	}
	if len(out.Deleted) != 2 || len(out.DeletedObjects) != 0 || len(out.AbortedUploads) != 1 {
		t.Errorf("got %+v", out)
	}
}

func TestNothingToDeleteIsASkipWithTheResult(t *testing.T) {
	t.Parallel()
	f, step, in := world()
	f.objects, f.stale, in.Keep = nil, nil, 9
	out, err := step.Run(t.Context(), event.Teller{}, in)
	var skip *steps.SkipError
	if !errors.As(err, &skip) || skip.Reason != "nothing to delete, kept 6 images" || len(out.Kept) != 6 {
		t.Errorf("got %v, %+v", err, out)
	}
}

func TestADryRunDeletesNothing(t *testing.T) {
	t.Parallel()
	f, step, in := world()
	out, would, err := step.DryRun(t.Context(), in)
	if err != nil || len(f.deleted) > 0 {
		t.Fatalf("got %v, deleted %v", err, f.deleted)
	}
	if want := "would delete 3 images, 1 stale object, and keep 3 images"; would != want || len(out.Deleted) != 3 {
		t.Errorf("got %q, want %q", would, want)
	}
}

func TestACancelledPruneStops(t *testing.T) {
	t.Parallel()
	f, step, in := world()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errBroken)
	if _, err := step.Run(ctx, event.Teller{}, in); !errors.Is(err, errBroken) || len(f.deleted) > 0 {
		t.Errorf("got %v, deleted %v", err, f.deleted)
	}
}
