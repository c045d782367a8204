package hub

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

// call is one request whose sender is known.
type call struct {
	*http.Request
	links
	token     Token
	requestID string
	// header is the answer's.
	header http.Header
}

// endpoint answers a call: status and body, or an error. It runs with the lock held.
type endpoint func(c *call) (int, any, error)

// route is an endpoint, the permissions of which its caller needs one, and the
// part of GitHub's documentation that its errors lead to.
type route struct {
	pattern string
	needs   []string
	docs    string
	do      endpoint
}

const docsRoot = "https://docs.github.com/rest"

func (h *Hub) apiRoutes() http.Handler {
	m := http.NewServeMux()
	routes := [][]route{h.repositoryRoutes(), h.pullRoutes(), h.commentRoutes()}
	if !h.cfg.WithoutChecks {
		routes = append(routes, h.checkRoutes(), h.deploymentRoutes())
	}
	for _, part := range routes {
		for _, r := range part {
			m.Handle(r.pattern, h.handle(r))
		}
	}
	m.Handle("/", h.handle(route{do: func(*call) (int, any, error) { return 0, nil, notFound() }}))
	h.seedRoutes(m)
	return m
}

func (h *Hub) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r, links: linksOf(r, h.cfg.Repository), requestID: requestID(), header: w.Header()}
		w.Header().Set("x-github-request-id", c.requestID)
		w.Header().Set("x-github-media-type", "github.v3; format=json")
		status, body, err := h.answer(r.Context(), c, rt)
		if f, ok := h.lost(r); ok && err == nil {
			if f.Kind == fault.GitHubDrop {
				panic(http.ErrAbortHandler)
			}
			err = &apiError{status: cmp.Or(f.Status, http.StatusBadGateway), message: cmp.Or(f.Message, "Server Error")}
		}
		if err != nil {
			status, body = failure(c, rt, err)
		}
		w.Header().Set("content-type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(body) //nolint:gosec // JSON, and said to be
	})
}

// answer does what a request asks for and returns the body as it is to be sent.
func (h *Hub) answer(ctx context.Context, c *call, rt route) (int, []byte, error) {
	var err error
	if c.token, err = h.authenticate(c.Request); err != nil {
		return 0, nil, err
	}
	if err := h.limits.take(c, h.cfg.Now()); err != nil {
		return 0, nil, err
	}
	if err := h.fail(ctx, c); err != nil {
		return 0, nil, err
	}
	if owner := c.PathValue("owner"); owner != "" && !strings.EqualFold(owner+"/"+c.PathValue("repo"), h.cfg.Repository) {
		return 0, nil, notFound()
	}
	if err := c.need(rt.needs); err != nil {
		return 0, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	status, v, err := rt.do(c)
	if err != nil {
		return 0, nil, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return 0, nil, fmt.Errorf("encode the answer: %w", err)
	}
	return status, body, nil
}

func requestTargets(r *http.Request) []string {
	return []string{r.Method + " " + r.URL.Path, r.URL.Path, r.Method}
}

// fail applies the faults that come before anything is done.
func (h *Hub) fail(ctx context.Context, c *call) error {
	targets := requestTargets(c.Request)
	if f, ok := h.cfg.Faults.Take(fault.GitHubSlow, targets...); ok {
		wait(ctx, f.Delay)
	}
	if f, ok := h.cfg.Faults.Take(fault.GitHubError, targets...); ok {
		return &apiError{status: cmp.Or(f.Status, http.StatusInternalServerError), message: cmp.Or(f.Message, "Server Error")}
	}
	if f, ok := h.cfg.Faults.Take(fault.GitHubRateLimit, targets...); ok {
		return secondaryLimit(c, f)
	}
	return nil
}

// lost takes the faults that come after everything is done.
func (h *Hub) lost(r *http.Request) (fault.Fault, bool) {
	if f, ok := h.cfg.Faults.Take(fault.GitHubLost, requestTargets(r)...); ok {
		return f, true
	}
	return h.cfg.Faults.Take(fault.GitHubDrop, requestTargets(r)...)
}

// wait ends early when ctx does.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// failure is the body of an answer that is not a success.
func failure(c *call, rt route, err error) (int, []byte) {
	e := &apiError{status: http.StatusInternalServerError, message: err.Error()}
	errors.As(err, &e)
	if e.retryAfter > 0 {
		c.header.Set("retry-after", strconv.Itoa(int((e.retryAfter+time.Second-1)/time.Second)))
	}
	docs := e.docs
	if docs == "" {
		docs = docsRoot + "/" + rt.docs
		docs = strings.TrimSuffix(docs, "/")
	}
	body, _ := json.Marshal(struct { //nolint:errchkjson // strings, and details that are such
		Message          string `json:"message"`
		Errors           []any  `json:"errors,omitempty"`
		DocumentationURL string `json:"documentation_url"`
		Status           string `json:"status"`
	}{e.message, e.details, docs, strconv.Itoa(e.status)})
	return e.status, body
}

// read decodes a body; one of a wrong form is answered as GitHub does.
func (c *call) read(v any) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(http.MaxBytesReader(nil, c.Body, 1<<20)); err != nil {
		return &apiError{status: http.StatusRequestEntityTooLarge, message: "Request Entity Too Large"}
	}
	if b.Len() == 0 {
		return nil
	}
	err := json.Unmarshal(b.Bytes(), v)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return invalid("For 'properties/%s', %s is not a %s.", wrong.Field, wrong.Value, wrong.Type.Kind())
	case err != nil:
		return &apiError{status: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	return nil
}

func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.PathValue(name), 10, 64)
	return n
}

func requestID() string {
	b := make([]byte, 17)
	_, _ = rand.Read(b) // never fails
	text := strings.ToUpper(fmt.Sprintf("%x", b))
	return text[:4] + ":" + text[4:10] + ":" + text[10:18] + ":" + text[18:26] + ":" + text[26:]
}
