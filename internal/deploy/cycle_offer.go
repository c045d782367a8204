package deploy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
)

// branch is where the change of a cycle is offered. It is ours alone. A fleet file that
// is not the default one has branches of its own: two of one repository may have cycles
// of one name.
func (u updating) branch() string {
	name := "snowdrop/"
	for part := range strings.SplitSeq(u.fleetFile, "/") {
		if part == "" {
			continue
		}
		// What git takes in the name of a branch: https://git-scm.com/docs/git-check-ref-format
		part = strings.NewReplacer("~", "%7E", ":", "%3A", "..", "%2E%2E").Replace(url.PathEscape(part))
		if rest, hidden := strings.CutPrefix(part, "."); hidden {
			part = "%2E" + rest
		}
		name += part + "/"
	}
	return name + "update-" + u.cycle
}

// otherFleetFile is the fleet file's path in its repository; empty for the default one,
// at the repository's top.
func (u updating) otherFleetFile(ctx context.Context) (string, error) {
	path, err := filepath.Abs(u.Fleet.Path)
	if err != nil {
		return "", fmt.Errorf("find the fleet file %s: %w", u.Fleet.Path, err)
	}
	name := filepath.Base(path)
	// The fleet file of a flake elsewhere need not be in a repository.
	if repo, err := u.Git.Open(ctx, filepath.Dir(path)); err == nil {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path)) // git's names have no links
		if err == nil {
			name, err = filepath.Rel(filepath.FromSlash(repo.Root), filepath.Join(dir, name))
		}
		if err != nil {
			return "", fmt.Errorf("find the fleet file %s in the repository %s: %w", u.Fleet.Path, repo.Root, err)
		}
	}
	if name == "snowdrop.yaml" {
		return "", nil
	}
	return filepath.ToSlash(name), nil
}

// trailer marks a commit of ours. It names the files, so that one that somebody has
// amended, or put on top of something else, is none of ours any more.
func (u updating) trailer(files string) string {
	return "Snowdrop-Cycle: " + u.cycle + "\nSnowdrop-Tree: " + files
}

// offer brings the commit to the cycle's own branch, and opens a pull request.
func (u updating) offer(ctx context.Context, repo *git.Repository, commit, into string, c change, proposer Proposer) error {
	if err := u.renew(ctx, repo, commit); err != nil {
		return err
	}
	if proposer == nil {
		u.tell.Phase("it is on the branch %s: open a merge request from it into %s", u.branch(), into)
		return nil
	}
	pull, outcome, err := proposer.Propose(ctx, github.Proposal{Head: u.branch(), Base: into, Title: c.title(), Body: c.body(u.cycle, u.fleetFile, into)})
	if err != nil {
		return fmt.Errorf("the branch %s is pushed: %w", u.branch(), err)
	}
	said := map[github.Outcome]string{github.Created: "opened", github.Updated: "brought up to date", github.Kept: "open already"}
	u.tell.Phase("pull request #%d is %s: %s", pull.Number, said[outcome], pull.URL)
	return nil
}

// renew makes the cycle's branch hold the commit. It is left alone if it holds the same
// already, so that checks and approvals count on, and refused if anybody else has put a
// commit there.
func (u updating) renew(ctx context.Context, repo *git.Repository, commit string) error {
	there, err := repo.Resolve(ctx, "refs/heads/"+u.branch())
	if errors.Is(err, git.ErrNoSuchRef) {
		return repo.Replace(ctx, commit, u.branch(), "") //nolint:wrapcheck // it says what it did
	}
	if err != nil {
		return fmt.Errorf("look at the branch %s: %w", u.branch(), err)
	}
	former, ours, err := u.ours(ctx, repo, there)
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("the branch %s has a commit that snowdrop did not make (%s): merge it, or delete the branch", u.branch(), short(there.Revision))
	}
	now, err := repo.Commit(ctx, commit)
	if err != nil {
		return err //nolint:wrapcheck // it says what it read
	}
	if former.Tree == now.Tree && strings.Join(former.Parents, " ") == strings.Join(now.Parents, " ") {
		return nil
	}
	return repo.Replace(ctx, commit, u.branch(), there.Revision) //nolint:wrapcheck // it says what it did
}

// ours says whether a commit at the cycle's branch is as snowdrop made it.
func (u updating) ours(ctx context.Context, repo *git.Repository, there git.Ref) (git.Commit, bool, error) {
	if err := repo.Bring(ctx, there); err != nil {
		return git.Commit{}, false, err //nolint:wrapcheck // it says what it fetches
	}
	commit, err := repo.Commit(ctx, there.Revision)
	if err != nil {
		return git.Commit{}, false, err //nolint:wrapcheck // it says what it read
	}
	return commit, strings.Contains("\n"+commit.Message+"\n", "\n"+u.trailer(commit.Tree)+"\n"), nil
}

// withdraw takes back what was offered and is not needed any more: somebody else has
// brought the inputs up to date, or it was merged. The pull request is closed and the
// branch deleted, unless somebody has put a commit there. What could not be taken back
// is a warning: the inputs are up to date.
func (u updating) withdraw(ctx context.Context, repo *git.Repository, into string, proposer Proposer) {
	there, err := repo.Resolve(ctx, "refs/heads/"+u.branch())
	if errors.Is(err, git.ErrNoSuchRef) {
		return
	}
	ours := false
	if err == nil {
		_, ours, err = u.ours(ctx, repo, there)
	}
	switch {
	case err != nil:
	case !ours:
		u.tell.Warn("nothing is left to update, but the branch %s has a commit that snowdrop did not make (%s): merge it, or delete the branch", u.branch(), short(there.Revision))
		return
	case u.dry:
		u.tell.Phase("dry run: the branch %s would be deleted, and its pull request closed", u.branch())
		return
	default:
		err = u.takeBack(ctx, repo, there, into, proposer)
	}
	if err != nil && ctx.Err() == nil {
		u.tell.Warn("nothing is left to update, but what is offered on the branch %s could not be taken back: %v", u.branch(), err)
	}
}

func (u updating) takeBack(ctx context.Context, repo *git.Repository, there git.Ref, into string, proposer Proposer) error {
	if proposer != nil {
		why := "Nothing is left to update: the inputs are up to date in `" + into + "`. The next update is offered anew."
		pull, open, err := proposer.Withdraw(ctx, u.branch(), into, why)
		if err != nil {
			return err //nolint:wrapcheck // it says what it did
		}
		if open {
			u.tell.Phase("pull request #%d is closed, as nothing is left to update: %s", pull.Number, pull.URL)
		}
	}
	if err := repo.Delete(ctx, u.branch(), there.Revision); err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	if proposer == nil {
		u.tell.Phase("the branch %s is deleted, as nothing is left to update: close the merge request from it, if there is one", u.branch())
		return nil
	}
	u.tell.Phase("the branch %s is deleted", u.branch())
	return nil
}
