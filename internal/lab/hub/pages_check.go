package hub

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

func checkPage(v *view, r *http.Request) any {
	id, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
	i := slices.IndexFunc(v.Checks, func(k Check) bool { return k.ID == id })
	if i < 0 {
		return nil
	}
	k := v.Checks[i]
	v.Name = k.Name
	pull := slices.IndexFunc(v.Pulls, func(p Pull) bool { return p.HeadSHA == k.HeadSHA || p.MergeCommit == k.HeadSHA })
	var of *Pull
	if pull >= 0 {
		of = &v.Pulls[pull]
	}
	return struct {
		*view
		Run    Check
		Others []Check
		Commit *Commit
		Pull   *Pull
	}{v, k, v.Checked(k.HeadSHA), v.commitNamed(k.HeadSHA), of}
}

// runPage stands in for the page of a workflow run: it shows what says that it came
// from there.
func runPage(v *view, r *http.Request) any {
	v.Name = "Workflow run " + r.PathValue("id")
	path := v.page("actions/runs", r.PathValue("id"))
	from := func(address string) bool {
		// GITHUB_SERVER_URL may name this host in another way.
		u, err := url.Parse(address)
		own, ownErr := url.Parse(path)
		return err == nil && ownErr == nil && (u.Path == own.Path || strings.HasPrefix(u.Path, own.Path+"/"))
	}
	checks := slices.DeleteFunc(slices.Clone(v.Checks), func(k Check) bool { return !from(k.DetailsURL) })
	deployments := slices.DeleteFunc(slices.Clone(v.Deployments), func(d Deployment) bool { return !from(d.Latest().LogURL) })
	return struct {
		*view
		ID   string
		Runs []Check
		Went []Deployment
	}{v, r.PathValue("id"), checks, deployments}
}
