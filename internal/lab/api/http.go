package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

// call is one request whose sender is known.
type call struct {
	*http.Request
	token Token
}

// endpoint answers a call: status and body, or an error. It runs with the lock held.
type endpoint func(c *call) (int, any, error)

func (s *Server) mux() *http.ServeMux {
	m := http.NewServeMux()
	for _, routes := range [][]route{
		s.accountRoutes(), s.imageRoutes(), s.dropletRoutes(), s.actionRoutes(), s.tagRoutes(),
	} {
		for _, r := range routes {
			m.Handle(r.pattern, s.handle(r))
		}
	}
	m.Handle("/", s.handle(route{do: func(*call) (int, any, error) { return 0, nil, notFound() }}))
	return m
}

// route is an endpoint and the scopes that its caller needs.
type route struct {
	pattern string
	scopes  []string
	do      endpoint
}

func (s *Server) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requestID := uuid()
		w.Header().Set("x-request-id", requestID)
		status, body, err := s.answer(w, r, rt)
		if f, ok := s.lost(r); ok && err == nil {
			if f.Kind == fault.APIDrop {
				panic(http.ErrAbortHandler)
			}
			status, err = 0, &apiError{status: or(f.Status, 502), ID: "bad_gateway", Message: or(f.Message, "Bad Gateway")}
		}
		if err != nil {
			status, body = failure(w, err, requestID)
		}
		w.Header().Set("content-type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(body) //nolint:gosec // JSON, and said to be
	})
}

// answer does what a request asks for and returns the body as it is to be sent.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, rt route) (int, []byte, error) {
	token, err := s.authenticate(r)
	if err != nil {
		return 0, nil, err
	}
	if err := s.limits.take(w.Header(), token.Value, time.Now()); err != nil {
		return 0, nil, err
	}
	if err := s.fail(r); err != nil {
		return 0, nil, err
	}
	c := &call{Request: r, token: token}
	for _, scope := range rt.scopes {
		if err := c.need(scope); err != nil {
			return 0, nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, v, err := rt.do(c)
	if err != nil || v == nil {
		return status, nil, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return 0, nil, fmt.Errorf("encode the answer: %w", err)
	}
	return status, append(body, '\n'), nil
}

func (s *Server) authenticate(r *http.Request) (Token, error) {
	value, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	i := slices.IndexFunc(s.cfg.Tokens, func(t Token) bool { return t.Value == value && value != "" })
	if i < 0 {
		return Token{}, &apiError{status: 401, ID: "Unauthorized", Message: "Unable to authenticate you"}
	}
	return s.cfg.Tokens[i], nil
}

// need fails with 403 if the token lacks a scope.
func (c *call) need(scope string) error {
	if len(c.token.Scopes) == 0 || slices.Contains(c.token.Scopes, scope) {
		return nil
	}
	return &apiError{status: 403, ID: "forbidden", Message: "You are missing the required permission " + scope + "."}
}

func requestTargets(r *http.Request) []string {
	return []string{r.Method + " " + r.URL.Path, r.URL.Path, r.Method}
}

// fail applies the faults that come before anything is done.
func (s *Server) fail(r *http.Request) error {
	targets := requestTargets(r)
	if f, ok := s.cfg.Faults.Take(fault.APISlow, targets...); ok {
		wait(r.Context(), f.Delay)
	}
	if f, ok := s.cfg.Faults.Take(fault.APIError, targets...); ok {
		return &apiError{status: or(f.Status, 500), ID: "server_error", Message: or(f.Message, "Unexpected server-side error")}
	}
	if f, ok := s.cfg.Faults.Take(fault.APIRateLimit, targets...); ok {
		return tooMany(max(f.Delay, time.Second))
	}
	return nil
}

// lost takes the faults that come after everything is done.
func (s *Server) lost(r *http.Request) (fault.Fault, bool) {
	if f, ok := s.cfg.Faults.Take(fault.APILost, requestTargets(r)...); ok {
		return f, true
	}
	return s.cfg.Faults.Take(fault.APIDrop, requestTargets(r)...)
}

func failure(w http.ResponseWriter, err error, requestID string) (int, []byte) {
	e := &apiError{status: 500, ID: "server_error", Message: err.Error()}
	errors.As(err, &e)
	answer := *e
	answer.RequestID = requestID
	if e.retryAfter > 0 {
		w.Header().Set("retry-after", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
	}
	body, _ := json.Marshal(answer) //nolint:errchkjson // three strings
	return e.status, append(body, '\n')
}

// read decodes a body strictly enough to find a wrong type.
func (c *call) read(v any) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(http.MaxBytesReader(nil, c.Body, 1<<20)); err != nil {
		return badRequest("error reading request body")
	}
	if err := json.Unmarshal(b.Bytes(), v); err != nil {
		return badRequest("error parsing request body")
	}
	return nil
}

func (c *call) number(name string) int {
	n, _ := strconv.Atoi(c.PathValue(name))
	return n
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func uuid() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
