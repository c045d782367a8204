package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Ref is a branch or a tag of a repository, and where it is.
type Ref struct {
	// Name is as people call it: main, v1.4.0.
	Name string
	// Full is git's own name of it: refs/heads/main.
	Full string
	// Revision is the commit, in full; of an annotated tag the commit that it names.
	Revision string
}

// Branch says whether it is a branch.
func (r Ref) Branch() bool { return strings.HasPrefix(r.Full, heads) }

const (
	heads = "refs/heads/"
	tags  = "refs/tags/"
	// peeled follows the name of an annotated tag where its commit is listed.
	peeled = "^{}"
)

// ErrNoSuchRef says that the repository has no such branch or tag.
var ErrNoSuchRef = errors.New("there is no such branch or tag")

// Resolve asks a remote (its name in the repository dir, or an address) what a branch
// or a tag is now. A branch and a tag of one name are an error, unless both are the
// same commit: refs/heads/NAME and refs/tags/NAME say which is meant. Without one it
// is ErrNoSuchRef.
func (c *Client) Resolve(ctx context.Context, dir, remote, ref string) (Ref, error) {
	patterns := []string{ref, ref + peeled}
	if !strings.HasPrefix(ref, "refs/") {
		patterns = []string{heads + ref, tags + ref, tags + ref + peeled}
	}
	listed, err := c.list(ctx, dir, remote, patterns...)
	if err != nil {
		return Ref{}, err
	}
	var found []Ref
	for _, r := range listed {
		// Patterns match at the end: refs/heads/x/refs/heads/main is another branch.
		if slices.Contains(patterns, r.Full) {
			found = append(found, r)
		}
	}
	switch {
	case len(found) == 0:
		return Ref{}, fmt.Errorf("%w %q in %s: push it, or correct `ref:`", ErrNoSuchRef, ref, withoutPasswords(remote))
	case len(found) > 1 && found[0].Revision != found[1].Revision:
		return Ref{}, fmt.Errorf("%q is a branch (%s) and a tag (%s) in %s: write %s or %s",
			ref, found[0].Revision[:7], found[1].Revision[:7], withoutPasswords(remote), heads+ref, tags+ref)
	}
	return found[0], nil
}

// LatestTag asks a remote for the newest version among its tags. Versions are
// compared as semantic versions, a "v" before them may be left out; tags that are no
// version, and pre-releases, do not count. Without a version it is ErrNoSuchRef.
func (c *Client) LatestTag(ctx context.Context, dir, remote string) (Ref, error) {
	listed, err := c.list(ctx, dir, remote, tags+"*", tags+"*"+peeled)
	if err != nil {
		return Ref{}, err
	}
	var newest Ref
	var best version
	pre := ""
	for _, r := range listed {
		if !strings.HasPrefix(r.Full, tags) {
			continue
		}
		v, ok := parseVersion(r.Name)
		switch {
		case !ok:
		case v.pre != "":
			pre = r.Name
		case newest.Full == "" || v.compare(best) > 0:
			newest, best = r, v
		}
	}
	if newest.Full != "" {
		return newest, nil
	}
	only := ""
	if pre != "" {
		only = fmt.Sprintf(" but pre-releases such as %s, which do not count", pre)
	}
	return Ref{}, fmt.Errorf("%w: no tag of %s is a version such as v1.4.0%s: tag one, or write a branch as `ref:`", ErrNoSuchRef, withoutPasswords(remote), only)
}

// list asks a remote for its refs by patterns, annotated tags as their commits, in
// the order of their names.
func (c *Client) list(ctx context.Context, dir, remote string, patterns ...string) ([]Ref, error) {
	// Without an end to the flags a remote could be taken for one.
	out, err := c.run(ctx, dir, append([]string{"ls-remote", "--", remote}, patterns...)...)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its branches and tags: %w", withoutPasswords(remote), err)
	}
	var refs []Ref
	at := map[string]int{}
	for line := range strings.Lines(out) {
		revision, full, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		if tag, ok := strings.CutSuffix(full, peeled); ok {
			if i, known := at[tag]; known {
				refs[i].Revision = revision
			}
			continue
		}
		at[full] = len(refs)
		name := strings.TrimPrefix(strings.TrimPrefix(full, heads), tags)
		refs = append(refs, Ref{Name: name, Full: full, Revision: revision})
	}
	return refs, nil
}
