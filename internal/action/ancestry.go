package action

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/github"
)

// comparer is what GitHub does for ancestry. *github.Client does it.
type comparer interface {
	Compare(ctx context.Context, base, head string) (github.Relation, error)
}

// compareTime bounds one question: the commits' times are an answer too.
const compareTime = 20 * time.Second

// ancestry asks GitHub how two commits stand to each other, once for each pair: all
// servers of a fleet mostly run the same one.
type ancestry struct {
	github comparer

	mu    sync.Mutex
	known map[[2]string]func() (int, error)
}

var _ deploy.Ancestry = (*ancestry)(nil)

// ancestry is nil where there is no token to ask GitHub with: then times decide.
func (s *stage) ancestry() deploy.Ancestry {
	if s.github == nil {
		return nil
	}
	return newAncestry(s.github)
}

func newAncestry(c comparer) *ancestry {
	return &ancestry{github: c, known: map[[2]string]func() (int, error){}}
}

// Order implements deploy.Ancestry.
func (a *ancestry) Order(ctx context.Context, one, other string) (int, error) {
	a.mu.Lock()
	ask, ok := a.known[[2]string{one, other}]
	if !ok {
		ask = sync.OnceValues(func() (int, error) { return a.order(ctx, one, other) })
		a.known[[2]string{one, other}] = ask
	}
	a.mu.Unlock()
	return ask()
}

func (a *ancestry) order(ctx context.Context, one, other string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, compareTime)
	defer cancel()
	relation, err := a.github.Compare(ctx, one, other)
	if err != nil {
		return 0, fmt.Errorf("compare the commits: %w", err)
	}
	switch relation {
	case github.Ahead:
		return -1, nil
	case github.Behind:
		return 1, nil
	default:
		return 0, nil
	}
}
