package hub

import (
	"net/http"
	"slices"
	"strings"
)

// environment is where deployments went, with the newest of them.
type environment struct {
	Name string
	// Newest is the newest deployment, Active the newest that is in use, if any.
	Newest, Active *Deployment
	// Count is how many there were, in words.
	Count string
	count int
}

func repositoryPage(v *view, _ *http.Request) any {
	v.Name = v.repo
	pulls := slices.Clone(v.Pulls)
	slices.Reverse(pulls)
	var open int
	for _, p := range pulls {
		if p.State == "open" {
			open++
		}
	}
	return struct {
		*view
		Newest       []Pull
		Open, Closed int
		History      []Commit
		Environments []environment
	}{v, pulls, open, len(pulls) - open, v.history(), v.environments()}
}

// history is the default branch, the newest first; a screenful.
func (v *view) history() []Commit {
	const screenful = 20
	seen := v.commits.history(v.Branches[v.DefaultBranch])
	var out []Commit
	for _, c := range slices.Backward(v.Commits) {
		if seen[c.SHA] && len(out) < screenful {
			out = append(out, c)
		}
	}
	return out
}

// environments are all that deployments went to, by name.
func (v *view) environments() []environment {
	var all []environment
	for i, d := range v.Deployments {
		name := d.Latest().Environment
		at := slices.IndexFunc(all, func(e environment) bool { return e.Name == name })
		if at < 0 {
			at, all = len(all), append(all, environment{Name: name})
		}
		all[at].Newest, all[at].count = &v.Deployments[i], all[at].count+1
		all[at].Count = count(all[at].count, "deployment")
		if d.Latest().State == "success" {
			all[at].Active = &v.Deployments[i]
		}
	}
	slices.SortFunc(all, func(a, b environment) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func commitPage(v *view, r *http.Request) any {
	c := v.commitNamed(r.PathValue("ref"))
	if c == nil {
		return nil
	}
	v.Name = c.Subject()
	var pulls []Pull
	for _, p := range v.Pulls {
		if p.HeadSHA == c.SHA || p.MergeCommit == c.SHA {
			pulls = append(pulls, p)
		}
	}
	return struct {
		*view
		Commit *Commit
		In     []Pull
		Runs   []Check
		Went   []Deployment
	}{v, c, pulls, v.Checked(c.SHA), v.Deployed(c.SHA)}
}

// comparePage shows what one commit has and another lacks.
func (h *Hub) comparePage(v *view, r *http.Request) any {
	base, head, ok := strings.Cut(r.PathValue("basehead"), "...")
	h.mu.Lock()
	defer h.mu.Unlock()
	from, to := h.resolve(base), h.resolve(head)
	if !ok || from == nil || to == nil {
		return nil
	}
	v.Name = "Comparing " + base + "..." + head
	commits := v.commits.between(from.SHA, to.SHA)
	slices.Reverse(commits)
	return struct {
		*view
		Base, Head string
		Between    []*Commit
	}{v, from.SHA, to.SHA, commits}
}
