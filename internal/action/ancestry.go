package action

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
)

// comparer is what GitHub does for ancestry. *github.Client does it.
type comparer interface {
	Compare(ctx context.Context, base, head string) (github.Relation, error)
}

// compareTime bounds one question that there is another answer to, such as the commits'
// times.
const compareTime = 20 * time.Second

// ancestry asks GitHub how two commits stand to each other, once for each pair: all
// servers of a fleet mostly run the same one.
type ancestry struct {
	github comparer

	mu    sync.Mutex
	known map[[2]string]func() (int, error)
}

var _ deploy.Ancestry = (*ancestry)(nil)

// ancestry is nil where GitHub cannot be asked, without a token or about a flake that is
// not on this server: then times decide.
func (s *stage) ancestry() deploy.Ancestry {
	repository := s.flakeRepository()
	if s.github == nil || repository == "" {
		return nil
	}
	if s.ownFlake() {
		return newAncestry(s.github)
	}
	client, err := s.client(repository)
	if err != nil {
		return nil // that of the workflow's own repository could be made with the same
	}
	return newAncestry(client)
}

// flakeRepository is "owner/name" of the repository whose commits are deployed: mostly
// the workflow's own; empty if it is not on this server.
func (r *runner) flakeRepository() string {
	if r.fleet == nil {
		return r.event.Repository
	}
	source, err := r.fleet.FlakeSource()
	if err != nil || source.Address == "" {
		return r.event.Repository
	}
	repository, _ := git.GitHubRepository(source.Address, r.event.ServerURL)
	return repository
}

// ownFlake says whether the commits that are deployed are the workflow's repository's,
// so that checks and deployments can belong to them.
func (r *runner) ownFlake() bool { return strings.EqualFold(r.flakeRepository(), r.event.Repository) }

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
