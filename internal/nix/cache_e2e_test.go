//go:build e2e

package nix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A system that is in a binary cache alone is as well known as one that is here.
func TestRealClosureOfABinaryCache(t *testing.T) {
	c, _, web := buildRelease(t)
	dir := filepath.Join(t.TempDir(), "cache")
	cache := "file://" + dir
	if _, said, err := c.json(t.Context(), Progress{}, "copy", "--to", cache, "--", web.Path); err != nil {
		t.Fatal(said.askError("fill the cache", err))
	}
	here, err := c.Closure(t.Context(), web.Path)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := New(Config{Env: []string{"NIX_REMOTE=local?root=" + t.TempDir()}, Options: c.cfg.Options})
	there, err := elsewhere.ClosureIn(t.Context(), cache, web.Path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(here, there); diff != "" || len(there) < 3 {
		t.Errorf("of %d paths: %s", len(there), diff)
	}

	infos, err := filepath.Glob(filepath.Join(dir, "*.narinfo"))
	if err != nil || len(infos) != len(there) {
		t.Fatalf("%d narinfos, %v", len(infos), err)
	}
	top, err := StoreHash(web.Path)
	if err != nil {
		t.Fatal(err)
	}
	lost := infos[0]
	if strings.Contains(lost, top) {
		lost = infos[1]
	}
	if err := os.Remove(lost); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ store, want string }{
		"a part is missing":  {cache, "is not valid"},
		"all is missing":     {"file://" + t.TempDir(), "path '" + web.Path + "' is not valid"},
		"no kind of a store": {"nowhere://cache", "nowhere://cache"},
	} {
		// What a cache has said is kept in the user's cache folder.
		fresh := New(Config{Env: []string{"XDG_CACHE_HOME=" + t.TempDir()}, Options: c.cfg.Options})
		if _, err := fresh.ClosureIn(t.Context(), tc.store, web.Path); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.store) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
