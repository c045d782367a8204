package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is the files of one commit of a repository, in a temporary folder, to change
// some of them. What is checked out in the repository, and its branches, stay as they
// are.
type Tree struct {
	// Dir is its top. It is a repository of its own with all files in one commit: Nix
	// looks for a flake in a repository, and has trouble with a working tree beside a
	// shallow clone.
	Dir string
	// Base is the commit.
	Base string

	repo      *Repository
	temporary string
	// raw are the flags of git that switch filters off.
	raw []string
}

// Tree makes one of a commit that is in the repository. Close removes it. Its files are
// as they are in the commit: no filter decrypts them, since Nix copies them to its store,
// where all can read them, nor downloads what Git LFS has elsewhere.
func (r *Repository) Tree(ctx context.Context, revision string) (*Tree, error) {
	temporary, err := os.MkdirTemp("", "snowdrop-tree-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the files of %s: %w", revision, err)
	}
	// Nix names trees by where they really are (macOS has links in the way).
	if real, err := filepath.EvalSymlinks(temporary); err == nil {
		temporary = real
	}
	t := &Tree{Dir: filepath.Join(temporary, "tree"), Base: revision, repo: r, temporary: temporary}
	if err := t.fill(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("lay out the files of %s: %w", revision, err), t.Close())
	}
	return t, nil
}

func (t *Tree) fill(ctx context.Context) error {
	if err := os.Mkdir(t.Dir, 0o700); err != nil {
		return err //nolint:wrapcheck // Tree says what it was for
	}
	git := t.repo.client
	t.raw = git.unfiltered(ctx, t.repo.Root)
	for _, args := range [][]string{
		{"read-tree", t.Base},
		append(slices.Clone(t.raw), "--work-tree="+t.Dir, "checkout-index", "--all", "--force"),
	} {
		if _, err := git.runWith(ctx, t.repo.Root, t.index(), args...); err != nil {
			return err
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		append(slices.Clone(t.raw), "add", "--all", "--force"),
		{"-c", "user.name=snowdrop", "-c", "user.email=snowdrop@localhost", "-c", "commit.gpgSign=false", "commit", "--quiet", "--allow-empty", "--message", t.Base},
	} {
		if _, err := git.run(ctx, t.Dir, args...); err != nil {
			return err
		}
	}
	return nil
}

// unfiltered are the flags of git that switch off the filters which a repository's
// attributes may name.
func (c *Client) unfiltered(ctx context.Context, dir string) []string {
	out, err := c.run(ctx, dir, "config", "--null", "--name-only", "--get-regexp", `^filter\..*\.(clean|smudge|process|required)$`)
	if err != nil {
		return nil // there are none
	}
	var flags []string
	for _, key := range strings.FieldsFunc(out, func(r rune) bool { return r == 0 }) {
		flags = append(flags, "-c", key+"=") // as a boolean, that is false
	}
	return flags
}

// index has git work with the tree's index, and not with that of what is checked out.
func (t *Tree) index() []string {
	return []string{"GIT_INDEX_FILE=" + filepath.Join(t.temporary, "index")}
}

// Close removes the tree; commits stay.
func (t *Tree) Close() error {
	if err := os.RemoveAll(t.temporary); err != nil {
		return fmt.Errorf("remove the files of %s: %w", t.Base, err)
	}
	return nil
}

// Changed are the files that differ from Base, new ones included, as paths from the
// tree's top with slashes.
func (t *Tree) Changed(ctx context.Context) ([]string, error) {
	args := append(slices.Clone(t.raw), "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames")
	out, err := t.repo.client.run(ctx, t.Dir, args...)
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
	out, err := t.repo.client.run(ctx, t.repo.Root, "show", t.Base+":"+path)
	if err != nil {
		return nil
	}
	return []byte(out)
}

// Identity is who commits where git's configuration does not say.
type Identity struct{ Name, Email string }

// Commit commits files, in the repository that the tree is of, and returns the commit,
// whose parent is Base and which is on no branch. Its message may name the object that
// its files are (Commit.Tree). Author and committer are those of git's configuration or
// environment, or else who. It is not signed.
func (t *Tree) Commit(ctx context.Context, who Identity, message func(files string) string, paths ...string) (string, error) {
	git, root := t.repo.client, t.repo.Root
	for _, path := range paths {
		file := filepath.Join(t.Dir, filepath.FromSlash(path))
		blob, err := git.run(ctx, root, "hash-object", "-w", "--path="+path, "--", file)
		if err == nil {
			_, err = git.runWith(ctx, root, t.index(), "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
		}
		if err != nil {
			return "", fmt.Errorf("add %s to a commit: %w", path, err)
		}
	}
	files, err := git.runWith(ctx, root, t.index(), "write-tree")
	if err != nil {
		return "", fmt.Errorf("write the files of a commit: %w", err)
	}
	args := []string{"commit-tree", "-p", t.Base, "-m", message(files), files}
	for _, role := range []string{"GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"} {
		// Otherwise git makes up an address of the machine's name.
		if _, err := git.run(ctx, root, "-c", "user.useConfigOnly=true", "var", role); err != nil {
			args = append([]string{"-c", "user.name=" + who.Name, "-c", "user.email=" + who.Email}, args...)
			break
		}
	}
	commit, err := git.run(ctx, root, args...)
	if err != nil {
		return "", fmt.Errorf("commit %s: %w", strings.Join(paths, ", "), err)
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
