package action

import (
	"context"
	"errors"
	"testing"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/github"
)

// compared answers one comparison and counts how often it was asked.
type compared struct {
	relation github.Relation
	err      error
	asked    *int
}

func (c compared) Compare(_ context.Context, base, head string) (github.Relation, error) {
	*c.asked++
	if base != "asked" || head != "running" {
		return "", errors.New("it was asked about other commits")
	}
	return c.relation, c.err
}

func TestAncestryIsAskedOnceForEachPairAndReadTheRightWayRound(t *testing.T) {
	t.Parallel()
	for relation, want := range map[github.Relation]int{
		github.Ahead:  -1, // what runs is ahead: the one asked for is its ancestor
		github.Behind: 1, github.Diverged: 0, github.Identical: 0,
	} {
		t.Run(string(relation), func(t *testing.T) {
			t.Parallel()
			asked := 0
			a := newAncestry(compared{relation: relation, asked: &asked})
			for range 3 {
				if got, err := a.Order(t.Context(), "asked", "running"); err != nil || got != want {
					t.Errorf("%d, %v; want %d", got, err, want)
				}
			}
			if asked != 1 {
				t.Errorf("GitHub was asked %d times", asked)
			}
		})
	}
	asked := 0
	a := newAncestry(compared{err: errors.New("404"), asked: &asked})
	if _, err := a.Order(t.Context(), "asked", "running"); err == nil {
		t.Error("a commit that is not known is no error")
	}
}

// TestCommitsOfAnotherRepositoryAreNotLookedForHere: a check of a commit that is not in
// the workflow's repository would be refused, and so would a comparison.
func TestCommitsOfAnotherRepositoryAreNotLookedForHere(t *testing.T) {
	t.Parallel()
	for flake, want := range map[string]struct {
		repository string
		own        bool
	}{
		".":                                  {"acme/fleet", true},
		"./nix?dir=hosts":                    {"acme/fleet", true},
		"github:acme/hosts":                  {"acme/hosts", false},
		"github:Acme/fleet":                  {"Acme/fleet", true},
		"git+ssh://git@github.com/acme/o":    {"acme/o", false},
		"git+https://forge.example/acme/o":   {"", false},
		"gitlab:acme/hosts":                  {"", false},
		"github:acme/hosts?host=ghe.example": {"", false},
	} {
		t.Run(flake, func(t *testing.T) {
			t.Parallel()
			s := &stage{runner: &runner{
				event: workflow.Event{Repository: "acme/fleet", ServerURL: "https://github.com", SHA: "here"},
				fleet: &fleet.Fleet{Path: "snowdrop.yaml", Flake: flake},
			}}
			s.order.command, s.order.request.Revision = "deploy", "there"
			if got := s.flakeRepository(); got != want.repository || s.ownFlake() != want.own {
				t.Errorf("the commits are those of %q, own: %v", got, s.ownFlake())
			}
			if got := s.commit(); (got == "there") != want.own {
				t.Errorf("checks belong to %s", got)
			}
		})
	}
}
