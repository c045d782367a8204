package hub

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// links builds the addresses of one repository at the address that was asked.
type links struct {
	root string // without a slash at its end
	repo string // owner/name
}

func linksOf(r *http.Request, repo string) links {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return links{root: scheme + "://" + r.Host, repo: repo}
}

func (l links) api(path ...any) string  { return l.root + "/repos/" + l.repo + joined(path) }
func (l links) page(path ...any) string { return l.root + "/" + l.repo + joined(path) }

func joined(path []any) string {
	var b strings.Builder
	for _, part := range path {
		fmt.Fprintf(&b, "/%v", part)
	}
	return b.String()
}

// numberOf is the number that a login or repository has: always the same.
func numberOf(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int64(h.Sum32()&0x3fffffff) + 1
}

// nodeID is GitHub's second name for everything, which only its GraphQL takes.
func nodeID(kind string, id int64) string { return kind + "_lab" + strconv.FormatInt(id, 10) }

// user is an account in an answer.
func (l links) user(login string) map[string]any {
	kind := "User"
	if strings.HasSuffix(login, "[bot]") {
		kind = "Bot"
	}
	self, id := l.root+"/users/"+login, numberOf(login)
	return map[string]any{
		"login": login, "id": id, "node_id": nodeID("U", id), "avatar_url": l.root + "/avatars/" + login, "gravatar_id": "",
		"url": self, "html_url": l.root + "/" + login, "type": kind, "site_admin": false,
		"followers_url": self + "/followers", "following_url": self + "/following{/other_user}", "gists_url": self + "/gists{/gist_id}",
		"starred_url": self + "/starred{/owner}{/repo}", "subscriptions_url": self + "/subscriptions", "organizations_url": self + "/orgs",
		"repos_url": self + "/repos", "events_url": self + "/events{/privacy}", "received_events_url": self + "/received_events",
	}
}

// app is the GitHub App behind a bot's login.
func (l links) app(login string) map[string]any {
	slug := strings.TrimSuffix(login, "[bot]")
	id := numberOf("app " + slug)
	name := slug
	if login == WorkflowLogin {
		name, id = "GitHub Actions", 15368 // its number on github.com
	}
	return map[string]any{
		"id": id, "slug": slug, "node_id": nodeID("A", id), "owner": l.user("github"), "name": name, "description": "",
		"external_url": l.root, "html_url": l.root + "/apps/" + slug, "created_at": "2018-07-30T09:30:17Z", "updated_at": "2024-04-10T20:33:16Z",
		"permissions": map[string]string{"checks": "write", "contents": "read", "deployments": "write", "issues": "write", "metadata": "read"},
		"events":      []string{"check_run", "pull_request"},
	}
}

// stamp is a time in an answer: null where there is none.
func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// text is a text in an answer: null where there is none.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
