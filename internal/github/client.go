// Package github tells GitHub what a run does and did: check runs with their
// annotations, one comment on a pull request, deployments with their statuses.
// What it reads serves that alone: the pull requests of a commit, and which of
// two commits is the older one.
//
// It speaks GitHub's REST API, that of github.com or of a GitHub Enterprise
// Server. Servers that resemble it (Gitea, Forgejo) have a part of it; what they
// lack is an APIError that is Missing.
package github

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	gh "github.com/google/go-github/v60/github"
)

const (
	defaultBaseURL   = "https://api.github.com/"
	defaultUserAgent = "snowdrop"
	perPage          = 100 // the API's maximum
	// redirects is what Go's own client follows.
	redirects = 10
)

// Config says how the API is reached.
type Config struct {
	Token string
	// BaseURL is the API's address, such as https://host/api/v3 of a GitHub
	// Enterprise Server; empty: https://api.github.com.
	BaseURL string
	// Repository is "owner/name".
	Repository string
	UserAgent  string
	// Author is the login that comments are written as. It must be given for the
	// token of a GitHub App other than GitHub Actions ("my-app[bot]"), which has
	// no way to ask; empty: found out.
	Author string
	// Transport sends the requests; nil: a transport of its own.
	Transport http.RoundTripper
	// Clock is nil for the real one.
	Clock Clock
}

// Client speaks with GitHub's API about one repository. It is safe for
// concurrent use; what it writes is written one after the other.
type Client struct {
	api         *gh.Client
	owner, name string
	token       string
	clock       Clock
	pacer       *pacer
	sender      *sender
	comments    *comments

	mu sync.Mutex
	// annotated is how many annotations a check run has, as GitHub said last.
	annotated map[int64]int
}

// New makes a Client; it sends nothing. It fails on an empty token, on an
// address that is none, and on a repository that is not "owner/name".
func New(cfg Config) (*Client, error) {
	token := strings.TrimSpace(cfg.Token)
	if token == "" {
		return nil, errors.New("there is no token for GitHub: pass the job's GITHUB_TOKEN")
	}
	base, err := baseURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	owner, name, err := splitRepository(cfg.Repository)
	if err != nil {
		return nil, err
	}
	clock := cfg.Clock
	if clock == nil {
		clock = realClock{}
	}
	transport := cfg.Transport
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one, unless a program replaced it
	}
	s := &sender{next: transport, token: token, clock: clock}
	c := &Client{
		owner: owner, name: name, token: token, clock: clock,
		pacer: newPacer(s, clock), sender: s,
		comments:  newComments(cfg.Author),
		annotated: map[int64]int{},
	}
	c.api = gh.NewClient(&http.Client{Transport: newRetrying(c.pacer, clock), CheckRedirect: sameHost})
	c.api.BaseURL = base
	c.api.UserAgent = defaultUserAgent
	if cfg.UserAgent != "" {
		c.api.UserAgent = cfg.UserAgent
	}
	return c, nil
}

// Hurry has the client write from now on without the pauses that GitHub asks for,
// and several things at once: for a process that is about to be killed.
func (c *Client) Hurry() { c.pacer.hurryUp() }

// Silent says that the server takes connections, but has not answered anything that was
// asked for half a minute.
func (c *Client) Silent() bool { return c.sender.silent() }

func baseURL(address string) (*url.URL, error) {
	if address == "" {
		address = defaultBaseURL
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("the address %q of GitHub's API is not an http(s) URL: correct GITHUB_API_URL or leave it out", address)
	}
	// Without the slash at its end, the last part of a path would be dropped.
	u.Path = strings.TrimSuffix(u.Path, "/") + "/"
	return u, nil
}

func splitRepository(repository string) (owner, name string, err error) {
	// What stands in an owner's or repository's name needs no escaping in a URL.
	match := regexp.MustCompile(`^([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)$`).FindStringSubmatch(repository)
	if match == nil {
		return "", "", fmt.Errorf("the repository %q is not of the form owner/name: correct GITHUB_REPOSITORY", repository)
	}
	return match[1], match[2], nil
}

// sameHost follows a redirect, which is how GitHub answers for a repository that
// was renamed, but not to where the token must not go, and not when Go would
// turn a POST into a GET.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
func sameHost(req *http.Request, via []*http.Request) error {
	first := via[0]
	if len(via) >= redirects || req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host || req.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}
