//go:build linux && e2e

package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// exchange is one request to the Space with its answer.
type exchange struct {
	Method, Path string
	Query        url.Values
	Status       int
	// Signed says that the request carried a signature, Presigned that its URL did.
	Signed, Presigned bool
	// Unsigned is what the same URL without its signature answered at that moment;
	// it is tried whenever an image is fetched by a presigned URL.
	Unsigned int
}

// spy stands between everybody and the Space, passes everything on as it is, and
// looks.
type spy struct {
	*httptest.Server
	mu   sync.Mutex
	seen []exchange
	// held, if set, is asked for every request; it returns when it may go on.
	held func(*http.Request)
}

func startSpy(ctx context.Context, t *testing.T, to string) *spy {
	t.Helper()
	s := &spy{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { // the Host header stays: it is signed
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.URL.RawQuery = "http", to, r.In.URL.RawQuery
		},
		FlushInterval: -1,
		Transport:     &http.Transport{DisableCompression: true},
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := exchange{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query()}
		one.Presigned = one.Query.Has("X-Amz-Signature")
		one.Signed = one.Presigned || r.Header.Get("Authorization") != ""
		if held := s.hold(); held != nil {
			held(r)
		}
		if one.Presigned && r.Method == http.MethodGet {
			one.Unsigned = status(ctx, "http://"+to+r.URL.EscapedPath())
		}
		answer := &statusWriter{ResponseWriter: w}
		proxy.ServeHTTP(answer, r)
		one.Status = answer.status
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen = append(s.seen, one)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *spy) hold() func(*http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

func (s *spy) setHold(f func(*http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = f
}

// take returns what was seen since it was last called.
func (s *spy) take() []exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

// images are the exchanges about images, of one method.
func images(seen []exchange, method string) []exchange {
	return slices.DeleteFunc(slices.Clone(seen), func(e exchange) bool {
		return e.Method != method || !strings.HasPrefix(e.Path, "/"+bucket+"/"+prefix+"images/") || strings.HasSuffix(e.Path, "/info.json")
	})
}

// status asks a URL, without any signature, and returns the answer's status.
func status(ctx context.Context, address string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
