package github_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/github"
)

const (
	token = "ghs_16C7e42F292c6912E7710c838347Ae178B4a"
	repo  = "/repos/acme/fleet"
)

// answer is what the server says to one request.
type answer struct {
	status int
	body   any // as JSON; a string as it is
	header map[string]string
	// lost closes the connection instead, after the request arrived; cut does so
	// in the middle of the answer.
	lost, cut bool
	// meanwhile happens before the answer.
	meanwhile func()
}

// request is what the server got.
type request struct {
	line   string // method, path and query
	header http.Header
	body   object
	at     time.Time
}

// server plays GitHub by a script: it answers the requests that were announced,
// in that order, and nothing else.
type server struct {
	t     *testing.T
	clock *clock
	url   string
	// prefix stands before all paths.
	prefix string
	// undescribed says that GitHub's description does not know of what is said here.
	undescribed bool
	// refused is how many connections are not made.
	refused int

	mu     sync.Mutex
	script []announced
	got    []request
}

type announced struct {
	line   string
	answer answer
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, clock: &clock{now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}}
	h := httptest.NewServer(s)
	s.url = h.URL
	t.Cleanup(func() {
		h.Close()
		for _, a := range s.script {
			t.Errorf("announced, but not asked for: %s", a.line)
		}
	})
	return s
}

// on announces the next request, with what it is answered.
func (s *server) on(line string, a answer) *server {
	s.script = append(s.script, announced{line, a})
	return s
}

// ServeHTTP answers the request that is next in the script.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	line := r.Method + " " + strings.TrimPrefix(r.URL.RequestURI(), s.prefix)
	data, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Errorf("%s: %v", line, err)
	}
	got := request{line: line, header: r.Header, at: s.clock.Now()}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &got.body); err != nil {
			s.t.Errorf("%s: %v in %s", line, err, data)
		}
	}
	s.mu.Lock()
	s.got = append(s.got, got)
	next := announced{line: "nothing"}
	if len(s.script) > 0 {
		next = s.script[0]
	}
	if next.line != line {
		s.mu.Unlock()
		s.t.Errorf("not announced: %s; announced is %s", line, next.line)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.script = s.script[1:]
	s.mu.Unlock()
	next.answer.write(w)
}

func (a answer) write(w http.ResponseWriter) {
	if a.meanwhile != nil {
		a.meanwhile()
	}
	if a.lost {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-GitHub-Request-Id", "C0FF:EE")
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	text, ok := a.body.(string)
	if !ok {
		data, err := json.Marshal(a.body)
		if err != nil {
			panic(err)
		}
		text = string(data)
	}
	if a.cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		text = text[:len(text)/2]
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, text)
	if a.cut {
		panic(http.ErrAbortHandler)
	}
}

func (s *server) request(i int) request {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if i >= len(s.got) {
		s.t.Fatalf("there were %d requests only", len(s.got))
	}
	return s.got[i]
}

// config is of a client of this server, whose exchanges are held against GitHub's
// description where there is one.
func (s *server) config() github.Config {
	s.t.Helper()
	var transport http.RoundTripper = &dialer{server: s, next: &http.Transport{DisableKeepAlives: true}}
	if v := description(s.t); v != nil && !s.undescribed {
		checked := v.Transport(restore{transport}, func(err error) { s.t.Errorf("against GitHub's description: %v", err) })
		transport = strip{checked, s.prefix}
	}
	return github.Config{
		Token: token, BaseURL: s.url + s.prefix, Repository: "acme/fleet", UserAgent: "snowdrop/test",
		Transport: transport, Clock: s.clock,
	}
}

func (s *server) client() *github.Client {
	s.t.Helper()
	c, err := github.New(s.config())
	check(s.t, err)
	return c
}

// dialer refuses the first connections.
type dialer struct {
	server *server
	next   http.RoundTripper
}

func (d *dialer) RoundTrip(r *http.Request) (*http.Response, error) {
	d.server.mu.Lock()
	refuse := d.server.refused > 0
	if refuse {
		d.server.refused--
	}
	d.server.mu.Unlock()
	if refuse {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return d.next.RoundTrip(r)
}

// strip takes off the path of an enterprise server for the description, which
// does not have it; restore puts it back.
type strip struct {
	next   http.RoundTripper
	prefix string
}

type prefixKey struct{}

func (s strip) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(context.WithValue(r.Context(), prefixKey{}, s.prefix))
	r.URL.Path = strings.TrimPrefix(r.URL.Path, s.prefix)
	return s.next.RoundTrip(r)
}

type restore struct{ next http.RoundTripper }

func (s restore) RoundTrip(r *http.Request) (*http.Response, error) {
	prefix, _ := r.Context().Value(prefixKey{}).(string)
	r.URL.Path = prefix + r.URL.Path
	return s.next.RoundTrip(r)
}

var specs struct {
	once      sync.Once
	validator *contract.Validator
	err       error
}

// description is GitHub's own, nil where it is not at hand.
func description(t *testing.T) *contract.Validator {
	t.Helper()
	file := ""
	t.Run("description", func(t *testing.T) { file = contract.SpecFile(t, "github.json") })
	if file == "" {
		return nil
	}
	specs.once.Do(func() { specs.validator, specs.err = contract.Load(file) })
	check(t, specs.err)
	return specs.validator
}

// clock passes the time at once.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
	// onSleep happens when a sleep begins.
	onSleep func()
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onSleep != nil {
		c.onSleep()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
