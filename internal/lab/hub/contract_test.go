package hub_test

import (
	"testing"

	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func TestEveryAnswerFitsGitHubsDescription(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c, ctx := w.checked(hub.DefaultToken), t.Context()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := w.checked(personal).Users.Get(ctx, "")
	must("user", err)
	_, _, err = c.Repositories.Get(ctx, owner, repo)
	must("repository", err)
	_, _, err = c.Repositories.GetCommit(ctx, owner, repo, "main", nil)
	must("commit", err)
	for _, head := range []string{"main", "open", sha("1"), sha("3")} {
		_, _, err = c.Repositories.CompareCommits(ctx, owner, repo, sha("2"), head, &gh.ListOptions{PerPage: 1})
		must("compare with "+head, err)
	}
	for _, state := range []string{"open", "closed", "all"} {
		_, _, err = c.PullRequests.List(ctx, owner, repo, &gh.PullRequestListOptions{State: state, ListOptions: gh.ListOptions{PerPage: 1}})
		must(state+" pull requests", err)
	}
	for number := range 3 {
		_, _, err = c.PullRequests.Get(ctx, owner, repo, number+1)
		must("pull request", err)
	}
	for _, one := range []string{sha("3"), sha("4"), sha("6")} {
		_, _, err = c.PullRequests.ListPullRequestsWithCommit(ctx, owner, repo, one, nil)
		must("pull requests of "+one, err)
	}

	run, _, err := c.Checks.CreateCheckRun(ctx, owner, repo, gh.CreateCheckRunOptions{Name: "snowdrop / web", HeadSHA: sha("4")})
	must("check run", err)
	_, _, err = c.Checks.UpdateCheckRun(ctx, owner, repo, run.GetID(), gh.UpdateCheckRunOptions{
		Name: "snowdrop / web", Conclusion: gh.String("failure"), DetailsURL: gh.String("https://example.com/run"),
		Output: &gh.CheckRunOutput{Title: gh.String("broken"), Summary: gh.String("It is."), Text: gh.String("All."), Annotations: []*gh.CheckRunAnnotation{
			{Path: gh.String("a.nix"), StartLine: gh.Int(1), EndLine: gh.Int(1), StartColumn: gh.Int(2), EndColumn: gh.Int(3), AnnotationLevel: gh.String("failure"), Message: gh.String("no")},
			{Path: gh.String("a.nix"), StartLine: gh.Int(1), EndLine: gh.Int(2), AnnotationLevel: gh.String("notice"), Message: gh.String("no"), Title: gh.String("T"), RawDetails: gh.String("D")},
		}},
	})
	must("update of a check run", err)
	_, _, err = c.Checks.GetCheckRun(ctx, owner, repo, run.GetID())
	must("get check run", err)
	_, _, err = c.Checks.ListCheckRunAnnotations(ctx, owner, repo, run.GetID(), &gh.ListOptions{PerPage: 1})
	must("annotations", err)
	_, _, err = c.Checks.ListCheckRunsForRef(ctx, owner, repo, "open", &gh.ListCheckRunsOptions{CheckName: gh.String("snowdrop / web"), Filter: gh.String("all")})
	must("check runs", err)

	comment, _, err := c.Issues.CreateComment(ctx, owner, repo, 2, &gh.IssueComment{Body: gh.String("a")})
	must("comment", err)
	_, _, err = w.checked(personal).Issues.CreateComment(ctx, owner, repo, 2, &gh.IssueComment{Body: gh.String("b")})
	must("comment of a person", err)
	_, _, err = c.Issues.GetComment(ctx, owner, repo, comment.GetID())
	must("get comment", err)
	_, _, err = c.Issues.EditComment(ctx, owner, repo, comment.GetID(), &gh.IssueComment{Body: gh.String("c")})
	must("change of a comment", err)
	_, _, err = c.Issues.ListComments(ctx, owner, repo, 2, &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: 1}})
	must("comments", err)

	for _, payload := range []any{nil, "text", map[string]string{"run": "1"}} {
		d, _, err := c.Repositories.CreateDeployment(ctx, owner, repo, &gh.DeploymentRequest{
			Ref: gh.String("main"), Payload: payload, RequiredContexts: &[]string{}, AutoMerge: gh.Bool(false),
		})
		must("deployment", err)
		_, _, err = c.Repositories.CreateDeploymentStatus(ctx, owner, repo, d.GetID(), &gh.DeploymentStatusRequest{State: gh.String("success")})
		must("status", err)
		_, _, err = c.Repositories.GetDeployment(ctx, owner, repo, d.GetID())
		must("get deployment", err)
		_, _, err = c.Repositories.ListDeploymentStatuses(ctx, owner, repo, d.GetID(), nil)
		must("statuses", err)
	}
	_, _, err = c.Repositories.ListDeployments(ctx, owner, repo, &gh.DeploymentsListOptions{Environment: "production"})
	must("deployments", err)
}
