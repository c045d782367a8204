package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// seedRoutes are the methods that fill the repository, for other processes. No
// token is needed.
func (h *Hub) seedRoutes(m *http.ServeMux) {
	m.HandleFunc("GET /lab/github", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, h.State()) })
	m.Handle("POST /lab/github/commits", seeding(func(_ *http.Request, c Commit) (any, error) {
		return c, h.AddCommit(c)
	}))
	m.Handle("PUT /lab/github/branches/{name...}", seeding(func(r *http.Request, in commitName) (any, error) {
		return in, h.SetBranch(r.PathValue("name"), in.SHA)
	}))
	m.Handle("POST /lab/github/pulls", seeding(func(_ *http.Request, p Pull) (any, error) {
		return h.AddPull(p)
	}))
	m.Handle("POST /lab/github/pulls/{number}/push", seeding(func(r *http.Request, in commitName) (any, error) {
		return in, withNumber(r, func(n int) error { return h.Push(n, in.SHA) })
	}))
	m.Handle("POST /lab/github/pulls/{number}/merge", seeding(func(r *http.Request, in commitName) (any, error) {
		return in, withNumber(r, func(n int) error { return h.Merge(n, in.SHA) })
	}))
	m.Handle("POST /lab/github/pulls/{number}/close", seeding(func(r *http.Request, in struct{}) (any, error) {
		return in, withNumber(r, h.Close)
	}))
}

type commitName struct {
	SHA string `json:"sha"`
}

func withNumber(r *http.Request, do func(int) error) error {
	n, err := strconv.Atoi(r.PathValue("number"))
	if err != nil {
		return fmt.Errorf("read the pull request's number: %w", err)
	}
	return do(n)
}

// seeding reads JSON, does something with it, and answers with what came of it. A
// key that is not known is refused: a typing error would pass unseen.
func seeding[T any](do func(*http.Request, T) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil && !errors.Is(err, io.EOF) {
			http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
			return
		}
		out, err := do(r, in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		reply(w, http.StatusCreated, out)
	})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
