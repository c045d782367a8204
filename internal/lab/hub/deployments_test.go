package hub_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

// request is a deployment that nothing stands against.
func request(ref, environment string) *gh.DeploymentRequest {
	return &gh.DeploymentRequest{Ref: &ref, Environment: &environment, AutoMerge: gh.Bool(false), RequiredContexts: &[]string{}}
}

func (w *world) deploy(r *gh.DeploymentRequest, states ...string) int64 {
	w.t.Helper()
	c := w.client(hub.DefaultToken)
	d, _, err := c.Repositories.CreateDeployment(w.t.Context(), owner, repo, r)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, state := range states {
		w.status(d.GetID(), &gh.DeploymentStatusRequest{State: &state})
	}
	return d.GetID()
}

func (w *world) status(id int64, s *gh.DeploymentStatusRequest) {
	w.t.Helper()
	if _, _, err := w.client(hub.DefaultToken).Repositories.CreateDeploymentStatus(w.t.Context(), owner, repo, id, s); err != nil {
		w.t.Fatal(err)
	}
}

func TestASuccessMakesTheEarlierDeploymentsOfItsEnvironmentInactive(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	names := map[int64]string{}
	deployed := func(name, environment string, transient, production bool, states ...string) {
		r := request(sha("5"), environment)
		r.TransientEnvironment, r.ProductionEnvironment = &transient, &production
		names[w.deploy(r, states...)] = name
	}
	deployed("other environment", "staging/db", false, false, "success")
	deployed("transient", "staging", true, false, "success")
	deployed("production", "staging", false, true, "success")
	deployed("failed", "staging", false, false, "failure")
	deployed("no status", "staging", false, false)
	deployed("first", "staging", false, false, "in_progress", "success")
	deployed("second", "staging", false, false, "success")
	kept := w.deploy(request(sha("5"), "staging"))
	w.status(kept, &gh.DeploymentStatusRequest{State: gh.String("success"), AutoInactive: gh.Bool(false)})
	names[kept] = "without auto_inactive"
	deployed("newest", "staging", false, false, "queued", "failure")

	got := map[string]string{}
	for _, d := range w.State().Deployments {
		got[names[d.ID]] = d.Latest().State
	}
	if diff := cmp.Diff(map[string]string{
		"other environment": "success", "transient": "success", "production": "success", "failed": "failure", "no status": "pending",
		"first": "inactive", "second": "success", "without auto_inactive": "success", "newest": "failure",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestADeploymentWaitsForTheContextsThatItRequires(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	w.check(c, gh.CreateCheckRunOptions{Name: "good", HeadSHA: sha("5"), Conclusion: gh.String("success")})
	w.check(c, gh.CreateCheckRunOptions{Name: "running", HeadSHA: sha("5"), Status: gh.String("in_progress")})
	for name, tt := range map[string]struct {
		required *[]string
		want     string
	}{
		"all, by default": {nil, "409 Conflict: Commit status checks failed for main.; Deployment required_contexts invalid"},
		"none":            {&[]string{}, ""},
		"a good one":      {&[]string{"good"}, ""},
		"a running one":   {&[]string{"good", "running"}, "409"},
		"an unknown one":  {&[]string{"nobody"}, "409"},
	} {
		t.Run(name, func(t *testing.T) {
			r := request("main", "production")
			r.RequiredContexts = tt.required
			_, _, err := c.Repositories.CreateDeployment(t.Context(), owner, repo, r)
			if (err == nil) != (tt.want == "") || !strings.Contains(said(err), tt.want) {
				t.Errorf("said %s; want %s", said(err), tt.want)
			}
		})
	}
	// Of a commit without any, nothing is required.
	r := request("open", "production")
	r.RequiredContexts = nil
	w.deploy(r)
}

func TestABranchThatIsBehindIsMergedInsteadOfDeployed(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	r := request("open", "production")
	r.AutoMerge = nil // as GitHub's default
	_, resp, err := c.Repositories.CreateDeployment(t.Context(), owner, repo, r)
	if err == nil || resp.StatusCode != 202 {
		t.Fatalf("answered %v, %v", resp, err)
	}
	s := w.State()
	if s.Branches["open"] == sha("4") || len(s.Deployments) != 0 {
		t.Errorf("the branch is at %s, and there are %d deployments", s.Branches["open"], len(s.Deployments))
	}
	compared, _, err := c.Repositories.CompareCommits(t.Context(), owner, repo, "main", "open", nil)
	if err != nil || compared.GetStatus() != "ahead" {
		t.Errorf("the branch is %s, %v", compared.GetStatus(), err)
	}
	w.deploy(r) // now it is not behind any more
}

func TestADeploymentThatGitHubRefusesIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c, ctx := w.client(hub.DefaultToken), t.Context()
	_, _, err := c.Repositories.CreateDeployment(ctx, owner, repo, request("nowhere", "production"))
	fails(t, err, "422 No ref found for: nowhere")
	_, _, err = c.Repositories.CreateDeployment(ctx, owner, repo, &gh.DeploymentRequest{})
	fails(t, err, `"ref" wasn't supplied.`)
	r := request("main", "production")
	r.Payload = []string{"a list"}
	_, _, err = c.Repositories.CreateDeployment(ctx, owner, repo, r)
	fails(t, err, "properties/payload")

	id := w.deploy(request("main", "production"))
	for name, tt := range map[string]struct {
		s    gh.DeploymentStatusRequest
		want string
	}{
		"no state":            {gh.DeploymentStatusRequest{}, `"state" wasn't supplied.`},
		"unknown state":       {gh.DeploymentStatusRequest{State: gh.String("done")}, "properties/state"},
		"long description":    {gh.DeploymentStatusRequest{State: gh.String("success"), Description: gh.String(strings.Repeat("é", 141))}, "422 Validation Failed; DeploymentStatus description custom description is too long (maximum is 140 characters)"},
		"log's address":       {gh.DeploymentStatusRequest{State: gh.String("success"), LogURL: gh.String("run/1")}, "log_url must use http(s) scheme"},
		"environment address": {gh.DeploymentStatusRequest{State: gh.String("success"), EnvironmentURL: gh.String("203.0.113.2")}, "environment_url must use http(s) scheme"},
	} {
		_, _, err := c.Repositories.CreateDeploymentStatus(ctx, owner, repo, id, &tt.s)
		t.Log(name)
		fails(t, err, tt.want)
	}
	_, _, err = c.Repositories.CreateDeploymentStatus(ctx, owner, repo, 1, &gh.DeploymentStatusRequest{State: gh.String("success")})
	fails(t, err, "404")
	if s := w.State().Deployments; len(s) != 1 || len(s[0].Statuses) != 0 {
		t.Errorf("something was made: %+v", s)
	}
	w.status(id, &gh.DeploymentStatusRequest{State: gh.String("success"), Description: gh.String(strings.Repeat("é", 140))})
}

func TestDeploymentsAreFoundByWhatTheyAreTheNewestFirst(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	migrate := request("main", "db")
	migrate.Task = gh.String("migrate")
	one, two := request("main", "web"), request(sha("4"), "web")
	ids := map[int64]string{w.deploy(one): "1", w.deploy(two): "2", w.deploy(migrate): "3"}
	for _, tt := range []struct {
		o    gh.DeploymentsListOptions
		want string
	}{
		{gh.DeploymentsListOptions{}, "3 2 1"},
		{gh.DeploymentsListOptions{Environment: "web"}, "2 1"},
		{gh.DeploymentsListOptions{Ref: "main"}, "3 1"},
		{gh.DeploymentsListOptions{SHA: sha("4")}, "2"},
		{gh.DeploymentsListOptions{Task: "migrate"}, "3"},
		{gh.DeploymentsListOptions{Task: "none", Environment: "db"}, "3"},
		{gh.DeploymentsListOptions{Environment: "nowhere"}, ""},
	} {
		list, _, err := c.Repositories.ListDeployments(t.Context(), owner, repo, &tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range list {
			got = append(got, ids[d.GetID()])
		}
		if text := strings.Join(got, " "); text != tt.want {
			t.Errorf("%+v: %q; want %q", tt.o, text, tt.want)
		}
	}
}

func TestADeploymentHasWhatItWasMadeWith(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	d, _, err := c.Repositories.CreateDeployment(t.Context(), owner, repo, &gh.DeploymentRequest{
		Ref: gh.String("main"), RequiredContexts: &[]string{}, Payload: map[string]string{"run": "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.GetSHA() != sha("5") || d.GetRef() != "main" || d.GetEnvironment() != "production" || d.GetTask() != "deploy" || string(d.Payload) != `{"run":"7"}` {
		t.Errorf("%v", d)
	}
	w.status(d.GetID(), &gh.DeploymentStatusRequest{State: gh.String("in_progress"), Environment: gh.String("elsewhere"), LogURL: gh.String("https://example.com/1")})
	w.status(d.GetID(), &gh.DeploymentStatusRequest{State: gh.String("failure")})
	statuses, _, err := c.Repositories.ListDeploymentStatuses(t.Context(), owner, repo, d.GetID(), nil)
	if err != nil || len(statuses) != 2 {
		t.Fatalf("%v, %v", statuses, err)
	}
	// The newest is first, and goes on where the one before it went.
	if statuses[0].GetState() != "failure" || statuses[0].GetEnvironment() != "elsewhere" || statuses[1].GetTargetURL() != "https://example.com/1" {
		t.Errorf("%v", statuses)
	}
	if s := w.State().Deployments[0]; !s.Production || s.Transient || s.Creator != hub.WorkflowLogin {
		t.Errorf("%+v", s)
	}
	if data, err := json.Marshal(w.State()); err != nil || !strings.Contains(string(data), `"payload":{"run":"7"}`) {
		t.Errorf("as JSON: %s, %v", data, err)
	}
}
