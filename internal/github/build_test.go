package github_test

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// What GitHub answers, whole enough for its own description.

type object = map[string]any

const (
	at  = "2026-03-04T05:06:07Z"
	web = "https://github.com/acme/fleet"
	api = "https://api.github.com/repos/acme/fleet"
)

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func lost() answer            { return answer{lost: true} }

func fails(status int, message string) answer {
	return answer{status: status, body: object{"message": message, "documentation_url": "https://docs.github.com/rest"}}
}

// more adds the link to the next page.
func (a answer) more(next string) answer {
	a.header = map[string]string{"Link": fmt.Sprintf(`<https://api.github.com%s>; rel="next", <https://api.github.com%s>; rel="last"`, next, next)}
	return a
}

func (a answer) with(header map[string]string) answer {
	a.header = header
	return a
}

func urls(into object, names ...string) object {
	for _, name := range names {
		into[name] = "https://api.github.com/" + name
	}
	return into
}

func user(login string) object {
	return urls(object{"login": login, "id": 1, "node_id": "U1", "gravatar_id": "", "type": "Bot", "site_admin": false},
		"avatar_url", "events_url", "followers_url", "following_url", "gists_url", "html_url", "organizations_url",
		"received_events_url", "repos_url", "starred_url", "subscriptions_url", "url")
}

func me(login string) object {
	u := user(login)
	for _, name := range []string{
		"followers", "following", "public_gists", "public_repos", "collaborators", "disk_usage", "owned_private_repos",
		"private_gists", "total_private_repos",
	} {
		u[name] = 0
	}
	for _, name := range []string{"bio", "blog", "company", "email", "hireable", "location", "name"} {
		u[name] = nil
	}
	u["created_at"], u["updated_at"], u["two_factor_authentication"], u["user_view_type"] = at, at, true, "private"
	return u
}

func checkRun(id int, name, external string, annotations int) object {
	return object{
		"id": id, "node_id": "CR", "head_sha": sha, "name": name, "external_id": external, "url": api, "html_url": web, "details_url": web,
		"status": "in_progress", "conclusion": nil, "started_at": at, "completed_at": nil, "check_suite": object{"id": 5}, "app": nil,
		"pull_requests": []any{},
		"output":        object{"title": nil, "summary": nil, "text": nil, "annotations_count": annotations, "annotations_url": api},
	}
}

func checkRuns(runs ...object) object {
	return object{"total_count": len(runs), "check_runs": append([]object{}, runs...)}
}

func issueComment(id int, author, body string) object {
	return object{
		"id": id, "node_id": "IC", "body": body, "url": api, "issue_url": api, "user": user(author),
		"html_url": fmt.Sprintf("%s/pull/7#issuecomment-%d", web, id), "created_at": at, "updated_at": at, "author_association": "NONE",
	}
}

func deployment(id int, payload any) object {
	return object{
		"id": id, "node_id": "D", "sha": sha, "ref": sha, "task": "deploy", "environment": "production", "creator": user("octocat"),
		"payload": payload, "description": nil, "statuses_url": api, "repository_url": api, "url": api, "created_at": at, "updated_at": at,
	}
}

func deploymentStatus(id int, state, description string) object {
	return object{
		"id": id, "node_id": "DS", "state": state, "creator": user("octocat"), "description": description, "deployment_url": api,
		"target_url": web + "/actions/runs/12", "log_url": web + "/actions/runs/12", "environment_url": "https://web.example.com",
		"repository_url": api, "url": api, "created_at": at, "updated_at": at,
	}
}

func repository(name string) object {
	r := urls(object{"full_name": name, "name": "fleet", "owner": user("acme"), "license": nil},
		"archive_url", "assignees_url", "blobs_url", "branches_url", "collaborators_url", "comments_url", "commits_url", "compare_url",
		"contents_url", "contributors_url", "deployments_url", "downloads_url", "events_url", "forks_url", "git_commits_url",
		"git_refs_url", "git_tags_url", "hooks_url", "html_url", "issue_comment_url", "issue_events_url", "issues_url", "keys_url",
		"labels_url", "languages_url", "merges_url", "milestones_url", "notifications_url", "pulls_url", "releases_url",
		"stargazers_url", "statuses_url", "subscribers_url", "subscription_url", "tags_url", "teams_url", "trees_url", "url",
		"clone_url", "git_url", "ssh_url", "svn_url", "node_id", "default_branch")
	for _, flag := range []string{"fork", "private", "has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages", "archived", "disabled"} {
		r[flag] = false
	}
	for _, number := range []string{"id", "forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers", "watchers_count"} {
		r[number] = 0
	}
	for _, empty := range []string{"description", "homepage", "language", "mirror_url", "pushed_at"} {
		r[empty] = nil
	}
	r["created_at"], r["updated_at"] = at, at
	return r
}

func pullRequest(number int, merged bool) object {
	p := urls(object{
		"id": 1, "node_id": "PR", "number": number, "title": "web: nginx 1.29", "state": "open", "locked": false, "user": user("octocat"),
		"assignee": nil, "labels": []any{}, "body": nil, "milestone": nil, "author_association": "MEMBER", "auto_merge": nil,
		"created_at": at, "updated_at": at, "closed_at": nil, "merged_at": nil, "merge_commit_sha": "f00d",
		"head": object{"label": "fork:nginx", "ref": "nginx", "sha": "beef", "user": user("fork"), "repo": repository("fork/fleet")},
		"base": object{"label": "acme:main", "ref": "main", "sha": "cafe", "user": user("acme"), "repo": repository("acme/fleet")},
	}, "comments_url", "commits_url", "diff_url", "issue_url", "patch_url", "review_comment_url", "review_comments_url", "statuses_url", "url")
	p["html_url"] = fmt.Sprintf("%s/pull/%d", web, number)
	links := object{}
	for _, name := range []string{"comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self"} {
		links[name] = object{"href": api}
	}
	p["_links"] = links
	if merged {
		p["state"], p["closed_at"], p["merged_at"] = "closed", at, at
	}
	return p
}

func comparison(status string) object {
	who := object{"name": "Mona", "email": "mona@example.com", "date": at}
	commit := object{
		"url": api, "sha": sha, "node_id": "C", "html_url": web, "comments_url": api, "author": nil, "committer": nil, "parents": []any{},
		"commit": object{
			"url": api, "author": who, "committer": who, "message": "m", "comment_count": 0, "tree": object{"sha": sha, "url": api},
		},
	}
	return object{
		"url": api, "html_url": web, "permalink_url": web, "diff_url": web, "patch_url": web, "base_commit": commit, "merge_base_commit": commit,
		"status": status, "ahead_by": 1, "behind_by": 0, "total_commits": 1, "commits": []any{commit}, "files": []any{},
	}
}

// dig is a value inside of a request's body, nil if there is none.
func dig(body object, path ...string) any {
	var v any = body
	for _, key := range path {
		inner, _ := v.(object)
		v = inner[key]
	}
	return v
}

// pretty is a request's body for a person to read.
func pretty(body any) string {
	data, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(data)
}
