package hub

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// graph are commits by their SHA.
type graph map[string]*Commit

// history is a commit and all that it came from.
func (g graph) history(sha string) map[string]bool {
	seen := map[string]bool{}
	for next := []string{sha}; len(next) > 0; {
		one := next[len(next)-1]
		next = next[:len(next)-1]
		if c := g[one]; c != nil && !seen[one] {
			seen[one] = true
			next = append(next, c.Parents...)
		}
	}
	return seen
}

// between are the commits that head has and base lacks, the oldest first.
func (g graph) between(base, head string) []*Commit {
	has := g.history(base)
	var out []*Commit
	for sha := range g.history(head) {
		if !has[sha] {
			out = append(out, g[sha])
		}
	}
	slices.SortFunc(out, byOrder)
	return out
}

// mergeBase is the newest commit that both have and that no other such commit came
// from; nil if there is none.
func (g graph) mergeBase(a, b string) *Commit {
	ofB := g.history(b)
	var best *Commit
	for sha := range g.history(a) {
		if c := g[sha]; ofB[sha] && (best == nil || c.order > best.order) {
			best = c
		}
	}
	return best
}

// resolve finds the commit of a branch, a full or shortened SHA, or one of the
// references that a pull request has; nil if there is none.
func (h *Hub) resolve(ref string) *Commit {
	ref = strings.TrimPrefix(ref, "refs/")
	if sha, ok := h.branches[strings.TrimPrefix(ref, "heads/")]; ok {
		return h.commits[sha]
	}
	if m := regexp.MustCompile(`^pull/(\d+)/(head|merge)$`).FindStringSubmatch(ref); m != nil {
		n, _ := strconv.Atoi(m[1])
		if p := h.pull(n); p != nil && m[2] == "head" {
			return h.commits[p.HeadSHA]
		} else if p != nil {
			return h.commits[p.MergeCommit]
		}
	}
	if c := h.commits[ref]; c != nil {
		return c
	}
	if !regexp.MustCompile(`^[0-9a-f]{7,39}$`).MatchString(ref) {
		return nil
	}
	var found []string
	for sha := range maps.Keys(h.commits) {
		if strings.HasPrefix(sha, ref) {
			found = append(found, sha)
		}
	}
	if len(found) != 1 {
		return nil
	}
	return h.commits[found[0]]
}

// onDefault says whether the default branch has a commit.
func (h *Hub) onDefault(sha string) bool {
	return h.commits.history(h.branches[h.cfg.DefaultBranch])[sha]
}

func (h *Hub) pull(number int) *Pull {
	for _, p := range h.pulls {
		if p.Number == number {
			return p
		}
	}
	return nil
}

// brings says whether a pull request brings, or brought, a commit.
func (h *Hub) brings(p *Pull, sha string) bool {
	has := func(head string) bool {
		return slices.ContainsFunc(h.commits.between(p.BaseSHA, head), func(c *Commit) bool { return c.SHA == sha })
	}
	return has(p.HeadSHA) || p.Merged() && has(p.MergeCommit)
}

// pushedAt is when the newest commit was made.
func (h *Hub) pushedAt() (at time.Time) {
	at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range h.commits {
		if c.At.After(at) {
			at = c.At
		}
	}
	return at
}
