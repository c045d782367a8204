//go:build linux && e2e

package e2e

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/release"
)

func doctor(ctx context.Context, t *testing.T, w *world) {
	w.project.release(ctx, t, 1)
	w.look(ctx, t) // waits until all of them have booted
	run := w.snowdrop(ctx, t, "doctor")
	run.demand(t, 0, "2.", bucket+" can be read and written", "ssh web/web-2", "ssh db/db-1")
}

func firstRelease(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.spy.take()
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	after := w.look(ctx, t)
	for _, name := range droplets() {
		if before[name].system != "none" || before[name].boot == after[name].boot || before[name].hostKey == after[name].hostKey ||
			!strings.HasSuffix(after[name].system, "-nixos-system-"+serverOf(name)+"-25.05") {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
	}
	fetched := map[string]bool{}
	for _, e := range images(w.spy.take(), http.MethodGet) {
		if e.Presigned && e.Status == http.StatusOK {
			fetched[e.Path] = true
		}
		if e.Unsigned != http.StatusForbidden {
			t.Errorf("without a signature, %s answers %d while it is in the Space", e.Path, e.Unsigned)
		}
	}
	if len(fetched) != 3 {
		t.Errorf("fetched by presigned URLs: %v", fetched)
	}
	w.nothingLeft(ctx, t)
	if key, _ := w.on(ctx, t, "api-1", "cat /var/lib/api/key"); key != apiKey {
		t.Errorf("the secret on api-1 is %q", key)
	}
	w.first = w.images(t)
}

func statusAndVerify(ctx context.Context, t *testing.T, w *world) {
	w.snowdrop(ctx, t, "verify").demand(t, 0)
	is := w.look(ctx, t)
	for _, server := range w.status(ctx, t) {
		record := server.Record
		if record == nil || record.Outcome != "verified" || record.Revision != w.project.git(ctx, t, "rev-parse", "HEAD") {
			t.Fatalf("the record of %s: %+v", server.Name, record)
		}
		for _, d := range server.Droplets {
			known, is := record.Droplet(d.ID), is[d.Name]
			switch {
			case d.Drift != "" || known == nil:
				t.Errorf("%s: %q, %+v", d.Name, d.Drift, known)
			case known.BootID != is.boot, record.Toplevel != is.system, !slices.Contains(known.HostKeys, is.hostKey):
				t.Errorf("%s is %+v, the record says %+v, %s", d.Name, is, known, record.Toplevel)
			case known.Evidence == nil || !slices.ContainsFunc(known.Evidence.Checks, func(c release.Check) bool {
				return c.Name == "release" && strings.HasPrefix(c.Got, "server "+server.Name+", by /etc/snowdrop/")
			}):
				t.Errorf("%s did not say which server it is: %+v", d.Name, known.Evidence)
			}
		}
	}
}

func secondRelease(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.project.release(ctx, t, 2)
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	after := w.look(ctx, t)
	for _, name := range droplets() {
		if before[name].boot == after[name].boot || before[name].system == after[name].system {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
		unit, _ := w.on(ctx, t, name, "systemctl show --value -p Description "+serverOf(name)+".service")
		if unit != serverOf(name)+", release 2" {
			t.Errorf("%s runs %q", name, unit)
		}
	}
	w.second = slices.DeleteFunc(w.images(t), func(name string) bool { return slices.Contains(w.first, name) })
}

func nothingToDo(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.lab.ResetRequests()
	w.spy.take()
	run := w.snowdrop(ctx, t, "deploy", "--yes", "--json")
	run.demand(t, 0)
	for _, step := range []string{"build", "upload", "rebuild", "provision", "verify"} {
		if strings.Contains(run.out, `"kind":"step.started","step":"`+step+`"`) || strings.Contains(run.out, `"step":"`+step+`"`) {
			t.Errorf("it did the step %s:\n%s", step, run.out)
		}
	}
	for _, r := range w.lab.Requests() {
		if r.Method != http.MethodGet {
			t.Errorf("it asked DigitalOcean to %s %s", r.Method, r.Path)
		}
	}
	for _, e := range w.spy.take() {
		if e.Method != http.MethodGet && e.Method != http.MethodHead {
			t.Errorf("it asked the Space to %s %s", e.Method, e.Path)
		}
	}
	if after := w.look(ctx, t); !maps.Equal(before, after) {
		t.Errorf("droplets changed from %v to %v", before, after)
	}
}

// brokenUnit is web's service in the broken release: it says why it ends.
const (
	goodUnit   = `ExecStart=${httpd}/bin/httpd 8080 "web release 2"`
	brokenUnit = `ExecStart=/bin/sh -c 'echo "web.conf:14: unknown directive listn" >&2; exit 3'`
)

func brokenRelease(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.project.release(ctx, t, 2, goodUnit, brokenUnit)
	run := w.snowdrop(ctx, t, "deploy", "--yes")
	run.demand(t, 3, "web.conf:14: unknown directive listn", "web.service", "rolled back")
	t.Logf("what a person sees at the end:\n%s", tail(run.text, 30))
	after := w.look(ctx, t)
	for _, name := range droplets() {
		if before[name].system != after[name].system {
			t.Errorf("%s runs %s instead of %s", name, after[name].system, before[name].system)
		}
		if back := before[name].boot != after[name].boot; back != (name == "web-1") {
			t.Errorf("%s was rebuilt: %v", name, back)
		}
	}
	w.nothingLeft(ctx, t)
}

func olderRevision(ctx context.Context, t *testing.T, w *world) {
	before := w.look(ctx, t)
	w.project.git(ctx, t, "checkout", "-q", "HEAD~2")
	w.snowdrop(ctx, t, "deploy", "--yes", "--server", "api").demand(t, 1, "newer")
	w.project.git(ctx, t, "checkout", "-q", "main")
	if after := w.look(ctx, t); !maps.Equal(before, after) {
		t.Errorf("droplets changed from %v to %v", before, after)
	}
}
