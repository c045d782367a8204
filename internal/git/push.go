package git

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// ErrMoved says that a branch is not where it was thought to be: somebody else pushed.
var ErrMoved = errors.New("the branch has moved meanwhile")

// Push brings a commit to a branch of the remote, which must be an ancestor of it:
// nothing that somebody pushed is lost. With ErrMoved it was not.
func (r *Repository) Push(ctx context.Context, commit, branch string) error {
	return r.push(ctx, commit, branch)
}

// Replace sets a branch of the remote to a commit, whatever the branch was, if that is
// former (empty: if there was no such branch). With ErrMoved it was something else.
func (r *Repository) Replace(ctx context.Context, commit, branch, former string) error {
	return r.push(ctx, commit, branch, "--force-with-lease="+heads+branch+":"+former)
}

// Delete deletes a branch of the remote, if that is at former. With ErrMoved it was
// elsewhere; one that is gone is no error.
func (r *Repository) Delete(ctx context.Context, branch, former string) error {
	err := r.push(ctx, "", branch, "--force-with-lease="+heads+branch+":"+former)
	if err == nil {
		return nil
	}
	if _, gone := r.Resolve(ctx, heads+branch); errors.Is(gone, ErrNoSuchRef) {
		return nil // deleted already: by somebody else, or with the pull request
	}
	return err
}

// push sets a branch of the remote to a commit; with none it is deleted.
func (r *Repository) push(ctx context.Context, commit, branch string, flags ...string) error {
	// Submodules are others' repositories, whatever push.recurseSubmodules says.
	args := append([]string{"push", "--porcelain", "--no-follow-tags", "--no-recurse-submodules"}, flags...)
	out, err := r.client.run(ctx, r.Root, append(args, Remote, commit+":"+heads+branch)...)
	if err == nil {
		return nil
	}
	what := "delete the branch " + branch
	if commit != "" {
		what = fmt.Sprintf("push %s to the branch %s", commit[:7], branch)
	}
	for line := range strings.Lines(out) {
		refused, ok := strings.CutPrefix(line, "!\t") // as --porcelain has it: ! FROM:TO SUMMARY (REASON)
		_, summary, _ := strings.Cut(strings.TrimSpace(refused), "\t")
		switch {
		case !ok:
		case strings.HasPrefix(summary, "[rejected]"):
			return fmt.Errorf("%s: %w", what, ErrMoved)
		case strings.HasPrefix(summary, "[remote rejected]"):
			return fmt.Errorf("%s: the server refused it %s; if the branch is protected, allow this account to push there, or use `via: pull-request`: %w",
				what, strings.TrimSpace(strings.TrimPrefix(summary, "[remote rejected]")), err)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}
