package action_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

const previewFleet = `space: {bucket: acme, region: nyc3}
defaults:
  verify: {soak: 100ms, timeout: 2m}
preview: {max: 2, servers: [web]}
servers:
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1]}
    url: https://www.example.com
    verify: {units: [nginx.service], http: [{url: "http://{{.IPv4}}/healthz"}]}
  api:
    image: .#api-image
    system: .#api-toplevel
    droplets: {names: [api-1]}
`

// labelled is what happened to a pull request that carries labels.
func labelled(what string, number int, head string, fork bool, labels ...string) map[string]any {
	payload := pullRequest(number, head, fork)
	payload["action"] = what
	all := []map[string]any{}
	for _, name := range labels {
		all = append(all, map[string]any{"name": name})
	}
	payload["pull_request"].(map[string]any)["labels"] = all
	return payload
}

// previewing is a project with an open pull request, number 1, whose head is 2.
func previewing(t *testing.T) *project {
	t.Helper()
	p := newProject(t)
	p.write("snowdrop.yaml", previewFleet)
	for _, digit := range []string{"2", "3"} {
		check(t, p.hub.AddCommit(hub.Commit{SHA: sha(digit), Parents: []string{sha("1")}, Message: "A change"}))
	}
	_, err := p.hub.AddPull(hub.Pull{Title: "A change", HeadSHA: sha("2"), HeadRef: "change"})
	check(t, err)
	web := p.image["web"]
	web.HTTP = map[string]lab.Answer{"/healthz": {Status: 200, Body: "ok"}}
	p.image["web"] = web
	p.checkOut("2", nil)
	return p
}

func (p *project) droplets() []string {
	var names []string
	for _, d := range p.lab.State().Droplets {
		names = append(names, d.Name)
	}
	return names
}

// stages are the states that each deployment of an environment went through.
func (p *project) stages(environment string) [][]string {
	var all [][]string
	for _, d := range p.hub.State().Deployments {
		if d.Environment != environment {
			continue
		}
		if !d.Transient || d.Production {
			p.t.Errorf("the deployment to %s is not one that will cease to be: %+v", environment, d)
		}
		var states []string
		for _, s := range d.Statuses {
			states = append(states, s.State)
		}
		all = append(all, states)
	}
	return all
}

const label = "snowdrop:preview"

func TestAPreviewDropletsWholeLife(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	const environment = "preview/pr-1/web"

	// Without the label there is none.
	e := p.action(t.Context(), "pull_request", "f", labelled("opened", 1, "2", false, "bug"), "command", "preview")
	e.demand(t, 0)
	if !strings.Contains(e.log, `does not carry the label "snowdrop:preview"`) || len(p.lab.Requests()) > 0 || len(p.hub.State().Checks) > 0 {
		t.Errorf("it did more than say so: %s", e.log)
	}

	// The label asks for one.
	p.action(t.Context(), "pull_request", "f", labelled("labeled", 1, "2", false, "bug", label), "command", "preview").demand(t, 0)
	droplet := p.lab.State().Droplet("preview-pr-1-web")
	if droplet == nil {
		t.Fatalf("droplets: %v", p.droplets())
	}
	comment := p.hub.State().Comments[0].Body
	for _, want := range []string{droplet.IPv4(), "0.0089 USD an hour", "nginx.service", "verified"} {
		if !strings.Contains(comment, want) {
			t.Errorf("%q is not in the comment:\n%s", want, comment)
		}
	}
	if c := p.checks("2")["snowdrop / preview-pr-1-web"]; c.Conclusion != "success" {
		t.Errorf("check: %+v", p.checks("2"))
	}
	if diff := cmp.Diff([][]string{{"in_progress", "success"}}, p.stages(environment)); diff != "" {
		t.Errorf("deployments: %s", diff)
	}
	statuses := p.hub.State().Deployments[0].Statuses
	if url := statuses[len(statuses)-1].EnvironmentURL; url != "http://"+droplet.IPv4()+"/" {
		t.Errorf("the preview is said to be at %q", url)
	}

	// A new commit comes to the same droplet.
	check(t, p.hub.Push(1, sha("3")))
	changed := web("b")
	changed.HTTP = p.image["web"].HTTP
	p.image["web"] = changed
	p.checkOut("3", nil)
	p.action(t.Context(), "pull_request", "f", labelled("synchronize", 1, "3", false, label), "command", "preview").demand(t, 0)
	if now := p.lab.State().Droplet("preview-pr-1-web"); now == nil || now.ID != droplet.ID || now.Image.ID == droplet.Image.ID {
		t.Errorf("after a new commit: %+v", now)
	}

	// Closed, it is gone.
	check(t, p.hub.Close(1))
	e = p.action(t.Context(), "pull_request", "f", labelled("closed", 1, "3", false, label), "command", "preview")
	e.demand(t, 0)
	if diff := cmp.Diff([]string{"web-1", "api-1"}, p.droplets()); diff != "" {
		t.Errorf("droplets (-want +got):\n%s", diff)
	}
	if e.outputs["changed"] != "true" {
		t.Errorf("outputs: %v", e.outputs)
	}
	for _, stages := range p.stages(environment) {
		if stages[len(stages)-1] != "inactive" {
			t.Errorf("a deployment to what is gone is %v", stages)
		}
	}
	if comments := p.hub.State().Comments; len(comments) != 1 || !strings.Contains(comments[0].Body, "deleted") {
		t.Errorf("comments: %+v", comments)
	}
}

func TestALabelThatIsTakenOffEndsThePreview(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("labeled", 1, "2", false, label), "command", "preview").demand(t, 0)
	p.action(t.Context(), "pull_request", "f", labelled("unlabeled", 1, "2", false), "command", "preview").demand(t, 0)
	if diff := cmp.Diff([]string{"web-1", "api-1"}, p.droplets()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAClosedPullRequestGetsNoPreviewWhateverHappensToIt(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("labeled", 1, "2", false, label), "command", "preview").demand(t, 0)
	check(t, p.hub.Close(1))
	for _, what := range []string{"labeled", "unlabeled"} {
		e := labelled(what, 1, "2", false, "bug", label)
		e["pull_request"].(map[string]any)["state"] = "closed"
		p.action(t.Context(), "pull_request", "f", e, "command", "preview", "preview", "true").demand(t, 0)
		if diff := cmp.Diff([]string{"web-1", "api-1"}, p.droplets()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestAPreviewThatCouldNotBeDeletedIsNotSaidToBeGone(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("labeled", 1, "2", false, label), "command", "preview").demand(t, 0)
	check(t, p.lab.Fault(lab.Fault{Kind: "api-error", Target: "DELETE /v2/droplets/*", Status: 403, Count: -1}))
	check(t, p.hub.Close(1))
	p.action(t.Context(), "pull_request", "f", labelled("closed", 1, "2", false, label), "command", "preview").demand(t, 1)
	if p.lab.State().Droplet("preview-pr-1-web") == nil {
		t.Fatal("it is gone")
	}
	if diff := cmp.Diff([][]string{{"in_progress", "success"}}, p.stages("preview/pr-1/web")); diff != "" {
		t.Errorf("deployments: %s", diff)
	}
}

func TestTheInputAsksForAPreviewToo(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("opened", 1, "2", false), "command", "preview", "preview", "true").demand(t, 0)
	if p.lab.State().Droplet("preview-pr-1-web") == nil {
		t.Errorf("droplets: %v", p.droplets())
	}
}

func TestAForkNeverHasAPreview(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	for _, what := range []string{"opened", "labeled", "synchronize"} {
		e := p.action(t.Context(), "pull_request", "f", labelled(what, 1, "2", true, label), "command", "preview", "preview", "true")
		e.demand(t, 2)
		if !strings.Contains(e.log, "a pull request from a fork is planned only") || len(p.lab.Requests()) > 0 {
			t.Errorf("%s: %s", what, e.log)
		}
	}
}

func TestDependabotHasNoSecretsAndSoNoPreview(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.env["GITHUB_ACTOR"] = "dependabot[bot]"
	for _, what := range []string{"opened", "closed"} {
		e := p.action(t.Context(), "pull_request", "f", labelled(what, 1, "2", false, label), "command", "preview")
		e.demand(t, 0)
		if !strings.Contains(e.log, "started by Dependabot") || len(p.lab.Requests()) > 0 {
			t.Errorf("%s: %s", what, e.log)
		}
	}
}

func TestAClosedPullRequestThatHadNoPreviewIsNotTold(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("closed", 1, "2", false), "command", "preview").demand(t, 0)
	if state := p.hub.State(); len(state.Comments)+len(state.Checks)+len(state.Deployments) > 0 {
		t.Errorf("told: %+v", state)
	}
}

func TestASweepFindsThePreviewOfAPullRequestThatWasClosedUnnoticed(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	p.action(t.Context(), "pull_request", "f", labelled("labeled", 1, "2", false, label), "command", "preview").demand(t, 0)
	schedule := map[string]any{"schedule": "17 * * * *", "repository": map[string]any{"default_branch": "main", "full_name": "acme/fleet"}}
	p.action(t.Context(), "schedule", "1", schedule, "command", "preview-sweep").demand(t, 0)
	if p.lab.State().Droplet("preview-pr-1-web") == nil {
		t.Fatal("the preview of an open pull request was swept")
	}
	check(t, p.hub.Close(1))
	p.action(t.Context(), "schedule", "1", schedule, "command", "preview-sweep").demand(t, 0)
	if diff := cmp.Diff([]string{"web-1", "api-1"}, p.droplets()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"in_progress", "success", "inactive"}}, p.stages("preview/pr-1/web")); diff != "" {
		t.Errorf("deployments: %s", diff)
	}
}

func TestWhatAPreviewCannotBeIsSaid(t *testing.T) {
	t.Parallel()
	p := previewing(t)
	e := p.action(t.Context(), "push", "1", push(), "command", "preview")
	e.demand(t, 2)
	if !strings.Contains(e.log, "for the event pull_request; the event is push") {
		t.Error(e.log)
	}
	e = p.action(t.Context(), "pull_request", "f", labelled("opened", 1, "2", false, label), "command", "preview", "servers", "api")
	e.demand(t, 2)
	if !strings.Contains(e.log, "server api gets no previews") {
		t.Error(e.log)
	}
	p.write("snowdrop.yaml", fleetFile)
	e = p.action(t.Context(), "pull_request", "f", labelled("opened", 1, "2", false, label), "command", "preview")
	e.demand(t, 2)
	if !strings.Contains(e.log, "no `preview:`") {
		t.Error(e.log)
	}
}
