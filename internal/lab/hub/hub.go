// Package hub is GitHub as the lab serves it: of its REST API what a deploy talks
// to (check runs, comments, deployments, commits, pull requests), and pages that
// show what a person would see on github.com. It holds one repository, in memory.
//
// It refuses what the real one refuses, with the same words and headers: limits
// of size and number, permissions of a token, rate limits. The addresses in its
// answers are built from the one that it was asked at.
package hub

import (
	"cmp"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

// DefaultToken may do what a workflow's token may do with all permissions.
const DefaultToken = "lab-github-token" //nolint:gosec // it opens nothing but the lab

// WorkflowLogin is who a workflow's token writes as.
const WorkflowLogin = "github-actions[bot]"

// Config says what the hub looks like. The zero Config is an empty repository.
type Config struct {
	// Repository is owner/name; default acme/fleet.
	Repository string
	// DefaultBranch is main by default.
	DefaultBranch string
	// Tokens are who may call; default is DefaultToken, a workflow's.
	Tokens []Token
	// RequestsPerHour is a token's limit; default 1000, which is a workflow's.
	// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
	RequestsPerHour int
	// WithoutChecks makes it a server that has neither check runs nor
	// deployments, as Gitea and Forgejo.
	WithoutChecks bool
	Faults        *fault.Set
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// Token is a bearer token.
type Token struct {
	Value string
	// Login is who it writes as; default WorkflowLogin. One that ends in "[bot]" is
	// an app's (a workflow's token is), others are personal.
	Login string
	// Permissions are by the names that a workflow has for them: "checks",
	// "contents", "deployments", "issues", "pull-requests"; "read" or "write".
	// What is not there is none. A nil map is write for all.
	Permissions map[string]string
}

// bot says whether it is the token of an app.
func (t Token) bot() bool { return strings.HasSuffix(t.Login, "[bot]") }

// Hub is the server. Make one with New.
type Hub struct {
	cfg    Config
	limits *limiter
	api    http.Handler
	pages  http.Handler

	mu          sync.Mutex
	commits     graph
	branches    map[string]string
	pulls       []*Pull
	checks      []*Check
	comments    []*Comment
	deployments []*Deployment
	lastID      int64
}

// New makes a hub with an empty repository.
func New(cfg Config) *Hub {
	cfg.Repository = cmp.Or(cfg.Repository, "acme/fleet")
	cfg.DefaultBranch = cmp.Or(cfg.DefaultBranch, "main")
	if len(cfg.Tokens) == 0 {
		cfg.Tokens = []Token{{Value: DefaultToken}}
	}
	tokens := make([]Token, len(cfg.Tokens))
	for i, t := range cfg.Tokens {
		t.Login = cmp.Or(t.Login, WorkflowLogin)
		tokens[i] = t
	}
	cfg.Tokens = tokens
	if cfg.Faults == nil {
		cfg.Faults = &fault.Set{}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	h := &Hub{
		cfg: cfg, limits: newLimiter(cmp.Or(cfg.RequestsPerHour, 1000)),
		commits: graph{}, branches: map[string]string{}, lastID: 21_000_000_000,
	}
	h.api, h.pages = h.apiRoutes(), h.pageRoutes()
	return h
}

// ServeHTTP answers the API below /repos/ and at /user, what fills the repository
// below /lab/github/, and pages for people at all other paths.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); first {
	case "repos", "user", "lab":
		h.api.ServeHTTP(w, r)
	default:
		h.pages.ServeHTTP(w, r)
	}
}

// Repository is owner/name.
func (h *Hub) Repository() string { return h.cfg.Repository }

// Token is the first one's value.
func (h *Hub) Token() string { return h.cfg.Tokens[0].Value }

func (h *Hub) owner() string {
	owner, _, _ := strings.Cut(h.cfg.Repository, "/")
	return owner
}

// now has whole seconds, as all of GitHub's times.
func (h *Hub) now() time.Time { return h.cfg.Now().UTC().Truncate(time.Second) }

func (h *Hub) id() int64 {
	h.lastID++
	return h.lastID
}
