//go:build e2e

package nix

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/versatus/snowdrop/internal/closure"
)

// buildRelease builds the web server's system of the end-to-end tests' flake, with
// changes in its release.nix: old and new in turn.
func buildRelease(t *testing.T, changes ...string) (*Client, string, Output) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../e2e/flake")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "release.nix"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(text), changes[i]) {
			t.Fatalf("release.nix has no %q", changes[i])
		}
	}
	write(t, dir, "release.nix", strings.NewReplacer(changes...).Replace(string(text)))
	c := realNix(t, dir)
	built, err := c.Build(t.Context(), []string{webSystem}, Progress{})
	if err != nil {
		t.Fatal(err)
	}
	return c, dir, built[0]
}

const webSystem = ".#nixosConfigurations.web.config.system.build.toplevel"

// secondRelease upgrades one package of web, takes one away, adds two whose names
// start alike, and changes the system's own version.
func secondRelease() []string {
	return []string{
		"release 1", "release 2",
		`version = "25.05";`, `version = "25.11";`,
		`packages = { nginx = "1.26.3"; openssl = "3.4.1"; };`, `packages = { nginx = "1.28.0"; zlib = "1.3.1"; zlib-ng = "2.2.4"; };`,
	}
}

// diffClosures is what nix store diff-closures says of versions, by package: "1.0 → 1.1".
func diffClosures(t *testing.T, c *Client, before, after string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nix", "--extra-experimental-features", "nix-command", "store", "diff-closures", before, after).Output()
	if err != nil {
		t.Fatalf("nix store diff-closures: %v", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, what, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if versions, _, _ := strings.Cut(what, ", "); strings.Contains(versions, "→") {
			said[name] = versions
		}
	}
	return said
}

// told are the versions of a Diff as nix writes them, without what only was rebuilt.
func told(d closure.Diff) map[string]string {
	all := map[string]string{}
	versions := func(list []string, there bool) string {
		switch {
		case len(list) > 0:
			return strings.Join(list, ", ")
		case there:
			return "ε"
		}
		return "∅"
	}
	for _, c := range d.Changes {
		if c.Kind != closure.Rebuilt {
			all[c.Name] = versions(c.Before, c.Kind != closure.Added) + " → " + versions(c.After, c.Kind != closure.Removed)
		}
	}
	return all
}

func TestRealDifferencesAreThoseThatNixNames(t *testing.T) {
	c, dir, before := buildRelease(t)
	_, newDir, after := buildRelease(t, secondRelease()...)
	want := map[string]string{
		"nixos-system-web": "25.05 → 25.11", "nginx": "1.26.3 → 1.28.0", "openssl": "3.4.1 → ∅", "zlib": "∅ → 1.3.1", "zlib-ng": "∅ → 2.2.4",
	}
	if diff := cmp.Diff(want, diffClosures(t, c, before.Path, after.Path)); diff != "" {
		t.Fatal("nix itself says something else:", diff)
	}

	var ways [2][2][]closure.Path // from the database, and from nix path-info
	for i, path := range []string{before.Path, after.Path} {
		read, err := c.databaseClosure(t.Context(), path)
		if err != nil {
			t.Fatal("the store's database does not answer:", err)
		}
		asked, err := New(Config{Options: map[string]string{"store": "local"}}).Closure(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		ways[0][i], ways[1][i] = read, asked
	}
	if diff := cmp.Diff(ways[1], ways[0]); diff != "" {
		t.Error("the database says something else than nix path-info:", diff)
	}
	if diff := cmp.Diff(want, told(closure.Compare(ways[0][0], ways[0][1]))); diff != "" {
		t.Error(diff)
	}

	// The estimate, of the same two flakes without what was built.
	var derivations [2][]closure.Derivation
	for i, dir := range []string{dir, newDir} {
		var err error
		if derivations[i], err = realNix(t, dir).Derivations(t.Context(), []string{webSystem}); err != nil {
			t.Fatal(err)
		}
	}
	estimate := closure.CompareDerivations(derivations[0], derivations[1])
	if diff := cmp.Diff(want, told(estimate)); diff != "" || !estimate.Estimate {
		t.Error("the estimate:", diff)
	}
}

func TestRealDerivationsOfAnotherRevisionAreThoseOfItsCommit(t *testing.T) {
	_, dir, _ := buildRelease(t)
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "one")
	c := realNix(t, dir)
	head, err := c.Metadata(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	base, err := c.Derivations(t.Context(), []string{webSystem})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "release.nix"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "release.nix", strings.NewReplacer(secondRelease()...).Replace(string(text)))
	again, err := c.Derivations(t.Context(), []string{".?rev=" + head.Revision + strings.TrimPrefix(webSystem, ".")})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(base, again, cmpopts.SortSlices(func(a, b closure.Derivation) bool { return a.Path < b.Path })); diff != "" {
		t.Error(diff)
	}
	evaluated, err := c.Evaluate(t.Context(), []string{".?rev=" + head.Revision + strings.TrimPrefix(webSystem, ".")})
	if err != nil {
		t.Fatal(err)
	}
	if again, err = c.Derivations(t.Context(), []string{evaluated[0].Drv}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(base, again, cmpopts.SortSlices(func(a, b closure.Derivation) bool { return a.Path < b.Path })); diff != "" {
		t.Error("by the derivation's own path:", diff)
	}
}
