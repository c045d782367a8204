package github

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const requestIDHeader = "X-Github-Request-Id"

// APIError is an answer of GitHub that is not a success.
type APIError struct {
	// What is what was tried, on what.
	What   string
	Status int
	// Message, RequestID and DocumentationURL are GitHub's own.
	Message, RequestID, DocumentationURL string
	// Needs is the permission that the request needs, as a workflow writes it:
	// "checks: write".
	Needs string

	limited bool
	until   time.Time
}

// Error says what was tried, what GitHub answered, and what to do.
func (e *APIError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: GitHub answered %d", e.What, e.Status)
	if e.Message != "" {
		fmt.Fprintf(&s, " %q", e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&s, " (request %s)", e.RequestID)
	}
	if hint := e.hint(); hint != "" {
		s.WriteString(": " + hint)
	} else if e.DocumentationURL != "" {
		s.WriteString("; see " + e.DocumentationURL)
	}
	return s.String()
}

// Denied says whether the token was refused or may not do this. A rate limit,
// which GitHub also answers with 403, is none.
func (e *APIError) Denied() bool {
	return !e.limited && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// Missing says whether the server has no such thing: what was asked for is not
// there or hidden from this token, or the server (a Gitea, say) lacks this part
// of the API.
func (e *APIError) Missing() bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusGone
}

func (e *APIError) hint() string {
	switch {
	case e.limited:
		return fmt.Sprintf("its rate limit for this token holds until %s; run it again after that", e.until.UTC().Format("2006-01-02 15:04:05 MST"))
	case e.Status == http.StatusUnauthorized:
		return "the token is wrong, expired or revoked; pass the job's GITHUB_TOKEN or another valid one"
	case e.Status == http.StatusForbidden:
		return e.permission()
	case e.Status == http.StatusGone:
		return "" // its message says what is switched off
	case e.Missing():
		return fmt.Sprintf("it is not there, or this token may not see it (that takes `%s`), or this server has no such API", e.Needs)
	case e.Status >= http.StatusMultipleChoices && e.Status < http.StatusBadRequest:
		return "it moved; correct GITHUB_REPOSITORY or GITHUB_API_URL, since a token is not sent after it"
	case e.Status >= http.StatusInternalServerError:
		return "the server has trouble; run it again later"
	default:
		return ""
	}
}

// permission is what to do about a 403, by the words that GitHub has for its
// causes.
func (e *APIError) permission() string {
	switch {
	case strings.Contains(e.Message, "not permitted to create or approve pull requests"):
		return "switch on \"Allow GitHub Actions to create and approve pull requests\" in the repository's settings, Actions → General"
	case strings.Contains(e.Message, "by integration"):
		hint := fmt.Sprintf("give the job `permissions: {%s}`", e.Needs)
		if strings.HasSuffix(e.Needs, "write") {
			hint += "; for a pull request from a fork or of Dependabot its token can only read"
		}
		return hint
	case strings.Contains(e.Message, "by personal access token"):
		return fmt.Sprintf("give the token the repository permission `%s`", e.Needs)
	case strings.Contains(e.Message, "authenticate via a GitHub App"):
		return fmt.Sprintf("a personal access token can not do this; use the job's GITHUB_TOKEN with `permissions: {%s}`", e.Needs)
	case e.DocumentationURL != "":
		return "see " + e.DocumentationURL
	default:
		return ""
	}
}

// explain turns what go-github or the network says into an error of ours. needs
// is the permission that the request needs. The token is kept out of it, even
// where a server would repeat it.
func (c *Client) explain(err error, needs, what string, args ...any) error {
	if err == nil {
		return nil
	}
	what = fmt.Sprintf(what, args...)
	e := &APIError{}
	var limit *APIError
	var answer *gh.ErrorResponse
	switch {
	case errors.As(err, &limit):
		*e = *limit
	case errors.As(err, &answer) && answer.Response != nil:
		e.Status, e.RequestID = answer.Response.StatusCode, answer.Response.Header.Get(requestIDHeader)
		// go-github puts the body back, and its own reading of it gives up on
		// details that it does not know.
		if body, readErr := io.ReadAll(answer.Response.Body); readErr == nil {
			e.Message, e.DocumentationURL = complaint(body)
		}
	default:
		return fmt.Errorf("%s: %w", what, err)
	}
	e.What, e.Needs = what, needs
	e.Message = strings.ReplaceAll(e.Message, c.token, "***")
	return e
}

// complaint is what the body of a failure says. The details of a request that did
// not pass validation are objects or, here and there, plain strings.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
func complaint(body []byte) (message, documentationURL string) {
	var said struct {
		Message          string          `json:"message"`
		DocumentationURL string          `json:"documentation_url"`
		Errors           json.RawMessage `json:"errors"`
	}
	if json.Unmarshal(body, &said) != nil {
		return "", "" // an HTML page of something in between
	}
	var details []json.RawMessage
	if json.Unmarshal(said.Errors, &details) != nil && len(said.Errors) > 0 {
		details = []json.RawMessage{said.Errors}
	}
	for _, raw := range details {
		var text string
		var fault struct{ Resource, Field, Code, Message string }
		switch {
		case json.Unmarshal(raw, &text) == nil:
		case json.Unmarshal(raw, &fault) != nil:
			continue
		case fault.Message != "":
			text = fault.Message
		default:
			text = strings.TrimSpace(fault.Resource + " " + fault.Field + " " + fault.Code)
		}
		if text != "" {
			said.Message += "; " + text
		}
	}
	return said.Message, said.DocumentationURL
}

// asAPIError is the answer in an error, nil if there is none.
func asAPIError(err error) *APIError {
	var answer *APIError
	errors.As(err, &answer)
	return answer
}
