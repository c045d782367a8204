package github_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// quick is a clock that does not wait.
type quick struct{}

func (quick) Now() time.Time { return time.Now() }

func (quick) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// onHub is a client of the lab's GitHub, with a pull request on it.
func onHub(t *testing.T) (*hub.Hub, *github.Client) {
	t.Helper()
	h := hub.New(hub.Config{Tokens: []hub.Token{{Value: "t"}}})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	check(t, h.AddCommit(hub.Commit{SHA: sha, Message: "A change"}))
	check(t, h.SetBranch("main", sha))
	_, err := h.AddPull(hub.Pull{Number: 7, Title: "A change", HeadSHA: sha, HeadRef: "change"})
	check(t, err)
	client, err := github.New(github.Config{Token: "t", BaseURL: server.URL, Repository: "acme/fleet", Clock: quick{}})
	check(t, err)
	return h, client
}

func TestAPullRequestIsOpenUntilItIsClosed(t *testing.T) {
	t.Parallel()
	h, client := onHub(t)
	for _, want := range []bool{true, false} {
		got, err := client.PullIsOpen(t.Context(), 7)
		check(t, err)
		if got != want {
			t.Errorf("open: %v, want %v", got, want)
		}
		if want {
			check(t, h.Close(7))
		}
	}
	if _, err := client.PullIsOpen(t.Context(), 8); err == nil {
		t.Error("one that is not there is told to be something")
	}
}

func TestRetiredAreTheDeploymentsOfTheTaskAlone(t *testing.T) {
	t.Parallel()
	h, client := onHub(t)
	ctx := context.WithoutCancel(t.Context())
	for i, task := range []string{"preview-pr-7", "preview-pr-7", "preview-pr-77", "deploy"} {
		id, err := client.CreateDeployment(ctx, github.Deployment{
			Ref: sha, Environment: "somewhere", Task: task, Payload: map[string]string{"run": string(rune('a' + i))},
		})
		check(t, err)
		check(t, client.SetDeploymentStatus(ctx, id, github.DeploymentStatus{State: "success"}))
	}
	check(t, client.RetireDeployments(ctx, "preview-pr-7", "gone"))
	check(t, client.RetireDeployments(ctx, "preview-pr-7", "gone")) // once is enough
	var got [][]string
	for _, d := range h.State().Deployments {
		var states []string
		for _, s := range d.Statuses {
			states = append(states, s.State)
		}
		got = append(got, states)
	}
	want := [][]string{{"success", "inactive"}, {"success", "inactive"}, {"success"}, {"success"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
