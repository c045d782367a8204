package hub_test

import (
	"testing"

	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func proposal(title, head, base string) *gh.NewPullRequest {
	return &gh.NewPullRequest{Title: gh.String(title), Body: gh.String("Why."), Head: gh.String(head), Base: gh.String(base)}
}

func TestAPullRequestIsOpenedFromABranchThatWasPushed(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	if err := w.SetBranch("update", sha("4")); err != nil {
		t.Fatal(err)
	}
	c, ctx := w.checked(hub.DefaultToken), t.Context()
	made, _, err := c.PullRequests.Create(ctx, owner, repo, proposal("Update", "update", "main"))
	if err != nil {
		t.Fatal(err)
	}
	if made.GetNumber() != 4 || made.GetHead().GetSHA() != sha("4") || made.GetBase().GetRef() != "main" || made.GetUser().GetLogin() != hub.WorkflowLogin {
		t.Errorf("made %v", made)
	}
	changed, _, err := c.PullRequests.Edit(ctx, owner, repo, 4, &gh.PullRequest{Title: gh.String("Update nixpkgs"), Body: gh.String("Because.")})
	if err != nil || changed.GetTitle() != "Update nixpkgs" || changed.GetBody() != "Because." {
		t.Errorf("changed %v, %v", changed, err)
	}
	_, _, err = c.PullRequests.Create(ctx, owner, repo, proposal("Again", "acme:update", "main"))
	fails(t, err, "A pull request already exists for acme:update.")
	if pulls := w.State().Pulls; len(pulls) != 4 {
		t.Errorf("there are %d pull requests", len(pulls))
	}
	closed, _, err := c.PullRequests.Edit(ctx, owner, repo, 4, &gh.PullRequest{State: gh.String("closed")})
	if err != nil || closed.GetState() != "closed" || closed.GetClosedAt().IsZero() || closed.GetTitle() != "Update nixpkgs" {
		t.Errorf("closed %v, %v", closed, err)
	}
	_, _, err = c.PullRequests.Edit(ctx, owner, repo, 4, &gh.PullRequest{State: gh.String("open")})
	fails(t, err, "PullRequest state invalid")
}

func TestAPullRequestThatGitHubRefusesIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	if err := w.SetBranch("same", sha("1")); err != nil {
		t.Fatal(err)
	}
	c, ctx := w.client(hub.DefaultToken), t.Context()
	for want, p := range map[string]*gh.NewPullRequest{
		"PullRequest head invalid":                proposal("Update", "nowhere", "main"),
		"PullRequest base invalid":                proposal("Update", "open", "nowhere"),
		"PullRequest title missing_field":         proposal(" ", "open", "main"),
		"No commits between main and same":        proposal("Update", "same", "main"),
		`"base" wasn't supplied.`:                 {Title: gh.String("Update"), Head: gh.String("open")},
		"A pull request already exists for acme:": proposal("Update", "open", "main"),
	} {
		_, _, err := c.PullRequests.Create(ctx, owner, repo, p)
		fails(t, err, want)
	}
	_, _, err := w.client(reader).PullRequests.Create(ctx, owner, repo, proposal("Update", "open", "main"))
	fails(t, err, "403")
	_, _, err = c.PullRequests.Edit(ctx, owner, repo, 2, &gh.PullRequest{Title: gh.String("")})
	fails(t, err, "PullRequest title missing_field")
	_, _, err = c.PullRequests.Edit(ctx, owner, repo, 99, &gh.PullRequest{Title: gh.String("a")})
	fails(t, err, "404")
	if pulls := w.State().Pulls; len(pulls) != 3 {
		t.Errorf("there are %d pull requests", len(pulls))
	}
}
