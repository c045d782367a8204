package hub_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

const (
	owner, repo = "acme", "fleet"
	personal    = "personal-token"
	reader      = "fork-token"
	other       = "other-app-token"
)

// sha is the name of a commit: a digit, forty times.
func sha(digit string) string { return strings.Repeat(digit, 40) }

// clock moves a second with every look, so that what is made later is later.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Second)
	return c.at
}

// world is a hub, served, with this history:
//
//	1 ── 2 ── 5     main; 5 merged #1, whose head was 3
//	│ ╲  ╰─── 4     #2, from the branch "open"
//	│  ╰ 3
//	╰─── 6          #3, from a fork
type world struct {
	*hub.Hub
	t   *testing.T
	url string
}

func start(t *testing.T, cfg hub.Config) *world {
	t.Helper()
	if cfg.Tokens == nil {
		cfg.Tokens = []hub.Token{
			{Value: hub.DefaultToken},
			{Value: personal, Login: "mona"},
			{Value: reader, Permissions: map[string]string{"checks": "read", "contents": "read", "deployments": "read", "issues": "read", "pull-requests": "read"}},
			{Value: other, Login: "other[bot]"},
		}
	}
	if cfg.Now == nil {
		cfg.Now = (&clock{at: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}).now
	}
	h := hub.New(cfg)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []hub.Commit{
		{SHA: sha("1"), Message: "Begin", Author: "mona"},
		{SHA: sha("2"), Parents: []string{sha("1")}, Message: "Go on", Author: "mona"},
		{SHA: sha("3"), Parents: []string{sha("1")}, Message: "A feature", Author: "hubot"},
		{SHA: sha("4"), Parents: []string{sha("2")}, Message: "Another", Author: "hubot"},
		{SHA: sha("5"), Parents: []string{sha("2"), sha("3")}, Message: "Merge pull request #1", Author: "mona"},
		{SHA: sha("6"), Parents: []string{sha("1")}, Message: "From afar", Author: "stranger"},
		{SHA: sha("9"), Message: "Of another history", Author: "mona"},
	} {
		must(h.AddCommit(c))
	}
	must(h.SetBranch("main", sha("2")))
	for _, p := range []hub.Pull{
		{Title: "A feature", Author: "hubot", HeadSHA: sha("3"), HeadRef: "feature"},
		{Title: "Another", Body: "It **is**.", Author: "hubot", HeadSHA: sha("4"), HeadRef: "open"},
		{Title: "From afar", Author: "stranger", HeadSHA: sha("6"), HeadRef: "main", HeadRepository: "stranger/fleet"},
	} {
		_, err := h.AddPull(p)
		must(err)
	}
	must(h.Merge(1, sha("5")))
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &world{Hub: h, t: t, url: s.URL}
}

type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// client speaks for a token.
func (w *world) client(token string) *gh.Client {
	w.t.Helper()
	return w.through(bearer{token})
}

// checked is a client whose every request and answer is held against GitHub's own
// description.
func (w *world) checked(token string) *gh.Client {
	w.t.Helper()
	v, err := contract.Load(contract.SpecFile(w.t, "github.json"))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.through(v.Transport(bearer{token}, func(err error) { w.t.Error(err) }))
}

func (w *world) through(transport http.RoundTripper) *gh.Client {
	c := gh.NewClient(&http.Client{Transport: transport})
	base, err := c.BaseURL.Parse(w.url + "/")
	if err != nil {
		w.t.Fatal(err)
	}
	c.BaseURL = base
	return c
}

// said is a failure's status and words, as far as people see them.
func said(err error) string {
	var e *gh.ErrorResponse
	var limit *gh.RateLimitError
	var abuse *gh.AbuseRateLimitError
	switch {
	case errors.As(err, &limit):
		return fmt.Sprint(limit.Response.StatusCode, " ", limit.Message)
	case errors.As(err, &abuse):
		return fmt.Sprint(abuse.Response.StatusCode, " ", abuse.Message)
	case !errors.As(err, &e):
		return fmt.Sprint(err)
	}
	text := fmt.Sprint(e.Response.StatusCode, " ", e.Message)
	for _, d := range e.Errors {
		text += fmt.Sprintf("; %s %s %s %s", d.Resource, d.Field, d.Code, d.Message)
	}
	return text
}

func fails(t *testing.T, err error, want string) {
	t.Helper()
	if got := said(err); !strings.Contains(got, want) {
		t.Errorf("said %s; want %s", got, want)
	}
}
