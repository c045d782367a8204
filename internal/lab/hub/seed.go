package hub

import (
	"crypto/sha1" //nolint:gosec // git's names of commits are SHA-1
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// AddCommit adds a commit. Its parents must be there already; without At it is of
// now. A branch has it only after SetBranch, Push, AddPull or Merge.
func (h *Hub) AddCommit(c Commit) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addCommit(c)
}

func (h *Hub) addCommit(c Commit) error {
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(c.SHA) {
		return fmt.Errorf("add commit %q: its SHA has to be 40 hexadecimal digits", c.SHA)
	}
	if h.commits[c.SHA] != nil {
		return fmt.Errorf("add commit %s: it is there already", c.SHA)
	}
	for _, parent := range c.Parents {
		if h.commits[parent] == nil {
			return fmt.Errorf("add commit %s: its parent %s is not there", c.SHA, parent)
		}
	}
	if c.At.IsZero() {
		c.At = h.now()
	}
	c.At = c.At.UTC().Truncate(time.Second)
	c.Parents, c.order = slices.Clone(c.Parents), len(h.commits)
	h.commits[c.SHA] = &c
	return nil
}

// SetBranch makes a branch, or moves it, as a push does: an open pull request from
// it gets the commit too.
func (h *Hub) SetBranch(name, sha string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.commits[sha] == nil {
		return fmt.Errorf("set branch %s: commit %s is not there", name, sha)
	}
	h.branches[name] = sha
	for _, p := range h.pulls {
		if p.State == "open" && p.HeadRepository == h.cfg.Repository && p.HeadRef == name {
			if err := h.setHead(p, sha); err != nil {
				return fmt.Errorf("set branch %s: %w", name, err)
			}
		}
	}
	return nil
}

// AddPull adds an open pull request and returns it as it then is. Left out,
// Number is the next one, HeadRepository the repository itself, and BaseRef the
// default branch; the state, and what a merge would set, are not taken from p.
func (h *Hub) AddPull(p Pull) (Pull, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.addPull(p)
}

// addPull is AddPull with the lock held.
func (h *Hub) addPull(p Pull) (Pull, error) {
	if p.Number == 0 {
		for _, other := range h.pulls {
			p.Number = max(p.Number, other.Number)
		}
		p.Number++
	}
	if p.HeadRepository == "" {
		p.HeadRepository = h.cfg.Repository
	}
	if p.BaseRef == "" {
		p.BaseRef = h.cfg.DefaultBranch
	}
	base, ok := h.branches[p.BaseRef]
	switch {
	case h.pull(p.Number) != nil:
		return Pull{}, fmt.Errorf("add pull request %d: it is there already", p.Number)
	case p.HeadRef == "":
		return Pull{}, fmt.Errorf("add pull request %d: it has no branch", p.Number)
	case !ok:
		return Pull{}, fmt.Errorf("add pull request %d: the base %s is no branch", p.Number, p.BaseRef)
	}
	p.State, p.BaseSHA, p.ClosedAt, p.MergedAt = "open", base, time.Time{}, time.Time{}
	if p.CreatedAt.IsZero() {
		p.CreatedAt = h.now()
	}
	if err := h.setHead(&p, p.HeadSHA); err != nil {
		return Pull{}, err
	}
	p.UpdatedAt = p.CreatedAt
	if p.HeadRepository == h.cfg.Repository {
		h.branches[p.HeadRef] = p.HeadSHA
	}
	h.pulls = append(h.pulls, &p)
	return p, nil
}

// Push gives an open pull request another head. For one from the repository itself
// that is SetBranch; for one from a fork there is no other way.
func (h *Hub) Push(number int, sha string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := h.openPull(number)
	if err != nil {
		return fmt.Errorf("push to pull request %d: %w", number, err)
	}
	if err := h.setHead(p, sha); err != nil {
		return err
	}
	if p.HeadRepository == h.cfg.Repository {
		h.branches[p.HeadRef] = sha
	}
	return nil
}

// setHead sets the head, and makes the commit that tries the merge.
func (h *Hub) setHead(p *Pull, sha string) error {
	if h.commits[sha] == nil {
		return fmt.Errorf("set the head of pull request %d: commit %s is not there", p.Number, sha)
	}
	p.HeadSHA, p.UpdatedAt = sha, h.now()
	p.MergeCommit = nameOf("merge", p.BaseSHA, sha)
	if h.commits[p.MergeCommit] != nil {
		return nil
	}
	return h.addCommit(Commit{
		SHA: p.MergeCommit, Parents: []string{p.BaseSHA, sha}, Message: "Merge " + sha + " into " + p.BaseSHA,
		Author: p.Author, Test: true,
	})
}

// Merge merges a pull request with a commit that is there already: a merge commit,
// the squashed one, or the last of those that were rebased.
func (h *Hub) Merge(number int, mergeCommit string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := h.openPull(number)
	if err != nil {
		return fmt.Errorf("merge pull request %d: %w", number, err)
	}
	if h.commits[mergeCommit] == nil {
		return fmt.Errorf("merge pull request %d: commit %s is not there", number, mergeCommit)
	}
	p.State, p.MergeCommit, p.MergedAt = "closed", mergeCommit, h.now()
	p.ClosedAt, p.UpdatedAt = p.MergedAt, p.MergedAt
	// Where the branch was moved before, it stays.
	if base := h.branches[p.BaseRef]; !h.commits.history(base)[mergeCommit] {
		p.BaseSHA, h.branches[p.BaseRef] = base, mergeCommit
	}
	return nil
}

// Close closes a pull request without merging it.
func (h *Hub) Close(number int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, err := h.openPull(number)
	if err != nil {
		return fmt.Errorf("close pull request %d: %w", number, err)
	}
	p.State, p.ClosedAt = "closed", h.now()
	p.UpdatedAt = p.ClosedAt
	return nil
}

func (h *Hub) openPull(number int) (*Pull, error) {
	p := h.pull(number)
	switch {
	case p == nil:
		return nil, errors.New("it is not there")
	case p.State != "open":
		return nil, errors.New("it is closed")
	}
	return p, nil
}

// nameOf is a SHA for what has no name of its own: the same for the same words.
func nameOf(words ...any) string {
	return fmt.Sprintf("%x", sha1.Sum([]byte(fmt.Sprintln(words...)))) //nolint:gosec // a name
}
