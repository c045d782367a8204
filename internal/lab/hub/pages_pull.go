package hub

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// moment is one thing in a pull request's conversation; one of the fields is set.
type moment struct {
	At         time.Time
	Comment    *Comment
	Commit     *Commit
	Deployment *Deployment
	// Ended is "merged" or "closed".
	Ended string
}

func pullPage(v *view, r *http.Request) any {
	n, _ := strconv.Atoi(r.PathValue("number"))
	p := v.pullNumbered(n)
	if p == nil {
		return nil
	}
	v.Name = p.Title + " · Pull Request #" + strconv.Itoa(p.Number)
	commits := v.commits.between(p.BaseSHA, p.HeadSHA)
	var all []moment
	for _, c := range commits {
		all = append(all, moment{At: c.At, Commit: c})
	}
	for i, c := range v.Comments {
		if c.Pull == p.Number {
			all = append(all, moment{At: c.CreatedAt, Comment: &v.Comments[i]})
		}
	}
	for i, d := range v.Deployments {
		if d.SHA == p.HeadSHA || p.Merged() && d.SHA == p.MergeCommit {
			all = append(all, moment{At: d.CreatedAt, Deployment: &v.Deployments[i]})
		}
	}
	switch {
	case p.Merged():
		all = append(all, moment{At: p.MergedAt, Ended: "merged"})
	case p.State == "closed":
		all = append(all, moment{At: p.ClosedAt, Ended: "closed"})
	}
	slices.SortStableFunc(all, func(a, b moment) int { return a.At.Compare(b.At) })
	head := p.HeadSHA
	if p.Merged() {
		head = p.MergeCommit
	}
	checks := v.Checked(head)
	if len(checks) == 0 {
		checks = v.Checked(p.HeadSHA)
	}
	return struct {
		*view
		Pull    *Pull
		Moments []moment
		Runs    []Check
		Commits string
		InUse   []Deployment
	}{v, p, all, checks, count(len(commits), "commit"), v.inUse(all)}
}

// HeadLabel is the branch, with its owner where that is a fork's.
func (v *view) HeadLabel(p *Pull) string {
	if owner, _, _ := strings.Cut(p.HeadRepository, "/"); p.HeadRepository != v.repo {
		return owner + ":" + p.HeadRef
	}
	return p.HeadRef
}

// inUse are the newest deployments of the pull request's commits to each
// environment.
func (v *view) inUse(moments []moment) []Deployment {
	var found []Deployment
	for _, m := range slices.Backward(moments) {
		if d := m.Deployment; d != nil && !slices.ContainsFunc(found, func(o Deployment) bool { return o.Latest().Environment == d.Latest().Environment }) {
			found = append(found, *d)
		}
	}
	slices.SortFunc(found, func(a, b Deployment) int { return strings.Compare(a.Latest().Environment, b.Latest().Environment) })
	return found
}

// accountPage shows what somebody opened.
func accountPage(v *view, r *http.Request) any {
	login := r.PathValue("login")
	v.Name = login
	return struct {
		*view
		Login  string
		Opened []Pull
	}{v, login, slices.DeleteFunc(slices.Clone(v.Pulls), func(p Pull) bool { return p.Author != login })}
}
