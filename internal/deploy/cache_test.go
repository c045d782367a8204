package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/deploy"
)

const cacheURL = "https://cache.acme.example"

// withCache is a Nix whose binary cache has what other machines built.
type withCache struct {
	deploy.Nix
	from []deploy.Nix

	mu    sync.Mutex
	asked []string
}

func (c *withCache) ClosureIn(ctx context.Context, store, path string) ([]closure.Path, error) {
	c.mu.Lock()
	c.asked = append(c.asked, store)
	c.mu.Unlock()
	for _, one := range c.from {
		if paths, err := one.Closure(ctx, path); err == nil {
			return paths, nil
		}
	}
	return nil, errors.New("path '" + path + "' is not valid")
}

func TestABinaryCacheKnowsWhatSystemsAreMadeOf(t *testing.T) {
	t.Parallel()
	packages := []string{"rebuilt etc", "rebuilt nixos-system-web", "rebuilt units"}
	for name, tc := range map[string]struct {
		request  deploy.Request
		lost     bool // the snapshots are
		old, new bool // the cache has it
		asked    int
		estimate bool
		units    bool // are compared too
		why      []string
	}{
		"what runs": {
			request: deploy.Request{Store: cacheURL}, lost: true, old: true, asked: 1,
			why: []string{"units, ports and users are not compared: a binary cache tells of packages alone"},
		},
		"what is to run, of which nothing may be built": {
			request: deploy.Request{Store: cacheURL, NoBuild: true}, new: true, asked: 1,
			why: []string{"units, ports and users are not compared: a binary cache tells of packages alone"},
		},
		"both": {
			request: deploy.Request{Store: cacheURL, NoBuild: true}, lost: true, old: true, new: true, asked: 2,
			why: []string{"a binary cache tells of packages alone"},
		},
		"it is not asked for what is known": {request: deploy.Request{Store: cacheURL}, units: true},
		"it lacks what runs": {
			request: deploy.Request{Store: cacheURL}, lost: true, asked: 1, estimate: true,
			why: []string{"packages are estimated", "there is no snapshot of it in the Space", "nor does the store that was named say it", "is not valid"},
		},
		"it lacks what is to run": {
			request: deploy.Request{Store: cacheURL, NoBuild: true}, asked: 1, estimate: true,
			why: []string{"packages are estimated", "nothing was built; nor does the store that was named say it", "is not valid"},
		},
		"nobody named it": {request: deploy.Request{NoBuild: true}, old: true, new: true, estimate: true, why: []string{"nothing was built"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			if tc.lost {
				check(t, s.space.Delete(t.Context(), s.snapshots()...))
			}
			s.afterFirst()
			now, _ := s.nix.(twoRevisions)
			cache := &withCache{Nix: s.nix}
			if tc.old {
				cache.from = append(cache.from, now.former)
			}
			if tc.new {
				cache.from = append(cache.from, s.builder)
			}
			s.nix = cache
			planned, _ := s.previewed(tc.request)
			got := planned["web"]
			if got.Packages == nil || got.Packages.Estimate != tc.estimate || (got.System != nil) != tc.units {
				t.Fatalf("planned: %+v", got)
			}
			if diff := cmp.Diff(packages, names(got.Packages)); diff != "" {
				t.Error(diff)
			}
			if (got.Packages.SizeBefore > 0) == tc.estimate {
				t.Errorf("its size before is %d", got.Packages.SizeBefore)
			}
			said := strings.Join(got.Unknown, "\n")
			for _, why := range tc.why {
				if !strings.Contains(said, why) {
					t.Errorf("it does not say %q: %q", why, said)
				}
			}
			if len(tc.why) == 0 && said != "" {
				t.Errorf("it says %q", said)
			}
			if len(cache.asked) != tc.asked || slices.ContainsFunc(cache.asked, func(store string) bool { return store != cacheURL }) {
				t.Errorf("asked: %q", cache.asked)
			}
		})
	}
}
