package action

import (
	"context"
	"errors"
	"testing"

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
