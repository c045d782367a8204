package connect

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/versatus/snowdrop/internal/github"
)

// silent is a GitHub that takes requests and answers none.
type silent struct{}

func (silent) Propose(ctx context.Context, _ github.Proposal) (github.Pull, github.Outcome, error) {
	<-ctx.Done()
	return github.Pull{}, "", ctx.Err()
}

func (silent) Withdraw(ctx context.Context, _, _, _ string) (github.Pull, bool, error) {
	<-ctx.Done()
	return github.Pull{}, false, ctx.Err()
}

func TestAGitHubThatIsSilentHoldsUpNoDeploy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if _, _, err := (briefly{silent{}}).Propose(t.Context(), github.Proposal{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("propose: %v", err)
		}
		if _, _, err := (briefly{silent{}}).Withdraw(t.Context(), "a", "main", "x"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("withdraw: %v", err)
		}
		if took := time.Since(began); took > 2*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}
