package hub

import (
	"fmt"
	"net/http"
	"strings"
)

// createPull opens a pull request from a branch of the repository, which has to have
// been pushed: SetBranch.
func (h *Hub) createPull(c *call) (int, any, error) {
	var in struct {
		Title, Head, Base string
		Body              string
	}
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	for name, value := range map[string]string{"head": in.Head, "base": in.Base} {
		if value == "" {
			return 0, nil, invalid("%q wasn't supplied.", name)
		}
	}
	owner, _, _ := strings.Cut(h.cfg.Repository, "/")
	head := strings.TrimPrefix(in.Head, owner+":")
	refuse := func(field, code, message string) (int, any, error) {
		return 0, nil, validationFailed(detail{Resource: "PullRequest", Code: code, Field: field, Message: message})
	}
	at, pushed := h.branches[head]
	base, known := h.branches[in.Base]
	switch {
	case !pushed:
		return refuse("head", "invalid", "")
	case !known:
		return refuse("base", "invalid", "")
	case strings.TrimSpace(in.Title) == "":
		return refuse("title", "missing_field", "")
	case len(h.commits.between(base, at)) == 0:
		return refuse("", "custom", fmt.Sprintf("No commits between %s and %s", in.Base, head))
	}
	for _, p := range h.pulls {
		if p.State == "open" && p.HeadRepository == h.cfg.Repository && p.HeadRef == head && p.BaseRef == in.Base {
			return refuse("", "custom", fmt.Sprintf("A pull request already exists for %s:%s.", owner, head))
		}
	}
	made, err := h.addPull(Pull{Title: in.Title, Body: in.Body, Author: c.token.Login, HeadSHA: at, HeadRef: head, BaseRef: in.Base})
	if err != nil {
		return 0, nil, unprocessable("%v", err)
	}
	return http.StatusCreated, h.wholePull(c.links, h.pull(made.Number)), nil
}

// updatePull changes a pull request's title and text, and closes it.
func (h *Hub) updatePull(c *call) (int, any, error) {
	p := h.pull(int(c.number("number")))
	if p == nil {
		return 0, nil, notFound()
	}
	var in struct{ Title, Body, State *string }
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if in.Title != nil {
		if strings.TrimSpace(*in.Title) == "" {
			return 0, nil, validationFailed(detail{Resource: "PullRequest", Code: "missing_field", Field: "title"})
		}
		p.Title = *in.Title
	}
	if in.Body != nil {
		p.Body = *in.Body
	}
	switch {
	case in.State == nil || *in.State == p.State:
	case *in.State == "closed":
		p.State, p.ClosedAt = "closed", h.now()
	default: // the lab reopens none
		return 0, nil, validationFailed(detail{Resource: "PullRequest", Code: "invalid", Field: "state"})
	}
	p.UpdatedAt = h.now()
	return http.StatusOK, h.wholePull(c.links, p), nil
}
