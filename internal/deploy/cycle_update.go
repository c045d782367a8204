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
	// fleetFile is the fleet file's path in its repository; empty for the default one.
	fleetFile string
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
	if u.fleetFile, err = u.otherFleetFile(ctx); err != nil {
		return ref, err
	}
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
	if err != nil {
		return ref, err
	}
	branch := strings.TrimPrefix(ref.Full, "refs/heads/")
	if lock == "" {
		if u.update.Via == fleet.ViaPullRequest {
			u.withdraw(ctx, repo, branch, proposer)
		}
		return ref, nil
	}
	for _, line := range change.lines {
		u.tell.Phase("%s", line)
	}
	if u.dry && u.update.Via == fleet.ViaPullRequest {
		u.tell.Phase("dry run: that would be offered as a pull request from %s into %s", u.branch(), branch)
		return ref, nil
	}
	message := func(files string) string { return change.message(u.trailer(files)) }
	commit, err := tree.Commit(ctx, u.Author, message, lock)
	if err != nil {
		return ref, err //nolint:wrapcheck // it says what it did
	}
	if u.update.Via == fleet.ViaBranch {
		if err := u.evaluates(ctx, repo, commit, ref); err != nil {
			return ref, fmt.Errorf("the flake does not evaluate with %s updated, so nothing was pushed, and %s is as it was (%s): %w", change.what(), branch, short(ref.Revision), err)
		}
		if u.dry {
			u.tell.Phase("dry run: that would be pushed to %s and deployed", branch)
			return ref, nil
		}
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
