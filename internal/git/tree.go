package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Tree is a working tree of its own at one commit of a repository, in a temporary
// folder. What is checked out in the repository, and its branches, stay as they are.
type Tree struct {
	// Dir is its top, Base the commit.
	Dir, Base string

	repo      *Repository
	temporary string
}

// Tree makes one at a commit that is in the repository. Close removes it.
func (r *Repository) Tree(ctx context.Context, revision string) (*Tree, error) {
	temporary, err := os.MkdirTemp("", "snowdrop-tree-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a working tree: %w", err)
	}
	// Nix names trees by where they really are (macOS has links in the way).
	if real, err := filepath.EvalSymlinks(temporary); err == nil {
		temporary = real
	}
	t := &Tree{Dir: filepath.Join(temporary, "tree"), Base: revision, repo: r, temporary: temporary}
	if _, err := r.client.run(ctx, r.Root, "worktree", "add", "--quiet", "--detach", t.Dir, revision); err != nil {
		return nil, errors.Join(fmt.Errorf("check out %s beside what is checked out: %w", revision, err), t.Close(ctx))
	}
	return t, nil
}

// closeTime is what removing a tree may take once the run is cancelled.
const closeTime = 5 * time.Second

// Close removes the tree, also when ctx has ended; commits stay.
func (t *Tree) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	if err := os.RemoveAll(t.temporary); err != nil {
		return fmt.Errorf("remove the working tree %s: %w", t.Dir, err)
	}
	// The repository forgets trees that are gone, those of killed runs too.
	if _, err := t.repo.client.run(ctx, t.repo.Root, "worktree", "prune"); err != nil {
		return fmt.Errorf("forget the working tree %s: %w", t.Dir, err)
	}
	return nil
}

// Changed are the files that differ from Base, new ones included, as paths from the
// tree's top with slashes.
func (t *Tree) Changed(ctx context.Context) ([]string, error) {
	out, err := t.repo.client.run(ctx, t.Dir, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
	if err != nil {
		return nil, fmt.Errorf("see what changed: %w", err)
	}
	var changed []string
	for _, entry := range strings.Split(out, "\x00") {
		if len(entry) > 3 { // two letters of status and a blank
			changed = append(changed, entry[3:])
		}
	}
	return changed, nil
}

// Former is a file as it is in Base; nil where it is not there.
func (t *Tree) Former(ctx context.Context, path string) []byte {
	out, err := t.repo.client.run(ctx, t.Dir, "show", t.Base+":"+path)
	if err != nil {
		return nil
	}
	return []byte(out)
}

// Identity is who commits where git's configuration does not say.
type Identity struct{ Name, Email string }

// Commit commits files and returns the commit, whose parent is Base. Author and
// committer are those of git's configuration or environment, or else who.
func (t *Tree) Commit(ctx context.Context, who Identity, message string, paths ...string) (string, error) {
	git := t.repo.client
	var identity []string
	for _, role := range []string{"GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"} {
		// Otherwise git makes up an address of the machine's name.
		if _, err := git.run(ctx, t.Dir, "-c", "user.useConfigOnly=true", "var", role); err != nil {
			identity = []string{"-c", "user.name=" + who.Name, "-c", "user.email=" + who.Email}
		}
	}
	if _, err := git.run(ctx, t.Dir, append([]string{"add", "--force", "--"}, paths...)...); err != nil {
		return "", fmt.Errorf("add the changed files: %w", err)
	}
	if _, err := git.run(ctx, t.Dir, append(identity, "commit", "--quiet", "--message", message)...); err != nil {
		return "", fmt.Errorf("commit the changed files: %w", err)
	}
	commit, err := git.run(ctx, t.Dir, "rev-parse", "HEAD")
	if err != nil {
		return "", fmt.Errorf("name the commit: %w", err)
	}
	return commit, nil
}

// Commit is a commit as far as it matters here.
type Commit struct {
	Tree    string
	Parents []string
	Message string
}

// Commit reads a commit that is in the repository.
func (r *Repository) Commit(ctx context.Context, revision string) (Commit, error) {
	// What history a shallow clone leaves out does not matter to the commit itself.
	out, err := r.client.run(ctx, r.Root, "cat-file", "commit", revision)
	if err != nil {
		return Commit{}, fmt.Errorf("read the commit %s: %w", revision, err)
	}
	head, message, _ := strings.Cut(out, "\n\n")
	c := Commit{Message: message}
	for line := range strings.Lines(head) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "tree":
			c.Tree = value
		case "parent":
			c.Parents = append(c.Parents, value)
		}
	}
	return c, nil
}
