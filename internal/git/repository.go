package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Repository is a clone on this machine.
type Repository struct {
	client *Client
	// Root is the top of its working tree.
	Root string
	// temporary is the folder that Close removes; empty for a clone that stays.
	temporary string
}

// Remote is what a clone's remote is called that branches and tags are asked of.
const Remote = "origin"

// Open finds the repository that a folder lies in.
func (c *Client) Open(ctx context.Context, dir string) (*Repository, error) {
	root, err := c.run(ctx, dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, fmt.Errorf("find the git repository of %s: %w", dir, err)
	}
	return &Repository{client: c, Root: root}, nil
}

// Clone makes a clone with one commit of a repository elsewhere, in a temporary
// folder, with no files in it. Close removes it.
func (c *Client) Clone(ctx context.Context, address string, ref Ref) (*Repository, error) {
	temporary, err := os.MkdirTemp("", "snowdrop-clone-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for a clone: %w", err)
	}
	r := &Repository{client: c, Root: filepath.Join(temporary, "clone"), temporary: temporary}
	format := "sha1"
	if len(ref.Revision) == 64 {
		format = "sha256" // one does not fetch from the other
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--object-format=" + format, r.Root},
		{"-C", r.Root, "remote", "add", Remote, address},
		// One commit is enough: of a shallow clone the next ones are, too.
		{"-C", r.Root, "fetch", "--quiet", "--no-tags", "--depth=1", Remote, ref.Full},
	} {
		if _, err := c.run(ctx, temporary, args...); err != nil {
			return nil, errors.Join(fmt.Errorf("clone %s: %w", withoutPasswords(address), err), r.Close())
		}
	}
	if err := r.Bring(ctx, ref); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	// A new repository's HEAD is a branch without a commit, which Nix trips over.
	if _, err := c.run(ctx, r.Root, "update-ref", "--no-deref", "HEAD", ref.Revision); err != nil {
		return nil, errors.Join(fmt.Errorf("clone %s: %w", withoutPasswords(address), err), r.Close())
	}
	return r, nil
}

// Close removes a clone that Clone made; others stay.
func (r *Repository) Close() error {
	if r.temporary == "" {
		return nil
	}
	if err := os.RemoveAll(r.temporary); err != nil {
		return fmt.Errorf("remove the clone: %w", err)
	}
	return nil
}

// Address is where the remote was cloned from, as the repository's configuration has
// it; empty without a remote.
func (r *Repository) Address(ctx context.Context) string {
	address, err := r.client.run(ctx, r.Root, "config", "--get", "remote."+Remote+".url")
	if err != nil {
		return ""
	}
	return address
}

// Resolve is Client.Resolve of the remote.
func (r *Repository) Resolve(ctx context.Context, ref string) (Ref, error) {
	return r.client.Resolve(ctx, r.Root, Remote, ref)
}

// LatestTag is Client.LatestTag of the remote.
func (r *Repository) LatestTag(ctx context.Context) (Ref, error) {
	return r.client.LatestTag(ctx, r.Root, Remote)
}

// Bring fetches a ref's commit unless it is there: a clone of continuous integration
// has one commit alone. No branch, no tag and not FETCH_HEAD is changed by that. The
// commit comes with its history: cut off at it, a clone could not be pulled to any
// later commit, because there git would see the history end.
func (r *Repository) Bring(ctx context.Context, ref Ref) error {
	if r.has(ctx, ref.Revision) {
		return nil
	}
	args := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules", "--refmap="}
	_, err := r.client.run(ctx, r.Root, append(args, Remote, ref.Revision)...)
	if err != nil && ref.Full != "" && ctx.Err() == nil {
		// Some servers give out what has a name, and only by that.
		_, err = r.client.run(ctx, r.Root, append(args, Remote, ref.Full)...)
	}
	if err != nil {
		return fmt.Errorf("fetch %s of %s: %w", ref.Revision, ref.Name, err)
	}
	if !r.has(ctx, ref.Revision) {
		return fmt.Errorf("fetch %s: %s is another commit meanwhile; run it again", ref.Revision, ref.Name)
	}
	return nil
}

func (r *Repository) has(ctx context.Context, revision string) bool {
	_, err := r.client.run(ctx, r.Root, "cat-file", "-e", revision+"^{commit}")
	return err == nil
}
