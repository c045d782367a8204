package deploy_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
)

// threeRevisions is a Nix whose flake also knows the revision between what runs and
// what is checked out: the base of a pull request. It counts what is asked of that.
type threeRevisions struct {
	twoRevisions
	base *lab.Builder
	// shallow says that the checkout does not have the base.
	shallow bool

	mu          sync.Mutex
	evaluations int
}

func (n *threeRevisions) Evaluate(ctx context.Context, installables []string) ([]nix.Output, error) {
	plain := make([]string, len(installables))
	for i, text := range installables {
		plain[i] = strings.Replace(text, "?rev="+n.base.Revision, "", 1)
	}
	if cmp.Equal(plain, installables) {
		return n.twoRevisions.Evaluate(ctx, installables)
	}
	n.mu.Lock()
	n.evaluations++
	n.mu.Unlock()
	return n.base.Evaluate(ctx, plain) //nolint:wrapcheck // a Nix in between
}

func (n *threeRevisions) Metadata(ctx context.Context, flake string) (nix.Metadata, error) {
	if n.shallow && strings.Contains(flake, n.base.Revision) {
		return nix.Metadata{}, errors.New("Cannot find Git revision '" + n.base.Revision + "'") //nolint:staticcheck // as nix says it
	}
	return n.twoRevisions.Metadata(ctx, flake)
}

func (n *threeRevisions) Derivations(ctx context.Context, installables []string) ([]closure.Derivation, error) {
	found, err := n.base.Derivations(ctx, installables)
	if err == nil && strings.HasSuffix(installables[0], ".drv") {
		return found, nil
	}
	return n.twoRevisions.Derivations(ctx, installables)
}

// afterBase is a fleet that runs the first revision, main with the second one, and a
// pull request's third on a machine that has built nothing.
func (s *scene) afterBase(base, head lab.ImageSpec) *threeRevisions {
	was := *s.builder
	s.release(second, "web", base)
	between := *s.builder
	s.release(third, "web", head)
	three := &threeRevisions{twoRevisions: twoRevisions{s.elsewhere(), &was}, base: &between}
	s.nix = three
	return three
}

// withUser is withWorker with another user, which changes no unit.
func withUser() lab.ImageSpec {
	spec := withWorker()
	spec.Users = []string{"report"}
	return spec
}

func TestAPlanTellsAPullRequestsOwnChangesFromThoseThatMainHas(t *testing.T) {
	t.Parallel()
	all := []string{"rebuilt etc", "rebuilt nixos-system-web", "rebuilt units"}
	for name, tc := range map[string]struct {
		base, head lab.ImageSpec
		request    deploy.Request
		cached     bool // a binary cache has the base
		own        []string
		estimate   bool
	}{
		"it changes less":                {base: withWorker(), head: withUser(), request: deploy.Request{Base: second}, own: []string{"rebuilt etc", "rebuilt nixos-system-web"}, estimate: true},
		"nothing is to be built":         {base: withWorker(), head: withUser(), request: deploy.Request{Base: second, NoBuild: true}, own: []string{"rebuilt etc", "rebuilt nixos-system-web"}, estimate: true},
		"it changes nothing":             {base: withWorker(), head: withWorker(), request: deploy.Request{Base: second}},
		"a binary cache has the base":    {base: withWorker(), head: withUser(), request: deploy.Request{Base: second, Store: cacheURL}, cached: true, own: []string{"rebuilt etc", "rebuilt nixos-system-web"}},
		"a binary cache that has it not": {base: withWorker(), head: withUser(), request: deploy.Request{Base: second, Store: cacheURL}, own: []string{"rebuilt etc", "rebuilt nixos-system-web"}, estimate: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			three := s.afterBase(tc.base, tc.head)
			if tc.request.Store != "" {
				cache := &withCache{Nix: three}
				if tc.cached {
					cache.from = []deploy.Nix{three.base}
				}
				s.nix = cache
			}
			planned, _ := s.previewed(tc.request)
			got := planned["web"]
			if got.Packages == nil || got.Packages.Estimate != tc.request.NoBuild || got.FromBase == nil || got.FromBase.Revision != second {
				t.Fatalf("packages %+v, from base %+v, unknown %q", got.Packages, got.FromBase, got.Unknown)
			}
			if diff := cmp.Diff(all, names(got.Packages)); diff != "" {
				t.Errorf("in comparison with what runs:\n%s", diff)
			}
			if diff := cmp.Diff(tc.own, names(&got.FromBase.Packages)); diff != "" {
				t.Errorf("in comparison with the base:\n%s", diff)
			}
			if got.FromBase.Packages.Estimate != tc.estimate {
				t.Errorf("an estimate: %v", got.FromBase.Packages.Estimate)
			}
			if three.evaluations != 1 {
				t.Errorf("the base was evaluated %d times", three.evaluations)
			}
			for _, asked := range three.asked {
				if strings.Contains(asked, second) {
					t.Errorf("the base was built: %q", asked)
				}
			}
		})
	}
}

func TestWhereTheBaseRunsThereIsOneComparison(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		base        string
		same        bool // what runs was built from other sources that give the same
		evaluations int
	}{
		"the base was deployed":         {base: first},
		"there is no base":              {},
		"the base is what is planned":   {base: third},
		"the base gives what was built": {base: second, same: true, evaluations: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			base := withWorker()
			if tc.same {
				base = s.builder.Servers["web"]
			}
			three := s.afterBase(base, withUser())
			planned, _ := s.previewed(deploy.Request{Base: tc.base})
			got := planned["web"]
			if got.Packages == nil || got.FromBase != nil || got.Unknown != nil {
				t.Errorf("packages %+v, from base %+v, unknown %q", got.Packages, got.FromBase, got.Unknown)
			}
			if three.evaluations != tc.evaluations {
				t.Errorf("the base was evaluated %d times", three.evaluations)
			}
		})
	}
}

// A shallow checkout does not have the base, and a new server is not in it.
func TestABaseThatCannotBeEvaluatedIsNoError(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		shallow     bool
		evaluations int
		why         string
	}{
		"it is not in the checkout":   {true, 0, "find revision 2222222 (actions/checkout fetches it with `fetch-depth: 0`): Cannot find Git revision"},
		"it does not have the server": {false, 2, "evaluate revision 2222222: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			three := s.afterBase(withWorker(), withUser())
			three.shallow = tc.shallow
			delete(three.base.Servers, "web")
			planned, _ := s.previewed(deploy.Request{Base: second})
			got := planned["web"]
			if got.Packages == nil || got.Packages.Estimate || got.FromBase != nil || len(got.Unknown) != 1 ||
				!strings.Contains(got.Unknown[0], "what of it is new since the base, revision 2222222, is not known: "+tc.why) {
				t.Errorf("packages %+v, from base %+v, unknown %q", got.Packages, got.FromBase, got.Unknown)
			}
			if three.evaluations != tc.evaluations {
				t.Errorf("it was evaluated %d times", three.evaluations)
			}
		})
	}
}
