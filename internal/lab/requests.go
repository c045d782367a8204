package lab

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// maxBody is how much of a request's body is kept, in bytes.
const maxBody = 64 << 10

// Request is one request that the lab answered.
type Request struct {
	At time.Time `json:"at"`
	// Service is "api", "s3" or "github".
	Service string `json:"service"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	// Query is without signatures.
	Query url.Values `json:"query,omitempty"`
	// Body is the start of what was sent to an API; objects are left out.
	Body   string        `json:"body,omitempty"`
	Status int           `json:"status"`
	Took   time.Duration `json:"took"`
}

type requestLog struct {
	mu  sync.Mutex
	all []Request
}

// Requests returns all that was answered so far, in the order of the answers.
func (l *Lab) Requests() []Request {
	l.requests.mu.Lock()
	defer l.requests.mu.Unlock()
	return slices.Clone(l.requests.all)
}

// ResetRequests forgets all requests.
func (l *Lab) ResetRequests() {
	l.requests.mu.Lock()
	defer l.requests.mu.Unlock()
	l.requests.all = nil
}

func (q *requestLog) record(service string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entry := Request{At: time.Now(), Service: service, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
		for _, name := range []string{"X-Amz-Signature", "X-Amz-Credential"} {
			if entry.Query.Has(name) {
				entry.Query.Set(name, "***")
			}
		}
		var body bytes.Buffer
		if service != "s3" {
			kept := io.TeeReader(io.LimitReader(r.Body, maxBody), &body)
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(kept, r.Body), r.Body}
		}
		rec := &statusWriter{ResponseWriter: w}
		defer func() {
			entry.Status, entry.Took, entry.Body = rec.status, time.Since(entry.At), body.String()
			q.mu.Lock()
			defer q.mu.Unlock()
			q.all = append(q.all, entry)
		}()
		next.ServeHTTP(rec, r)
	})
}

// statusWriter keeps the status; 0 means that there was no answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(p) //nolint:wrapcheck // a writer in between
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
