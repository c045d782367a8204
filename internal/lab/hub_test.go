package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

const revision = "4444444444444444444444444444444444444444"

// withPull puts a pull request, #1, into the lab's repository.
func withPull(t *testing.T, l *lab.Lab) {
	t.Helper()
	h := l.GitHub()
	base := strings.Repeat("1", 40)
	for _, c := range []hub.Commit{{SHA: base, Author: "mona"}, {SHA: revision, Parents: []string{base}, Author: "mona"}} {
		if err := h.AddCommit(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.SetBranch("main", base); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddPull(hub.Pull{Title: "A change", Author: "mona", HeadSHA: revision, HeadRef: "change"}); err != nil {
		t.Fatal(err)
	}
}

// impatient is a clock that never waits.
type impatient struct{}

func (impatient) Now() time.Time                                   { return time.Now() }
func (impatient) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// reporter is our own client, led to the lab by the environment alone.
func reporter(t *testing.T, l *lab.Lab) *github.Client {
	t.Helper()
	env := map[string]string{}
	for _, line := range l.GitHubEnv() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	c, err := github.New(github.Config{
		Token: env["GITHUB_TOKEN"], BaseURL: env["GITHUB_API_URL"], Repository: env["GITHUB_REPOSITORY"], Clock: impatient{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t *testing.T, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", address, resp.StatusCode, body, err)
	}
	return string(body)
}

func TestWhatIsToldToGitHubIsThereOnceWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	for _, kind := range []lab.Fault{
		{Kind: "github-lost"},
		{Kind: "github-drop"},
		{Kind: "github-error", Status: 503},
		{Kind: "github-rate-limit", Delay: time.Second},
		{Kind: "github-slow", Delay: time.Millisecond},
	} {
		for _, method := range []string{"POST *", "PATCH *"} {
			fault := kind
			fault.Target = method
			t.Run(fault.String(), func(t *testing.T) {
				t.Parallel()
				l := start(t, lab.Config{Faults: []lab.Fault{fault}})
				withPull(t, l)
				c, ctx := reporter(t, l), t.Context()
				var annotations []github.Annotation
				for i := range 120 {
					annotations = append(annotations, github.Annotation{Path: "flake.nix", StartLine: i + 1, EndLine: i + 1, Level: "failure", Message: "no"})
				}
				id, err := c.CreateCheck(ctx, github.Check{Name: "snowdrop / web", HeadSHA: revision, ExternalID: "7/1/web", Status: "in_progress"})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.UpdateCheck(ctx, id, github.Check{Name: "snowdrop / web", Status: "completed", Conclusion: "failure", Title: "t", Summary: "s", Annotations: annotations}); err != nil {
					t.Fatal(err)
				}
				for _, body := range []string{"planned", "done"} {
					if _, err := c.SetComment(ctx, 1, github.Sticky{Kind: "deploy", Run: 7, Attempt: 1}, body); err != nil {
						t.Fatal(err)
					}
				}
				d, err := c.CreateDeployment(ctx, github.Deployment{Ref: revision, Environment: "production/web", Task: "deploy", Payload: map[string]string{"run": "7"}})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.SetDeploymentStatus(ctx, d, github.DeploymentStatus{State: "success"}); err != nil {
					t.Fatal(err)
				}

				if armed := get(t, l.APIURL()+"/lab/faults"); strings.TrimSpace(armed) != "[]" {
					t.Errorf("it did not go wrong: %s", armed)
				}
				s := l.State().GitHub
				if len(s.Checks) != 1 || len(s.Checks[0].Annotations) != 120 || s.Checks[0].Conclusion != "failure" {
					t.Errorf("%d check runs; the first has %d annotations", len(s.Checks), len(s.Checks[0].Annotations))
				}
				if len(s.Comments) != 1 || !strings.HasSuffix(s.Comments[0].Body, "done") {
					t.Errorf("comments: %+v", s.Comments)
				}
				if len(s.Deployments) != 1 || len(s.Deployments[0].Statuses) != 1 || s.Deployments[0].Latest().State != "success" {
					t.Errorf("deployments: %+v", s.Deployments)
				}
			})
		}
	}
}

func TestRequestsToGitHubAreRecordedAndLooksAreNot(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{GitHub: lab.GitHub{Repository: "you/yours"}})
	withPull(t, l)
	if _, err := reporter(t, l).SetComment(t.Context(), 1, github.Sticky{Kind: "plan"}, "planned"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/you/yours/pull/1", "/lab/github"} {
		get(t, l.GitHubURL()+path)
	}
	var got []string
	for _, r := range l.Requests() {
		got = append(got, fmt.Sprint(r.Service, " ", r.Method, " ", r.Path, " ", r.Status, " ", strings.Contains(r.Body, "planned")))
	}
	if diff := cmp.Diff([]string{
		"github GET /user 403 false",
		"github GET /repos/you/yours/issues/1/comments 200 false",
		"github POST /repos/you/yours/issues/1/comments 201 true",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGitHubIsFilledAndSeenAtTheLabsOwnAddressToo(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	resp, err := http.Post(l.APIURL()+"/lab/github/commits", "application/json", strings.NewReader(`{"sha": "`+revision+`", "message": "Begin"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	body := get(t, l.APIURL()+"/lab/state")
	var s lab.State
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if s.GitHub.Repository != "acme/fleet" || len(s.GitHub.Commits) != 1 || s.GitHub.Commits[0].Message != "Begin" {
		t.Errorf("%s", body)
	}
}

// What is set for everything in a shell would lead gh and others astray.
func TestTheEnvironmentOfTheLabHasNothingOfGitHub(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{})
	if i := slices.IndexFunc(l.Env(), func(line string) bool { return strings.HasPrefix(line, "GITHUB_") }); i >= 0 {
		t.Errorf("it has %s", l.Env()[i])
	}
}
