package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	slash "path"
	"path/filepath"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/nix"
)

// updating brings the inputs of a flake up to date: in a working tree of its own, which
// is gone afterwards.
type updating struct {
	CycleSource
	cycle  string
	update fleet.Update
	place  place
	tell   event.Teller
	// dry says that nothing is pushed.
	dry bool
}

// run brings the inputs up to date and returns what is to be deployed: ref as it is, or
// with the commit that went to it.
func (u updating) run(ctx context.Context, ref git.Ref) (updated git.Ref, err error) {
	if !ref.Branch() {
		return ref, fmt.Errorf("%s is a tag, whose lock file cannot be changed: write a branch as `ref:`, or leave `update:` out", ref.Name)
	}
	proposer, err := u.proposer(ctx)
	if err != nil {
		return ref, err
	}
	repo, done, err := u.place.open(ctx, ref)
	if err != nil {
		return ref, err
	}
	defer func() { err = errors.Join(err, done()) }()
	updated, err = u.once(ctx, repo, ref, proposer)
	if !errors.Is(err, git.ErrMoved) {
		return updated, err
	}
	// Somebody else pushed meanwhile. Their lock file is the one to update.
	u.tell.Phase("%v; once more", err)
	now, err := u.place.resolve(ctx, ref.Full)
	if err != nil {
		return ref, fmt.Errorf("look up %s again: %w", ref.Name, err)
	}
	if err := repo.Bring(ctx, now); err != nil {
		return ref, err //nolint:wrapcheck // it says what it fetches
	}
	return u.once(ctx, repo, now, proposer)
}

// proposer is who opens the pull request; nil where there is nobody, or none is wanted.
func (u updating) proposer(ctx context.Context) (Proposer, error) {
	if u.update.Via != fleet.ViaPullRequest || u.dry {
		return nil, nil //nolint:nilnil // there is nobody, and nothing wrong with it
	}
	repository, ok := git.GitHubRepository(u.place.address(ctx), u.Server)
	if !ok && u.place.repo != nil {
		repository = u.Repository
	}
	if repository == "" {
		return nil, nil //nolint:nilnil // as above
	}
	proposer, err := u.GitHub(repository)
	if err != nil {
		return nil, fmt.Errorf("open a pull request in %s: %w", repository, err)
	}
	return proposer, nil
}

func (u updating) once(ctx context.Context, repo *git.Repository, ref git.Ref, proposer Proposer) (updated git.Ref, err error) {
	tree, err := repo.Tree(ctx, ref.Revision)
	if err != nil {
		return ref, err //nolint:wrapcheck // it says of what
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	lock, change, err := u.change(ctx, repo, tree, ref)
	if err != nil || lock == "" {
		return ref, err
	}
	for _, line := range change.lines {
		u.tell.Phase("%s", line)
	}
	branch := strings.TrimPrefix(ref.Full, "refs/heads/")
	if u.dry {
		where := "pushed to " + branch + " and deployed"
		if u.update.Via == fleet.ViaPullRequest {
			where = "offered as a pull request from " + u.branch() + " into " + branch
		}
		u.tell.Phase("dry run: that would be %s", where)
		return ref, nil
	}
	message := func(files string) string { return change.message(u.trailer(files)) }
	commit, err := tree.Commit(ctx, u.Author, message, lock)
	if err != nil {
		return ref, err //nolint:wrapcheck // it says what it did
	}
	if u.update.Via == fleet.ViaBranch {
		if err := repo.Push(ctx, commit, branch); err != nil {
			return ref, err //nolint:wrapcheck // as above
		}
		u.tell.Phase("pushed to %s as %s", branch, short(commit))
		ref.Revision = commit
		return ref, nil
	}
	return ref, u.offer(ctx, repo, commit, branch, change, proposer)
}

// change updates the flake in a tree and returns the changed lock file's path in it;
// empty if nothing moved.
func (u updating) change(ctx context.Context, repo *git.Repository, tree *git.Tree, ref git.Ref) (path string, c change, err error) {
	dir, err := u.place.dir(repo, tree.Dir)
	if err != nil {
		return "", c, err
	}
	below, err := flakeFrom(dir, tree.Dir)
	if err != nil {
		return "", c, fmt.Errorf("%s at %s: %w", ref.Name, short(ref.Revision), err)
	}
	u.tell.Phase("updating %s of the flake at %s", orAll(u.update.Inputs), short(ref.Revision))
	if err := u.Nix.Update(ctx, filepath.Join(tree.Dir, below), u.update.Inputs, nix.Progress{Log: u.tell.Log}); err != nil {
		return "", c, err //nolint:wrapcheck // it says what it did
	}
	path = slash.Join(filepath.ToSlash(below), "flake.lock")
	data, err := os.ReadFile(filepath.Join(tree.Dir, filepath.FromSlash(path)))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", c, fmt.Errorf("read the lock file: %w", err)
	}
	lock, err := nix.ParseLock(data)
	if err != nil {
		return "", c, err //nolint:wrapcheck // it says what it read
	}
	if missing := lock.Missing(u.update.Inputs); len(missing) > 0 {
		return "", c, fmt.Errorf("the flake has no input %s: it has %s; correct `inputs:`", list(missing), list(lock.Names()))
	}
	changed, err := tree.Changed(ctx)
	if err != nil {
		return "", c, err //nolint:wrapcheck // it says what it did
	}
	switch {
	case len(changed) == 0:
		u.tell.Phase("%s up to date at %s: nothing to update", orAll(u.update.Inputs), short(ref.Revision))
		return "", c, nil
	case len(changed) > 1 || changed[0] != path:
		return "", c, fmt.Errorf("nix changed more than %s: %s", path, list(changed))
	}
	former, err := nix.ParseLock(tree.Former(ctx, path))
	if err != nil {
		return "", c, fmt.Errorf("at %s: %w", short(ref.Revision), err)
	}
	return path, newChange(path, lock, former), nil
}

// flakeFrom is the folder of the flake that Nix finds from a folder upwards, as far as
// the tree reaches, seen from the tree's top.
func flakeFrom(dir, tree string) (string, error) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "flake.nix")); err == nil {
			below, err := filepath.Rel(tree, at)
			if err != nil {
				return "", fmt.Errorf("find the flake: %w", err)
			}
			return below, nil
		}
		if at == tree || at == filepath.Dir(at) {
			return "", errors.New("there is no flake.nix where the fleet file says")
		}
	}
}

func orAll(inputs []string) string {
	if len(inputs) == 0 {
		return "all inputs"
	}
	return list(inputs)
}

// branch is where the change of a cycle is offered. It is ours alone.
func (u updating) branch() string { return "snowdrop/update-" + u.cycle }

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
	pull, outcome, err := proposer.Propose(ctx, github.Proposal{Head: u.branch(), Base: into, Title: c.title(), Body: c.body(u.cycle, into)})
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
	if err := repo.Bring(ctx, there); err != nil {
		return err //nolint:wrapcheck // it says what it fetches
	}
	former, err := repo.Commit(ctx, there.Revision)
	if err != nil {
		return err //nolint:wrapcheck // it says what it read
	}
	if !strings.Contains("\n"+former.Message+"\n", "\n"+u.trailer(former.Tree)+"\n") {
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
