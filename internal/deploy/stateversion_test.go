package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
)

// configured is a Nix whose systems have a stateVersion.
type configured struct {
	deploy.Nix
	version string
	fail    error
	asked   []string
}

func (c *configured) StateVersions(_ context.Context, systems []string) (map[string]string, error) {
	c.asked = append(c.asked, systems...)
	if c.fail != nil {
		return nil, c.fail
	}
	found := map[string]string{}
	for _, s := range systems {
		found[s] = c.version
	}
	return found, nil
}

func TestAnotherStateVersionIsSeenInThePlan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		after, wantBefore, wantAfter string
		fail                         error
		unknown                      string
	}{
		"another":       {"25.05", "24.11", "25.05", nil, ""},
		"the same":      {"24.11", "", "", nil, ""},
		"not evaluated": {"25.05", "", "", errors.New("out of memory\nand more"), "system.stateVersion is not compared: evaluate system.stateVersion: out of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			own := s.nix
			s.nix = &configured{Nix: own, version: "24.11"}
			s.mustRun()
			s.release(second, "web", withWorker())
			next := &configured{Nix: s.elsewhere(), version: c.after, fail: c.fail}
			s.nix = next
			planned, _ := s.previewed(deploy.Request{})
			got := planned["web"]
			if got.System == nil {
				t.Fatalf("not compared: %q", got.Unknown)
			}
			if got.System.StateVersionBefore != c.wantBefore || got.System.StateVersionAfter != c.wantAfter {
				t.Errorf("stateVersion %q → %q", got.System.StateVersionBefore, got.System.StateVersionAfter)
			}
			if c.unknown != "" && !slices.Contains(got.Unknown, c.unknown) {
				t.Errorf("unknown is %q", got.Unknown)
			}
			if diff := cmp.Diff([]string{".#web-toplevel"}, next.asked); diff != "" {
				t.Errorf("a plan has evaluated:\n%s", diff)
			}
		})
	}
}

func TestAStateVersionThatWasNotKnownAtTheDeployIsNotEvaluatedForThePlan(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.nix = &configured{Nix: s.nix, fail: errors.New("out of memory")}
	s.mustRun()
	s.release(second, "web", withWorker())
	next := &configured{Nix: s.elsewhere(), version: "25.05"}
	s.nix = next
	planned, _ := s.previewed(deploy.Request{})
	got := planned["web"]
	if len(next.asked) > 0 || got.System == nil || got.System.StateVersionAfter != "" {
		t.Errorf("asked for %q, and %+v", next.asked, got.System)
	}
	if !strings.Contains(strings.Join(got.System.Unknown, "\n"), "system.stateVersion is not known: evaluate system.stateVersion: out of memory") {
		t.Errorf("unknown is %q", got.System.Unknown)
	}
}
