//go:build linux && e2e

package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// TestFleet takes a fleet through its life. Each part goes on from where the one
// before it ended, so a failure ends it all.
func TestFleet(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t)
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *world)
	}{
		{"a first release is verified on real systemd, and its objects are private", firstRelease},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, w) }) {
			t.FailNow()
		}
	}
}

func firstRelease(ctx context.Context, t *testing.T, w *world) {
	w.project.release(ctx, t, 1)
	before := w.look(ctx, t)
	w.spy.take()
	run := w.snowdrop(ctx, t, "deploy", "--yes")
	run.demand(t, 0)
	after := w.look(ctx, t)
	for _, name := range droplets() {
		server, _, _ := strings.Cut(name, "-")
		if before[name].boot == after[name].boot || !strings.HasSuffix(after[name].system, "-nixos-system-"+server+"-25.05") {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
	}
	fetched := 0
	for _, e := range images(w.spy.take(), http.MethodGet) {
		if e.Presigned && e.Status == http.StatusOK {
			fetched++
		}
		if e.Unsigned != http.StatusForbidden {
			t.Errorf("without a signature, %s answers %d while it is in the Space", e.Path, e.Unsigned)
		}
	}
	if fetched < 3 {
		t.Errorf("%d images were fetched by presigned URLs", fetched)
	}
	w.nothingLeft(ctx, t)
	if key, _ := w.on(ctx, t, "api-1", "cat /var/lib/api/key"); key != apiKey {
		t.Errorf("the secret on api-1 is %q", key)
	}
}

// nothingLeft demands that no image and no unfinished upload is in the Space.
func (w *world) nothingLeft(ctx context.Context, t *testing.T) {
	t.Helper()
	if left := append(w.gateway.objects(ctx, t, "images/"), w.gateway.uploads(ctx, t)...); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
}
