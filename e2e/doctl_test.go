//go:build linux && e2e

package e2e

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// doctl runs DigitalOcean's own program against the lab.
func (w *world) doctl(ctx context.Context, t *testing.T, args ...string) []string {
	t.Helper()
	args = append([]string{"--api-url", w.lab.APIURL(), "--access-token", token, "--config", w.dir + "/doctl.yaml"}, args...)
	return strings.Fields(output(ctx, t, w.dir, "doctl", args...))
}

func doctlLists(ctx context.Context, t *testing.T, w *world) {
	names := w.doctl(ctx, t, "compute", "droplet", "list", "--format", "Name", "--no-header")
	for _, name := range droplets() {
		if !slices.Contains(names, name) {
			t.Errorf("doctl does not list droplet %s: %v", name, names)
		}
	}
	images := w.doctl(ctx, t, "compute", "image", "list-user", "--format", "Name", "--no-header")
	for _, name := range append(w.images(t), foreign) {
		if !slices.Contains(images, name) {
			t.Errorf("doctl does not list image %s: %v", name, images)
		}
	}
}

func drift(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	former := w.lab.State().Image(only(t, w.second, "snowdrop-db-"))
	if former == nil {
		t.Fatal("db's former image is gone")
	}
	w.doctl(ctx, t, "compute", "droplet-action", "rebuild", strconv.Itoa(w.droplet(t, "db-1").ID),
		"--image", strconv.Itoa(former.ID), "--wait")
	after := w.look(ctx, t)
	if before["db-1"].boot == after["db-1"].boot || before["db-1"].system == after["db-1"].system {
		t.Fatalf("doctl did not rebuild db-1: %+v, before: %+v", after["db-1"], before["db-1"])
	}
	w.snowdrop(ctx, t, "status").demand(t, 0, "db/db-1: runs image")
	// Its host key is not the one that was recorded, and no rebuild of ours explains it.
	w.snowdrop(ctx, t, "verify", "db").demand(t, 1, "host key", "db-1")
	w.snowdrop(ctx, t, "ssh", "db", "--", "true").demand(t, 255, "db/db-1", "rebuilt by somebody else", "host key")
	// To rebuild it does.
	w.snowdrop(ctx, t, "deploy", "--yes", "db").demand(t, 0)
	if now := w.look(ctx, t); now["db-1"].system != before["db-1"].system || now["web-1"] != before["web-1"] {
		t.Errorf("droplets are %v, before: %v", now, before)
	}
	w.snowdrop(ctx, t, "verify", "db").demand(t, 0)
}

// only is the one name with a prefix.
func only(t *testing.T, names []string, prefix string) string {
	t.Helper()
	at := slices.IndexFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
	if at < 0 {
		t.Fatalf("no %s… among %v", prefix, names)
	}
	return names[at]
}
