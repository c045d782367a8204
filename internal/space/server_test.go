package space

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

const bucket = "acme-nixos"

// server is an S3 in memory. What gofakes3 does not know (ACLs) stands here.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	acl      map[string]string
	requests []string
	// before may answer a request itself: it returns true then.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func serve(t *testing.T) *server {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(backend).Server()
	s := &server{acl: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		before := s.before
		s.mu.Unlock()
		switch {
		case before != nil && before(w, r):
		case r.Method == http.MethodPut && r.URL.Query().Has("acl"):
			s.mu.Lock()
			defer s.mu.Unlock()
			s.acl[r.URL.Path] = r.Header.Get("X-Amz-Acl")
		default:
			fake.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = f
}

func (s *server) client(t *testing.T, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{
		Bucket: bucket, Endpoint: s.URL, Prefix: "nix/",
		AccessKey: "AKIAEXAMPLE", SecretKey: "the-secret-of-the-test",
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.partSize, c.settle = 64<<10, time.Millisecond
	return c
}

// left lists what an upload could have left behind.
func left(t *testing.T, c *Client) (objects, uploads []string) {
	t.Helper()
	listed, err := c.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range listed {
		objects = append(objects, o.Key)
	}
	pending, err := c.uploads(t.Context(), c.key(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range pending {
		uploads = append(uploads, u.Key)
	}
	return objects, uploads
}

func refuse(status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code +
			`</Code><Message>what S3 says</Message><RequestId>tx000001</RequestId></Error>`))
		return true
	}
}

// endless gives zeros until its context is done; after n bytes it calls at.
type endless struct {
	ctx  context.Context //nolint:containedctx // a reader has no other way to know
	n    int
	at   func()
	fail error
}

func (e *endless) Read(p []byte) (int, error) {
	if e.ctx.Err() != nil {
		return 0, context.Cause(e.ctx)
	}
	if e.n -= len(p); e.n <= 0 {
		if e.fail != nil {
			return 0, e.fail
		}
		e.at()
	}
	return len(p), nil
}

var errReader = errors.New("the disk is on fire")

func at(hour int) func() time.Time {
	return func() time.Time { return time.Date(2030, 1, 1, hour, 0, 0, 0, time.UTC) }
}

func isPart(r *http.Request) bool { return r.URL.Query().Has("partNumber") }

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

func isAbort(r *http.Request) bool {
	return r.Method == http.MethodDelete && strings.Contains(r.URL.RawQuery, "uploadId")
}
