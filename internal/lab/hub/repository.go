package hub

import (
	"net/http"
	"slices"
	"strings"
)

func (h *Hub) repositoryRoutes() []route {
	return []route{
		{"GET /user", nil, "users/users#get-the-authenticated-user", h.self},
		{"GET /repos/{owner}/{repo}", nil, "repos/repos#get-a-repository", func(c *call) (int, any, error) {
			return http.StatusOK, h.repository(c.links), nil
		}},
		{"GET /repos/{owner}/{repo}/commits/{ref}", []string{"contents"}, "commits/commits#get-a-commit", h.getCommit},
		{"GET /repos/{owner}/{repo}/compare/{basehead...}", []string{"contents"}, "commits/commits#compare-two-commits", h.compare},
	}
}

// self is whose token it is: an app's token has no such self.
func (h *Hub) self(c *call) (int, any, error) {
	if c.token.bot() {
		return 0, nil, forbidden("Resource not accessible by integration")
	}
	u := c.user(c.token.Login)
	for _, key := range []string{"name", "company", "blog", "location", "email", "hireable", "bio"} {
		u[key] = nil
	}
	for _, key := range []string{"public_repos", "public_gists", "followers", "following"} {
		u[key] = 0
	}
	u["user_view_type"], u["created_at"], u["updated_at"] = "public", "2020-01-02T03:04:05Z", "2020-01-02T03:04:05Z"
	return http.StatusOK, u, nil
}

// repository is the repository that the links lead to: this one, or a fork of it.
func (h *Hub) repository(l links) map[string]any {
	owner, name, _ := strings.Cut(l.repo, "/")
	id := numberOf(l.repo)
	_, bare, _ := strings.Cut(l.root, "://")
	open := len(slices.DeleteFunc(slices.Clone(h.pulls), func(p *Pull) bool { return p.State != "open" }))
	r := map[string]any{
		"id": id, "node_id": nodeID("R", id), "name": name, "full_name": l.repo, "owner": l.user(owner), "private": true,
		"fork": l.repo != h.cfg.Repository, "url": l.api(), "html_url": l.page(), "default_branch": h.cfg.DefaultBranch,
		"git_url": "git://" + bare + "/" + l.repo + ".git", "ssh_url": "git@" + bare + ":" + l.repo + ".git",
		"clone_url": l.page() + ".git", "svn_url": l.page(), "has_issues": true, "permissions": map[string]bool{"admin": false, "push": true, "pull": true},
		"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z", "pushed_at": stamp(h.pushedAt()),
		"open_issues_count": open, "open_issues": open,
	}
	for _, key := range []string{"description", "mirror_url", "homepage", "language", "license"} {
		r[key] = nil
	}
	for _, key := range []string{
		"forks_count", "stargazers_count", "watchers_count", "size", "subscribers_count", "network_count", "forks", "watchers",
	} {
		r[key] = 0
	}
	for _, key := range []string{"has_projects", "has_wiki", "has_pages", "has_discussions", "has_downloads", "archived", "disabled"} {
		r[key] = false
	}
	for key, path := range map[string]string{
		"archive": "{archive_format}{/ref}", "assignees": "assignees{/user}", "blobs": "git/blobs{/sha}", "branches": "branches{/branch}",
		"collaborators": "collaborators{/collaborator}", "comments": "comments{/number}", "commits": "commits{/sha}",
		"compare": "compare/{base}...{head}", "contents": "contents/{+path}", "contributors": "contributors", "deployments": "deployments",
		"downloads": "downloads", "events": "events", "forks": "forks", "git_commits": "git/commits{/sha}", "git_refs": "git/refs{/sha}",
		"git_tags": "git/tags{/sha}", "hooks": "hooks", "issue_comment": "issues/comments{/number}", "issue_events": "issues/events{/number}",
		"issues": "issues{/number}", "keys": "keys{/key_id}", "labels": "labels{/name}", "languages": "languages", "merges": "merges",
		"milestones": "milestones{/number}", "notifications": "notifications{?since,all,participating}", "pulls": "pulls{/number}",
		"releases": "releases{/id}", "stargazers": "stargazers", "statuses": "statuses/{sha}", "subscribers": "subscribers",
		"subscription": "subscription", "tags": "tags", "teams": "teams", "trees": "git/trees{/sha}",
	} {
		r[key+"_url"] = l.api(path)
	}
	return r
}

func (h *Hub) getCommit(c *call) (int, any, error) {
	commit := h.resolve(c.PathValue("ref"))
	if commit == nil {
		return 0, nil, unprocessable("No commit found for SHA: %s", c.PathValue("ref"))
	}
	out := c.commit(commit)
	out["stats"], out["files"] = map[string]int{"additions": 0, "deletions": 0, "total": 0}, []any{}
	return http.StatusOK, out, nil
}

func (l links) commit(c *Commit) map[string]any {
	who := map[string]any{"name": c.Author, "email": c.Author + "@users.noreply.github.com", "date": stamp(c.At)}
	tree := nameOf("tree", c.SHA)
	return map[string]any{
		"sha": c.SHA, "node_id": nodeID("C", numberOf(c.SHA)), "url": l.api("commits", c.SHA), "html_url": l.page("commit", c.SHA),
		"comments_url": l.api("commits", c.SHA, "comments"), "author": l.user(c.Author), "committer": l.user(c.Author),
		"commit": map[string]any{
			"url": l.api("git/commits", c.SHA), "author": who, "committer": who, "message": c.Message, "comment_count": 0,
			"tree":         map[string]any{"sha": tree, "url": l.api("git/trees", tree)},
			"verification": map[string]any{"verified": false, "reason": "unsigned", "payload": nil, "signature": nil, "verified_at": nil},
		},
		"parents": list(c.Parents, func(sha string) map[string]any {
			return map[string]any{"sha": sha, "url": l.api("commits", sha), "html_url": l.page("commit", sha)}
		}),
	}
}

// compare says how one commit stands to another. The files are left out: what
// commits change is not known.
func (h *Hub) compare(c *call) (int, any, error) {
	basehead := c.PathValue("basehead")
	baseRef, headRef, ok := strings.Cut(basehead, "...")
	base, head := h.resolve(h.local(baseRef)), h.resolve(h.local(headRef))
	if !ok || base == nil || head == nil {
		return 0, nil, notFound()
	}
	shared := h.commits.mergeBase(base.SHA, head.SHA)
	if shared == nil {
		return 0, nil, &apiError{status: http.StatusNotFound, message: "No common ancestor between " + baseRef + " and " + headRef + "."}
	}
	ahead, behind := h.commits.between(base.SHA, head.SHA), h.commits.between(head.SHA, base.SHA)
	status := "diverged"
	switch {
	case len(ahead) == 0 && len(behind) == 0:
		status = "identical"
	case len(behind) == 0:
		status = "ahead"
	case len(ahead) == 0:
		status = "behind"
	}
	self := c.page("compare", basehead)
	return http.StatusOK, map[string]any{
		"url": c.api("compare", basehead), "html_url": self, "permalink_url": self, "diff_url": self + ".diff", "patch_url": self + ".patch",
		"base_commit": c.commit(base), "merge_base_commit": c.commit(shared), "status": status,
		"ahead_by": len(ahead), "behind_by": len(behind), "total_commits": len(ahead),
		"commits": list(page(c, ahead, 100), c.commit), "files": []any{},
	}, nil
}

// local leaves the owner out of owner:branch, which a comparison may name.
func (h *Hub) local(ref string) string {
	return strings.TrimPrefix(ref, h.owner()+":")
}
