package action_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/lab/nixplay"
)

func TestAPullRequestIsPlannedInAChecksAndOneComment(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "A change"}))
	_, err := p.hub.AddPull(hub.Pull{Title: "A change", HeadSHA: sha("2"), HeadRef: "change"})
	check(t, err)
	for range 2 {
		e := p.action(t.Context(), "pull_request", "f", pullRequest(1, "2", false))
		e.demand(t, 0)
		if e.outputs["changed"] != "true" || e.outputs["matrix"] != `{"server":["api","web"]}` || e.outputs["comment-url"] == "" {
			t.Errorf("outputs: %v", e.outputs)
		}
	}
	state := p.hub.State()
	if len(state.Comments) != 1 || len(state.Comments[0].Earlier) != 1 || !strings.Contains(state.Comments[0].Body, "web-1") {
		t.Errorf("comments: %+v", state.Comments)
	}
	for _, name := range []string{"snowdrop / web", "snowdrop / api"} {
		if c := p.checks("2")[name]; c.Conclusion != "success" || !strings.Contains(c.Title, "rebuil") {
			t.Errorf("%s: %s %q", name, c.Conclusion, c.Title)
		}
	}
	if len(state.Deployments) > 0 {
		t.Errorf("a plan made deployments: %+v", state.Deployments)
	}
	for _, r := range p.lab.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

func TestAMergeDeploysAndTellsItsPullRequest(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "A change"}))
	_, err := p.hub.AddPull(hub.Pull{Title: "A change", HeadSHA: sha("2"), HeadRef: "change"})
	check(t, err)
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("3"), Parents: []string{sha("1"), sha("2")}, Message: "Merge"}))
	err = p.hub.Merge(1, sha("3"))
	check(t, err)
	p.checkOut("3", nil)
	e := p.action(t.Context(), "push", "3", push())
	e.demand(t, 0)
	state := p.hub.State()
	if len(state.Deployments) != 2 || len(state.Comments) != 1 || state.Comments[0].Pull != 1 {
		t.Fatalf("deployments %+v, comments %+v", state.Deployments, state.Comments)
	}
	for _, d := range state.Deployments {
		states := []string{}
		for _, s := range d.Statuses {
			states = append(states, s.State)
		}
		if got := strings.Join(states, " "); strings.TrimPrefix(got, "in_progress ") != "success" || !strings.HasPrefix(d.Environment, "production/") || d.Ref != sha("3") {
			t.Errorf("deployment %s of %s: %s", d.Environment, d.Ref, got)
		}
	}
	for name, c := range p.checks("3") {
		if c.Conclusion != "success" || !strings.Contains(c.Title, "verified") {
			t.Errorf("%s: %s %q", name, c.Conclusion, c.Title)
		}
	}
	if e.outputs["changed"] != "true" || e.outputs["release"] != sha("3") || !strings.Contains(e.outputs["images"], "snowdrop-web-") {
		t.Errorf("outputs: %v", e.outputs)
	}
	if key, err := p.lab.ReadFile("web-1", "/var/lib/key"); err != nil || string(key) != secretFile {
		t.Errorf("the file: %q, %v", key, err)
	}
	again := p.action(t.Context(), "push", "3", push())
	again.demand(t, 0)
	if again.outputs["changed"] != "false" || len(p.hub.State().Deployments) != 2 {
		t.Errorf("the same again: %v", again.outputs)
	}
}

func TestABrokenReleaseIsRedWithTheJournalAndRolledBack(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.action(t.Context(), "push", "1", push()).demand(t, 0)
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "Broken"}))
	p.image = map[string]lab.ImageSpec{"web": web("broken"), "api": web("a")}
	p.checkOut("2", nil)
	e := p.action(t.Context(), "push", "2", push())
	e.demand(t, 3)
	c := p.checks("2")["snowdrop / web"]
	if c.Conclusion != "failure" || !strings.Contains(c.Text, "unknown directive") || !strings.Contains(c.Title, "rolled back") {
		t.Errorf("%s %q\n%s", c.Conclusion, c.Title, c.Text)
	}
	if c := p.checks("2")["snowdrop / api"]; c.Conclusion != "success" {
		t.Errorf("api, which was left as it is: %s", c.Conclusion)
	}
	last := p.hub.State().Deployments[len(p.hub.State().Deployments)-1]
	if got := last.Statuses[len(last.Statuses)-1].State; got != "failure" {
		t.Errorf("the deployment ended as %s", got)
	}
	if !strings.Contains(e.summary, "unknown directive") {
		t.Errorf("the summary does not say why:\n%s", e.summary)
	}
}

func TestAnErrorOfNixStandsAtItsLine(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("web.nix", strings.Repeat("\n", 20))
	p.checkOut("1", map[string]nixplay.Fault{".#web-image": {Message: "undefined variable 'listn'", File: filepath.Join(p.dir, "web.nix"), Line: 12, Column: 3}})
	e := p.action(t.Context(), "push", "1", push())
	e.demand(t, 1)
	web, api := p.checks("1")["snowdrop / web"], p.checks("1")["snowdrop / api"]
	if web.Conclusion != "failure" || len(web.Annotations) != 1 {
		t.Fatalf("web: %s %+v\n%s", web.Conclusion, web.Annotations, e.log)
	}
	if a := web.Annotations[0]; a.Path != "web.nix" || a.StartLine != 12 || !strings.Contains(a.Message, "undefined variable") {
		t.Errorf("annotation: %+v", a)
	}
	if api.Conclusion != "cancelled" || len(api.Annotations) > 0 {
		t.Errorf("api: %s %+v", api.Conclusion, api.Annotations)
	}
	if got, ok := e.outputs["changed"]; got != "" || !ok {
		t.Errorf("whether anything changes is not known, and changed is %q", got)
	}
	if strings.Contains(e.log, "::error col=") {
		t.Error("the place is told twice")
	}
}

func TestATokenOfNixConfReachesNobody(t *testing.T) {
	t.Parallel()
	const token = "glpat_of_the_forge"
	p := newProject(t)
	p.checkOut("1", map[string]nixplay.Fault{".#web-image": {Message: "cannot fetch https://oauth2:" + token + "@gitlab.example/a"}})
	e := p.action(t.Context(), "push", "1", push(), "nix-config", "access-tokens = gitlab.example=OAuth2:"+token)
	e.demand(t, 1)
	state, err := json.Marshal(p.hub.State())
	check(t, err)
	if strings.Contains(string(state), token) || strings.Contains(strings.ReplaceAll(e.log, "::add-mask::", ""), "oauth2:"+token) {
		t.Errorf("GitHub has %s\nthe log %s", state, e.log)
	}
}

func TestAFaultyFleetFileStandsAtItsLine(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("snowdrop.yaml", fleetFile+"  weekly: {chron: \"0 4 * * 1\"}\n")
	p.action(t.Context(), "push", "1", push()).demand(t, 2)
	c := p.checks("1")["snowdrop / snowdrop.yaml"]
	if c.Conclusion != "failure" || len(c.Annotations) == 0 || c.Annotations[0].Path != "snowdrop.yaml" || c.Annotations[0].StartLine != strings.Count(fleetFile, "\n")+1 {
		t.Errorf("%s %+v", c.Conclusion, c.Annotations)
	}
}

func TestAForkIsEvaluatedWithoutSecretsAndWithoutWriting(t *testing.T) {
	t.Parallel()
	p := newProject(t, hub.Token{Value: secretGitHub, Permissions: map[string]string{"contents": "read"}})
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("2"), Parents: []string{sha("1")}, Message: "A change"}))
	for _, name := range []string{"DIGITALOCEAN_ACCESS_TOKEN", "SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY", "SSH_PRIVATE_KEY", "API_KEY"} {
		delete(p.env, name)
	}
	e := p.action(t.Context(), "pull_request", "f", pullRequest(1, "2", true))
	e.demand(t, 0)
	for _, want := range []string{"GitHub gives no secrets", "DIGITALOCEAN_ACCESS_TOKEN", "web", "api"} {
		if !strings.Contains(e.summary, want) {
			t.Errorf("%q is not in the summary:\n%s", want, e.summary)
		}
	}
	if strings.Contains(e.log+e.summary, "pull_request_target") {
		t.Error("it suggests pull_request_target")
	}
	if n := strings.Count(e.log, "::warning "); n != 2 { // checks, the comment
		t.Errorf("%d warnings:\n%s", n, e.log)
	}
	if e.outputs["changed"] != "" || !strings.Contains(e.outputs["images"], "snowdrop-web-") {
		t.Errorf("outputs: %v", e.outputs)
	}
	if len(p.lab.Requests()) > 0 {
		t.Errorf("%d requests were sent", len(p.lab.Requests()))
	}
	p.env["GITHUB_ACTOR"] = "dependabot[bot]"
	bot := p.action(t.Context(), "pull_request", "f", pullRequest(1, "2", false))
	bot.demand(t, 0)
	if !strings.Contains(bot.summary, "a pull request of Dependabot") {
		t.Errorf("it does not say why:\n%s", bot.summary)
	}
	p.env["GITHUB_ACTOR"] = "mona"
	own := p.action(t.Context(), "pull_request", "f", pullRequest(1, "2", false))
	own.demand(t, 2)
	if !strings.Contains(own.log, "DIGITALOCEAN_ACCESS_TOKEN") {
		t.Errorf("it does not say what to give:\n%s", own.log)
	}
}

func TestAServerWithoutChecksIsOneWarningEach(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.hub = hub.New(hub.Config{Tokens: []hub.Token{{Value: secretGitHub}}, WithoutChecks: true})
	server := httptest.NewServer(p.hub)
	defer server.Close()
	p.env["GITHUB_API_URL"] = server.URL
	e := p.action(t.Context(), "push", "1", push())
	e.demand(t, 0)
	if n := strings.Count(e.log, "cannot be written"); n < 2 {
		t.Errorf("%d warnings:\n%s", n, e.log)
	}
}

func TestACycleIsFoundByTheCronThatFired(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	e := p.action(t.Context(), "schedule", "1", map[string]any{"schedule": "0 3 * * *"})
	e.demand(t, 0)
	if _, ok := p.checks("1")["snowdrop / api"]; ok || p.checks("1")["snowdrop / web"].Conclusion != "success" {
		t.Errorf("checks: %v", p.checks("1"))
	}
}

// inTime is when a cancelled run is over at the latest. A runner leaves it 7.5 seconds,
// of which it uses about four; the rest is for a busy computer.
const inTime = 12 * time.Second

func TestACancelledRunSaysWhatStateEachDropletIsIn(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	check(t, p.lab.Fault(lab.Fault{Kind: "action-stuck", Target: "web-1"}))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan ended)
	go func() { done <- p.action(ctx, "push", "1", push(), "servers", "web") }()
	for !p.rebuilding() {
		select {
		case e := <-done:
			t.Fatalf("it ended before it rebuilt anything:\n%s", e.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
	began := time.Now()
	cancel()
	e := <-done
	if took := time.Since(began); took > inTime {
		t.Errorf("it took %s", took)
	}
	e.demand(t, 130)
	c := p.checks("1")["snowdrop / web"]
	if c.Conclusion != "cancelled" || !strings.Contains(c.Summary+c.Text, "whether it completed is not known") {
		t.Errorf("%s %q\n%s\n%s", c.Conclusion, c.Title, c.Summary, c.Text)
	}
	d := p.hub.State().Deployments[0]
	if got := d.Statuses[len(d.Statuses)-1].State; got != "error" {
		t.Errorf("the deployment ended as %s", got)
	}
	if objects := p.lab.State().Objects; len(objects) > 0 {
		for _, o := range objects {
			if strings.Contains(o.Key, "images/") {
				t.Errorf("%s was left", o.Key)
			}
		}
	}
}

func TestARunThatIsCancelledWhileItIsToldEndsInTime(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan struct{})
	began := make(chan time.Time, 100)
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/comments") {
			began <- time.Now()
			cancel()
			<-over
		}
		p.hub.ServeHTTP(w, r)
	}))
	defer slow.Close()
	defer close(over)
	p.env["GITHUB_API_URL"] = slow.URL
	done := make(chan ended, 1)
	go func() { done <- p.action(ctx, "pull_request", "1", pullRequest(7, "1", false)) }()
	select {
	case e := <-done:
		if took := time.Since(<-began); took > inTime || e.summary == "" || e.outputs["result"] == "" {
			t.Errorf("it took %s; the summary is %q", took, e.summary)
		}
	case <-time.After(30 * time.Second):
		t.Error("it is still at work when the runner kills it")
	}
}

func (p *project) rebuilding() bool {
	for _, r := range p.lab.Requests() {
		if r.Method == "POST" && strings.HasSuffix(r.Path, "/actions") {
			return true
		}
	}
	return false
}
