package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func TestACommentKeepsItsAuthorAndWhatItSaidBefore(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	ctx := t.Context()
	made, _, err := w.client(hub.DefaultToken).Issues.CreateComment(ctx, owner, repo, 2, &gh.IssueComment{Body: gh.String("one")})
	if err != nil {
		t.Fatal(err)
	}
	if who := made.GetUser().GetLogin(); who != hub.WorkflowLogin || !strings.HasPrefix(made.GetHTMLURL(), w.url+"/acme/fleet/pull/2#issuecomment-") {
		t.Errorf("%s wrote %s", who, made.GetHTMLURL())
	}
	// Whoever may write may change it, and it stays the first one's.
	changed, _, err := w.client(personal).Issues.EditComment(ctx, owner, repo, made.GetID(), &gh.IssueComment{Body: gh.String("two")})
	if err != nil || changed.GetUser().GetLogin() != hub.WorkflowLogin || changed.GetBody() != "two" {
		t.Errorf("%v, %v", changed, err)
	}
	got := w.State().Comments[0]
	if diff := cmp.Diff([]string{"one"}, got.Earlier); diff != "" || !got.UpdatedAt.After(got.CreatedAt) {
		t.Errorf("%+v\n%s", got, diff)
	}
}

func TestACommentThatGitHubRefusesIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	longest := strings.Repeat("é", 65536)
	made, _, err := c.Issues.CreateComment(t.Context(), owner, repo, 2, &gh.IssueComment{Body: &longest})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ body, want string }{
		"too long": {longest + "é", "422 Validation Failed; IssueComment data unprocessable Body is too long (maximum is 65536 characters)"},
		"blank":    {" \n", "422 Validation Failed; IssueComment data unprocessable Body can not be blank"},
	} {
		_, _, err := c.Issues.CreateComment(t.Context(), owner, repo, 2, &gh.IssueComment{Body: &tt.body})
		fails(t, err, tt.want)
		_, _, err = c.Issues.EditComment(t.Context(), owner, repo, made.GetID(), &gh.IssueComment{Body: &tt.body})
		fails(t, err, tt.want)
		if got := w.State().Comments; len(got) != 1 || got[0].Body != longest || got[0].Earlier != nil {
			t.Errorf("%s: it changed something", name)
		}
	}
	_, _, err = c.Issues.CreateComment(t.Context(), owner, repo, 2, &gh.IssueComment{})
	fails(t, err, `"body" wasn't supplied.`)
	_, _, err = c.Issues.CreateComment(t.Context(), owner, repo, 99, &gh.IssueComment{Body: gh.String("a")})
	fails(t, err, "404 Not Found")
	_, _, err = c.Issues.EditComment(t.Context(), owner, repo, 99, &gh.IssueComment{Body: gh.String("a")})
	fails(t, err, "404 Not Found")
}

func TestCommentsAreListedByPageAndSince(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c, ctx := w.client(hub.DefaultToken), t.Context()
	var second time.Time
	for i, body := range []string{"a", "b", "c"} {
		k, _, err := c.Issues.CreateComment(ctx, owner, repo, 2, &gh.IssueComment{Body: &body})
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			second = k.GetCreatedAt().Time
		}
	}
	if _, _, err := c.Issues.CreateComment(ctx, owner, repo, 3, &gh.IssueComment{Body: gh.String("elsewhere")}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		o              gh.IssueListCommentsOptions
		want           string
		next, last, at int
	}{
		{gh.IssueListCommentsOptions{}, "a b c", 0, 0, 0},
		{gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 2}}, "a b", 2, 2, 0},
		{gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 2, Page: 2}}, "c", 0, 0, 1},
		{gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 2, Page: 3}}, "", 0, 0, 2},
		{gh.IssueListCommentsOptions{Since: &second}, "b c", 0, 0, 0},
	} {
		list, resp, err := c.Issues.ListComments(ctx, owner, repo, 2, &tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var bodies []string
		for _, k := range list {
			bodies = append(bodies, k.GetBody())
		}
		if got := strings.Join(bodies, " "); got != tt.want || resp.NextPage != tt.next || resp.LastPage != tt.last || resp.PrevPage != tt.at {
			t.Errorf("%+v: %q, next %d, last %d, previous %d", tt.o, got, resp.NextPage, resp.LastPage, resp.PrevPage)
		}
	}
}
