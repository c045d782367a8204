package ocean

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// What an APIError, or a wait that ended without its aim, is for errors.Is.
var (
	ErrNotFound     = errors.New("not found")
	ErrUnauthorized = errors.New("the token was not accepted")
	ErrForbidden    = errors.New("the token lacks a scope")
	ErrRateLimited  = errors.New("too many requests")
	ErrTimeout      = errors.New("timed out")
)

// tokenVariables are the variables that the token comes from, as a person knows
// them.
const tokenVariables = "DIGITALOCEAN_ACCESS_TOKEN (or DIGITALOCEAN_TOKEN)" //nolint:gosec // names, not values

// APIError is an answer of the API that is not a success.
type APIError struct {
	Method, Path string
	Status       int
	// Message and RequestID are the API's own.
	Message, RequestID string
	// Hint says what to do about it, where that is known.
	Hint string
}

// Error names method, path, status, message and request id.
func (e *APIError) Error() string {
	s := fmt.Sprintf("%s %s answered %d", e.Method, e.Path, e.Status)
	if e.Message != "" {
		s += " " + quote(e.Message)
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Is makes errors.Is work with this package's sentinel errors.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.Status == http.StatusNotFound
	case ErrUnauthorized:
		return e.Status == http.StatusUnauthorized
	case ErrForbidden:
		return e.Status == http.StatusForbidden
	case ErrRateLimited:
		return e.Status == http.StatusTooManyRequests
	default:
		return false
	}
}

// ImageError is an image that will not become available.
type ImageError struct {
	Image Image
	// Reason is the API's own error message, or words of our own if it gave none.
	Reason string
}

// Error says which image, its status and why.
func (e *ImageError) Error() string {
	return fmt.Sprintf("custom image %s (%d) will not become available, its status is %q: %s", e.Image.Name, e.Image.ID, e.Image.Status, e.Reason)
}

// ActionError is an action that ended as errored.
type ActionError struct {
	Action Action
	// Reason are words of our own: the API gives none for an action.
	Reason string
}

// Error says which action on what, and what is known of why.
func (e *ActionError) Error() string {
	a := e.Action
	return fmt.Sprintf("%s of %s %d (action %d) ended as %q: %s", a.Type, a.ResourceType, a.ResourceID, a.ID, a.Status, e.Reason)
}

// TimeoutError is a wait that came to its end before what was waited for.
type TimeoutError struct {
	// What is what was waited for, Last the status that was last seen.
	What, Last string
	After      time.Duration
	// Fix says what to do now.
	Fix string
}

// Error says what was waited for, how long, and what was seen last.
func (e *TimeoutError) Error() string {
	return fmt.Sprintf("%s is still %s after %s: %s", e.What, e.Last, e.After.Round(time.Second), e.Fix)
}

// Is makes it an ErrTimeout.
func (e *TimeoutError) Is(target error) bool { return target == ErrTimeout }

// explain turns godo's error into ours, with a hint for a person. The scopes are
// those that the request needs.
func explain(err error, scopes ...string) error {
	var answer *godo.ErrorResponse
	if err == nil || !errors.As(err, &answer) {
		return err
	}
	e := &APIError{Message: strings.TrimSpace(answer.Message), RequestID: answer.RequestID}
	if answer.NestedError != nil && e.Message == "" {
		e.Message = answer.NestedError.Message
	}
	if resp := answer.Response; resp != nil {
		e.Status = resp.StatusCode
		if e.RequestID == "" {
			e.RequestID = resp.Header.Get("X-Request-Id")
		}
		if resp.Request != nil {
			e.Method, e.Path = resp.Request.Method, resp.Request.URL.Path
		}
		e.Hint = hint(e.Status, resp, scopes)
	}
	return e
}

func hint(status int, resp *http.Response, scopes []string) string {
	switch status {
	case http.StatusUnauthorized:
		return "the token is wrong, expired or revoked; set " + tokenVariables + " to a valid one"
	case http.StatusForbidden:
		return fmt.Sprintf("the token in %s most likely lacks a scope: this needs %s; make a token that has it, or one with full access",
			tokenVariables, strings.Join(scopes, " and "))
	case http.StatusTooManyRequests:
		if q, ok := quotaOf(resp); ok && q.remaining <= 0 {
			return fmt.Sprintf("the token's %d requests an hour are used up until %s; wait until then, or use a token of its own for this",
				q.limit, q.reset.UTC().Format("15:04 MST"))
		}
		return "too many requests at once with this token; run it again in a few minutes"
	default:
		return ""
	}
}

func quote(message string) string { return `"` + message + `"` }
