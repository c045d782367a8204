package nix

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInputsAreUpdatedAsTheVersionOfNixWantsIt(t *testing.T) {
	t.Parallel()
	for v, want := range map[string]struct{ all, some []string }{
		"v2.8.0":  {[]string{"flake update"}, []string{"flake lock", "--update-input nixpkgs --update-input home-manager"}},
		"v2.26.3": {[]string{"flake update"}, []string{"flake update", "-- nixpkgs home-manager"}},
	} {
		t.Run(v, func(t *testing.T) {
			t.Parallel()
			check := func(inputs, words []string) {
				t.Helper()
				c := fake(t, Config{}, version(v), play{When: words})
				if err := c.Update(t.Context(), t.TempDir(), inputs, Progress{}); err != nil {
					t.Error(err)
				}
			}
			check(nil, want.all)
			check([]string{"nixpkgs", "home-manager"}, want.some)
		})
	}
}

func TestAFailedUpdateSaysWhy(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, version(v), play{When: []string{"flake"}, Captured: v + "/eval-noflake", Exit: 1})
		var eval *EvalError
		if err := c.Update(t.Context(), t.TempDir(), nil, Progress{}); !errors.As(err, &eval) || !strings.Contains(err.Error(), "nix flake update") {
			t.Errorf("got %v", err)
		}
	})
}

// lock is a flake.lock of a flake with two inputs, of which one follows the other,
// and has an input itself.
func lock(nixpkgs, utils string) []byte {
	return fmt.Appendf(nil, `{"nodes": {
		"nixpkgs": {"locked": {"lastModified": 1730419200, "narHash": "sha256-%[1]s", "owner": "NixOS", "repo": "nixpkgs", "rev": "%[1]s", "type": "github"},
			"original": {"id": "nixpkgs", "type": "indirect"}},
		"home": {"inputs": {"nixpkgs": ["nixpkgs"], "utils": "utils"},
			"locked": {"narHash": "sha256-home", "type": "tarball", "url": "https://example.com/home.tar.gz"}},
		"utils": {"locked": {"narHash": "sha256-%[2]s", "rev": "%[2]s", "type": "git", "url": "ssh://git@example.com/utils"}},
		"root": {"inputs": {"nixpkgs": "nixpkgs", "home": "home", "pkgs": ["nixpkgs"]}}},
		"root": "root", "version": 7}`, nixpkgs, utils)
}

func TestWhatMovedInALockFileIsNamed(t *testing.T) {
	t.Parallel()
	const old, new = "1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"
	parse := func(data []byte) Lock {
		t.Helper()
		l, err := ParseLock(data)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	before, after := parse(lock(old, "a")), parse(lock(new, "b"))
	moved, others := after.Since(before)
	var words []string
	for _, m := range moved {
		words = append(words, m.String(), m.Page())
	}
	want := []string{
		"nixpkgs: 1111111 (2024-11-01) → 2222222 (2024-11-01)",
		"https://github.com/NixOS/nixpkgs/compare/" + old + "..." + new,
	}
	if diff := cmp.Diff(want, words); diff != "" || others != 1 {
		t.Errorf("%s\nothers: %d", diff, others)
	}
	if moved, others := before.Since(before); len(moved)+others != 0 {
		t.Errorf("nothing moved: %v, %d", moved, others)
	}
	moved, _ = before.Since(parse(nil))
	if len(moved) != 2 || moved[0].String() != "home: new, sha256-home" || moved[0].Page() != "" {
		t.Errorf("the first lock file: %v", moved)
	}
	if got := before.Missing([]string{"nixpkgs", "home/utils", "nixpkgz", "pkgs"}); !cmp.Equal(got, []string{"nixpkgz"}) {
		t.Errorf("missing: %v", got)
	}
	if _, err := ParseLock([]byte("<html>")); err == nil {
		t.Error("no lock file, and no error")
	}
}
