//go:build linux && e2e

package e2e

import (
	"context"
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
)

// What web's packages are in the first release, and in the one that is planned: one
// is newer, one older, one comes.
const (
	packagesBefore = `packages = { nginx = "1.26.3"; openssl = "3.4.1"; };`
	packagesAfter  = `packages = { nginx = "1.28.0"; openssl = "3.4.0"; curl = "8.9.1"; };`
	packagesOfBase = `packages = { nginx = "1.29.0"; openssl = "3.4.0"; curl = "8.9.1"; };`
	packagesOfPull = `packages = { nginx = "1.29.0"; openssl = "3.4.0"; curl = "8.9.1"; jq = "1.7.1"; };`
)

// TestPlan plans a second release, holds what the plan names against what Nix itself
// names, carries it out, and tries one that is no longer true.
func TestPlan(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t, fleetFile)
	t.Cleanup(func() { w.project.forget(t) })
	w.project.release(ctx, t, 1)
	w.look(ctx, t) // waits until all of them have booted
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)

	before := w.look(ctx, t)
	w.project.release(ctx, t, 2, packagesBefore, packagesAfter)
	file := filepath.Join(w.dir, "plan.json")
	run := w.snowdrop(ctx, t, "plan", "--json", "--detailed-exitcode", "--out", file)
	run.demand(t, 4)
	planned := plannedServers(t, run.out)
	if len(planned) != 3 {
		t.Fatalf("%d servers were planned:\n%s", len(planned), run.out)
	}
	for server, p := range planned {
		droplet := server + "-1"
		after := w.toplevel(ctx, t, server)
		if p.Packages == nil || p.System == nil || p.Action != event.BuildAndRebuild {
			t.Fatalf("%s: %+v", server, p)
		}
		if want := nixDiff(ctx, t, before[droplet].system, after); !maps.Equal(want, versionChanges(*p.Packages)) {
			t.Errorf("%s: Nix names %v, the plan %v", server, want, versionChanges(*p.Packages))
		}
		if len(p.System.Units) != 1 || p.System.Units[0].Name != server+".service" || p.System.Units[0].Kind != "changed" ||
			!slices.ContainsFunc(p.System.Units[0].Lines, func(l string) bool { return strings.HasPrefix(l, "+") && strings.Contains(l, "release 2") }) {
			t.Errorf("%s: units %+v", server, p.System.Units)
		}
	}
	if got := planned["web"].Packages; got.Count(closure.Upgraded) != 1 || got.Count(closure.Downgraded) != 1 || got.Count(closure.Added) != 1 {
		t.Errorf("web's packages: %+v", got.Changes)
	}
	if after := w.look(ctx, t); !maps.Equal(before, after) {
		t.Errorf("a plan changed droplets from %v to %v", before, after)
	}

	w.snowdrop(ctx, t, "deploy", "--plan", file, "--yes").demand(t, 0)
	after := w.look(ctx, t)
	for _, name := range droplets() {
		if want := w.toplevel(ctx, t, serverOf(name)); after[name].system != want {
			t.Errorf("%s runs %s, planned was %s", name, after[name].system, want)
		}
	}

	// A pull request on top of what main has and nobody has deployed.
	base := w.project.release(ctx, t, 3, packagesBefore, packagesOfBase)
	w.project.release(ctx, t, 4, packagesBefore, packagesOfPull)
	run = w.snowdrop(ctx, t, "plan", "web", "--json", "--base", base)
	run.demand(t, 0)
	pull := plannedServers(t, run.out)["web"]
	if pull.Packages == nil || pull.FromBase == nil || pull.FromBase.Revision != base {
		t.Fatalf("web: %+v, %+v, %q", pull.Packages, pull.FromBase, pull.Unknown)
	}
	if want := nixDiff(ctx, t, after["web-1"].system, w.toplevel(ctx, t, "web")); !maps.Equal(want, versionChanges(*pull.Packages)) {
		t.Errorf("Nix names %v, the plan %v", want, versionChanges(*pull.Packages))
	}
	if own := versionChanges(pull.FromBase.Packages); !maps.Equal(own, map[string]string{"jq": "∅ → 1.7.1"}) {
		t.Errorf("of the pull request itself it names %v", own)
	}

	// A plan of a world that another deploy has changed meanwhile.
	w.project.release(ctx, t, 3)
	w.snowdrop(ctx, t, "plan", "--out", file).demand(t, 0)
	w.snowdrop(ctx, t, "rollback", "web", "--yes").demand(t, 0)
	before = w.look(ctx, t)
	stale := w.snowdrop(ctx, t, "deploy", "--plan", file, "--yes")
	if stale.exit == 0 || !strings.Contains(stale.text, "web") {
		t.Errorf("a plan that is no longer true was carried out: exit %d\n%s", stale.exit, stale.text)
	}
	if after := w.look(ctx, t); !maps.Equal(before, after) {
		t.Errorf("a refused plan changed droplets from %v to %v", before, after)
	}
}

// plannedServers are the events of a plan, by server.
func plannedServers(t *testing.T, stream string) map[string]event.ServerPlanned {
	t.Helper()
	out := map[string]event.ServerPlanned{}
	for line := range strings.Lines(stream) {
		var kind struct{ Kind string }
		check(t, json.Unmarshal([]byte(line), &kind))
		if kind.Kind != "server.planned" {
			continue
		}
		// Times are seconds there, with fractions.
		line = regexp.MustCompile(`,"downtime":[0-9.]+`).ReplaceAllString(line, "")
		var p event.ServerPlanned
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("%v:\n%s", err, line)
		}
		out[p.Server] = p
	}
	return out
}

// toplevel is the system that the checked-out flake has for a server.
func (w *world) toplevel(ctx context.Context, t *testing.T, server string) string {
	t.Helper()
	cmd := nix(t, "eval", "--raw", w.project.dir+"#nixosConfigurations."+server+".config.system.build.toplevel.outPath")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("evaluate the system of %s: %v", server, err)
	}
	return string(out)
}

// nixDiff is what `nix store diff-closures` names: versions before and after, by
// package. It says "∅" for none, and "ε" for a package without a version.
func nixDiff(ctx context.Context, t *testing.T, before, after string) map[string]string {
	t.Helper()
	out, err := nix(t, "store", "diff-closures", before, after).Output()
	if err != nil {
		t.Fatalf("nix store diff-closures: %v", err)
	}
	text := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(string(out), "")
	found := map[string]string{}
	for line := range strings.Lines(text) {
		name, change, _ := strings.Cut(strings.TrimSpace(line), ": ")
		versions, _, _ := strings.Cut(change, ", ") // the size follows
		if strings.Contains(versions, "→") {
			found[name] = versions
		}
	}
	return found
}

// versionChanges are a plan's changes of versions in Nix's words.
func versionChanges(d closure.Diff) map[string]string {
	words := func(versions []string, there bool) string {
		switch {
		case !there:
			return "∅"
		case len(versions) == 0:
			return "ε"
		default:
			return strings.Join(versions, ", ")
		}
	}
	found := map[string]string{}
	for _, c := range d.Changes {
		if c.Kind != closure.Rebuilt {
			found[c.Name] = words(c.Before, c.Kind != closure.Added) + " → " + words(c.After, c.Kind != closure.Removed)
		}
	}
	return found
}
