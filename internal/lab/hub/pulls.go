package hub

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (h *Hub) pullRoutes() []route {
	reads := []string{"pull-requests"}
	return []route{
		{"GET /repos/{owner}/{repo}/pulls", reads, "pulls/pulls#list-pull-requests", h.listPulls},
		{"POST /repos/{owner}/{repo}/pulls", reads, "pulls/pulls#create-a-pull-request", h.createPull},
		{"GET /repos/{owner}/{repo}/pulls/{number}", reads, "pulls/pulls#get-a-pull-request", h.getPull},
		{"PATCH /repos/{owner}/{repo}/pulls/{number}", reads, "pulls/pulls#update-a-pull-request", h.updatePull},
		{
			"GET /repos/{owner}/{repo}/commits/{ref}/pulls", reads,
			"commits/commits#list-pull-requests-associated-with-a-commit", h.pullsOfCommit,
		},
	}
}

func (h *Hub) listPulls(c *call) (int, any, error) {
	q := c.URL.Query()
	state := cmp.Or(q.Get("state"), "open")
	var found []*Pull
	for _, p := range h.pulls {
		owner, _, _ := strings.Cut(p.HeadRepository, "/")
		switch {
		case state != "all" && state != p.State:
		case q.Get("head") != "" && q.Get("head") != owner+":"+p.HeadRef:
		case q.Get("base") != "" && q.Get("base") != p.BaseRef:
		default:
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *Pull) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return http.StatusOK, list(page(c, found, 30), func(p *Pull) map[string]any { return h.simplePull(c.links, p) }), nil
}

// pullsOfCommit are the merged pull requests that brought a commit of the default
// branch; of another commit, the open ones too.
// https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
func (h *Hub) pullsOfCommit(c *call) (int, any, error) {
	commit := h.resolve(c.PathValue("ref"))
	if commit == nil {
		return 0, nil, unprocessable("No commit found for SHA: %s", c.PathValue("ref"))
	}
	onDefault := h.onDefault(commit.SHA)
	var found []*Pull
	for _, p := range h.pulls {
		if (p.Merged() || p.State == "open" && !onDefault) && h.brings(p, commit.SHA) {
			found = append(found, p)
		}
	}
	return http.StatusOK, list(page(c, found, 30), func(p *Pull) map[string]any { return h.simplePull(c.links, p) }), nil
}

func (h *Hub) getPull(c *call) (int, any, error) {
	p := h.pull(int(c.number("number")))
	if p == nil {
		return 0, nil, notFound()
	}
	return http.StatusOK, h.wholePull(c.links, p), nil
}

// wholePull is a pull request as an answer about it alone has it.
func (h *Hub) wholePull(l links, p *Pull) map[string]any {
	out := h.simplePull(l, p)
	comments := slices.DeleteFunc(slices.Clone(h.comments), func(k *Comment) bool { return k.Pull != p.Number })
	maps.Copy(out, map[string]any{
		"merged": p.Merged(), "mergeable": nil, "rebaseable": nil, "mergeable_state": "unknown", "merged_by": nil,
		"comments": len(comments), "review_comments": 0, "maintainer_can_modify": false,
		"commits": len(h.commits.between(p.BaseSHA, p.HeadSHA)), "additions": 0, "deletions": 0, "changed_files": 0,
	})
	if p.State == "open" {
		out["mergeable"], out["rebaseable"], out["mergeable_state"] = true, true, "clean"
	}
	return out
}

// simplePull is a pull request as lists have it. A fork's has a repository of its
// own.
func (h *Hub) simplePull(l links, p *Pull) map[string]any {
	end := func(repo, ref, sha string) map[string]any {
		owner, _, _ := strings.Cut(repo, "/")
		return map[string]any{
			"label": owner + ":" + ref, "ref": ref, "sha": sha, "user": l.user(owner),
			"repo": h.repository(links{root: l.root, repo: repo}),
		}
	}
	self, issue, html := l.api("pulls", p.Number), l.api("issues", p.Number), l.page("pull", p.Number)
	out := map[string]any{
		"url": self, "id": numberOf(self), "node_id": nodeID("PR", int64(p.Number)), "html_url": html, "diff_url": html + ".diff", "patch_url": html + ".patch",
		"issue_url": issue, "commits_url": self + "/commits", "review_comments_url": self + "/comments",
		"review_comment_url": l.api("pulls/comments{/number}"), "comments_url": issue + "/comments", "statuses_url": l.api("statuses", p.HeadSHA),
		"number": p.Number, "state": p.State, "locked": false, "title": p.Title, "user": l.user(p.Author), "body": text(p.Body),
		"labels": []any{}, "milestone": nil, "active_lock_reason": nil, "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{},
		"requested_teams": []any{}, "created_at": stamp(p.CreatedAt), "updated_at": stamp(p.UpdatedAt), "closed_at": stamp(p.ClosedAt),
		"merged_at": stamp(p.MergedAt), "merge_commit_sha": p.MergeCommit, "author_association": "CONTRIBUTOR", "auto_merge": nil, "draft": false,
		"head": end(p.HeadRepository, p.HeadRef, p.HeadSHA), "base": end(h.cfg.Repository, p.BaseRef, p.BaseSHA),
	}
	related := map[string]any{}
	for name, key := range map[string]string{
		"self": "url", "html": "html_url", "issue": "issue_url", "comments": "comments_url", "review_comments": "review_comments_url",
		"review_comment": "review_comment_url", "commits": "commits_url", "statuses": "statuses_url",
	} {
		related[name] = map[string]any{"href": out[key]}
	}
	out["_links"] = related
	return out
}

// minimalPull is a pull request as a check run names it.
func (l links) minimalPull(p *Pull) map[string]any {
	end := func(repo, ref, sha string) map[string]any {
		_, name, _ := strings.Cut(repo, "/")
		return map[string]any{"ref": ref, "sha": sha, "repo": map[string]any{
			"id": numberOf(repo), "url": links{root: l.root, repo: repo}.api(), "name": name,
		}}
	}
	self := l.api("pulls", p.Number)
	return map[string]any{
		"id": numberOf(self), "number": p.Number, "url": self,
		"head": end(p.HeadRepository, p.HeadRef, p.HeadSHA), "base": end(l.repo, p.BaseRef, p.BaseSHA),
	}
}
