package ocean

import (
	"errors"
	"fmt"
	"net/http"
)

// What an APIError is for errors.Is.
var (
	ErrNotFound     = errors.New("not found")
	ErrUnauthorized = errors.New("the token was not accepted")
	ErrForbidden    = errors.New("the token lacks a scope")
	ErrRateLimited  = errors.New("too many requests")
	ErrTimeout      = errors.New("timed out")
)

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
		s += ": " + e.Message
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	if e.Hint != "" {
		s += "; " + e.Hint
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
	return fmt.Sprintf("image %s (%d) is %s: %s", e.Image.Name, e.Image.ID, e.Image.Status, e.Reason)
}

// ActionError is an action that ended as errored.
type ActionError struct {
	Action Action
	Reason string
}

// Error says which action on what, and what is known of why.
func (e *ActionError) Error() string {
	return fmt.Sprintf("action %d (%s of %s %d) ended as %s: %s",
		e.Action.ID, e.Action.Type, e.Action.ResourceType, e.Action.ResourceID, e.Action.Status, e.Reason)
}
