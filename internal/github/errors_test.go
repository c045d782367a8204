package github_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/github"
)

func TestAnErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const integration = "Resource not accessible by integration"
	invalid := answer{status: 422, body: object{
		"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest/deployments/deployments#create-a-deployment",
		"errors": []any{object{"resource": "Deployment", "field": "ref", "code": "invalid"}, object{"resource": "Deployment", "code": "custom", "message": "No ref found for: x"}},
	}}
	tests := []struct {
		name            string
		answer          answer
		denied, missing bool
	}{
		{"read-only token", fails(403, integration), true, false},
		{"personal token", fails(403, "Resource not accessible by personal access token"), true, false},
		{"no app", fails(403, "You must authenticate via a GitHub App."), true, false},
		{"SAML", fails(403, "Resource protected by organization SAML enforcement. You must grant your token access to this organization."), true, false},
		{"bad token", fails(401, "Bad credentials"), true, false},
		{"no such thing", fails(404, "Not Found"), false, true},
		{"no such method", answer{status: 405, body: "405 method not allowed"}, false, true},
		{"gone", fails(410, "Deployments are disabled for this repo"), false, true},
		{"invalid", invalid, false, false},
		// GitHub's description has objects alone; these are seen all the same.
		{"details are a string", answer{status: 422, body: object{"message": "Validation Failed", "errors": "Body is too long"}}, false, false},
		{"details are strings", answer{status: 422, body: object{"message": "Validation Failed", "errors": []any{"No commit found for SHA: x"}}}, false, false},
		{"a page of HTML", answer{status: 418, body: "<html>teapot</html>"}, false, false},
	}
	var all strings.Builder
	for _, tt := range tests {
		s := newServer(t).on(deploy, tt.answer)
		s.undescribed = strings.HasPrefix(tt.name, "details are")
		_, err := s.client().CreateDeployment(t.Context(), production())
		var answer *github.APIError
		if !errors.As(fmt.Errorf("report: %w", err), &answer) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if answer.Denied() != tt.denied || answer.Missing() != tt.missing || answer.Status != tt.answer.status {
			t.Errorf("%s: denied %v, missing %v, status %d", tt.name, answer.Denied(), answer.Missing(), answer.Status)
		}
		fmt.Fprintf(&all, "%s\n  %v\n", tt.name, err)
	}
	golden(t, "errors", all.String())
}

func TestAnErrorOfTheServerItselfSaysToTryLater(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for range 3 {
		s.on(deploy, answer{status: 502, body: "<html>Unicorn!</html>"}).on(deployments, ok([]object{}))
	}
	_, err := s.client().CreateDeployment(t.Context(), production())
	golden(t, "server-error", err.Error())
}

func TestEveryRequestNamesThePermissionThatItNeeds(t *testing.T) {
	t.Parallel()
	denied := fails(403, "Resource not accessible by integration")
	var all strings.Builder
	for _, tt := range []struct {
		line string
		do   func(*github.Client) error
	}{
		{runs, func(c *github.Client) error { _, err := c.CreateCheck(t.Context(), webCheck(0)); return err }},
		{update, func(c *github.Client) error { return c.UpdateCheck(t.Context(), 42, webCheck(0)) }},
		{list, func(c *github.Client) error { _, err := c.SetComment(t.Context(), 7, sticky(12, 1), "x"); return err }},
		{setStatus, func(c *github.Client) error { return c.SetDeploymentStatus(t.Context(), 9, status()) }},
		{pulls, func(c *github.Client) error { _, err := c.PullsOfCommit(t.Context(), sha); return err }},
		{compare, func(c *github.Client) error { _, err := c.Compare(t.Context(), "a", "b"); return err }},
	} {
		s := newServer(t)
		if tt.line == list {
			s.on(whoAmI, denied)
		}
		s.on(tt.line, denied)
		fmt.Fprintln(&all, tt.do(s.client()))
	}
	golden(t, "permissions", all.String())
}

func TestAServerWithoutChecksIsMissingThem(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(runs, answer{status: 404, body: "404 page not found\n"})
	_, err := s.client().CreateCheck(t.Context(), webCheck(0))
	var answer *github.APIError
	if !errors.As(err, &answer) || !answer.Missing() || answer.Denied() {
		t.Errorf("error: %v", err)
	}
}

func TestTheTokenNeverStandsInAnError(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]answer{
		"repeated by the server":    fails(400, "bad header Authorization: Bearer "+token),
		"repeated in a detail":      {status: 422, body: object{"message": "x", "errors": []any{object{"message": token}}}},
		"repeated by a rate limit":  fails(429, token).with(reset(1e12)),
		"in an answer that is none": {status: 200, body: "Authorization: Bearer " + token},
	} {
		s := newServer(t).on(runs, bad)
		s.undescribed = true
		if name == "in an answer that is none" {
			for range 2 {
				s.on(ofRef, ok(checkRuns())).on(runs, bad)
			}
			s.on(ofRef, ok(checkRuns()))
		}
		_, err := s.client().CreateCheck(t.Context(), webCheck(0))
		if err == nil || strings.Contains(err.Error(), token) || strings.Contains(fmt.Sprintf("%#v", err), token) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
