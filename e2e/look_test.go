//go:build linux && e2e

package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
)

// serverOf is the server that runs on a droplet.
func serverOf(droplet string) string {
	server, _, _ := strings.Cut(droplet, "-")
	return server
}

// tail is the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// foreign is an image that the lab's account has from before.
const foreign = "before-the-move"

// images are the names of the custom images that are snowdrop's, sorted. That the
// foreign one is there is demanded each time.
func (w *world) images(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, image := range w.lab.State().Images {
		names = append(names, image.Name)
	}
	if !slices.Contains(names, foreign) {
		t.Errorf("the image %s, which is not snowdrop's, is gone", foreign)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == foreign })
	slices.Sort(names)
	return names
}

// status is what `snowdrop status --json` says.
func (w *world) status(ctx context.Context, t *testing.T) []deploy.ServerStatus {
	t.Helper()
	run := w.snowdrop(ctx, t, "status", "--json")
	run.demand(t, 0)
	var status []deploy.ServerStatus
	if err := json.Unmarshal([]byte(run.out), &status); err != nil || len(status) != 3 {
		t.Fatalf("status: %d servers, %v:\n%s", len(status), err, run.out)
	}
	return status
}

// nothingLeft demands that no image and no unfinished upload is in the Space.
func (w *world) nothingLeft(ctx context.Context, t *testing.T) {
	t.Helper()
	if left := append(w.gateway.objects(ctx, t, "images/"), w.gateway.uploads(ctx, t)...); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
}
