package github_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const (
	deploy       = "POST " + repo + "/deployments"
	deployments  = "GET " + repo + "/deployments?environment=production&per_page=100&ref=" + sha + "&task=deploy"
	setStatus    = "POST " + repo + "/deployments/9/statuses"
	statusesOf   = "GET " + repo + "/deployments/9/statuses?per_page=100"
	started      = "in_progress"
	droplets     = "2 droplets"
	otherRun     = "11"
	payloadOfRun = "12"
)

func production() github.Deployment {
	return github.Deployment{
		Ref: sha, Environment: "production", Task: "deploy", Description: "web, db", Production: true,
		Payload: map[string]string{"run": payloadOfRun},
	}
}

func status() github.DeploymentStatus {
	return github.DeploymentStatus{
		State: started, Description: droplets, LogURL: web + "/actions/runs/12", EnvironmentURL: "https://web.example.com",
	}
}

func TestADeploymentAsksForNoStatusesAndMergesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(deploy, created(deployment(9, object{"run": payloadOfRun}))).
		on(setStatus, created(deploymentStatus(3, started, droplets)))
	c := s.client()
	id, err := c.CreateDeployment(t.Context(), production())
	check(t, err)
	check(t, c.SetDeploymentStatus(t.Context(), id, status()))
	golden(t, "deployment", pretty(s.request(0).body)+"\n"+pretty(s.request(1).body))
}

func TestADeploymentIsNotMadeTwiceWhenAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	theirs, mine := deployment(8, object{"run": otherRun}), deployment(9, object{"run": payloadOfRun})
	tests := []struct {
		name  string
		bad   answer
		seen  []object
		sends int
	}{
		{"it was made", lost(), []object{theirs, mine}, 1},
		{"it was made, its payload is a string", lost(), []object{theirs, deployment(9, `{"run":"12"}`)}, 1},
		{"it was made, the server failed", fails(500, "Server Error"), []object{mine}, 1},
		{"it was not made", lost(), []object{theirs}, 2},
		{"it was not made, others have no payload like it", fails(502, "x"), []object{
			deployment(7, ""), deployment(6, object{}), deployment(5, object{"run": payloadOfRun, "attempt": "2"}), deployment(4, object{"run": 12}),
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(deploy, tt.bad).on(deployments, ok(tt.seen))
			if tt.sends == 2 {
				s.on(deploy, created(mine))
			}
			id, err := s.client().CreateDeployment(t.Context(), production())
			check(t, err)
			if id != 9 {
				t.Errorf("id is %d", id)
			}
		})
	}
}

func TestADeploymentThatCouldNotBeToldFromOthersIsRefused(t *testing.T) {
	t.Parallel()
	d := production()
	d.Payload = nil
	if _, err := newServer(t).client().CreateDeployment(t.Context(), d); err == nil {
		t.Error("no error")
	}
}

func TestAStatusIsNotSetTwiceWhenAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	mine, other := deploymentStatus(5, started, droplets), deploymentStatus(4, "queued", "")
	late := deploymentStatus(6, "success", droplets)
	tests := []struct {
		name  string
		seen  []object
		sends int
	}{
		{"it is the newest", []object{mine, other}, 1},
		{"it is the newest, listed last", []object{other, mine}, 1},
		{"there is none", []object{}, 2},
		{"another is the newest", []object{late, mine}, 2},
		{"the newest says it in other words", []object{deploymentStatus(5, started, "1 droplet")}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(setStatus, lost()).on(statusesOf, ok(tt.seen))
			if tt.sends == 2 {
				s.on(setStatus, created(mine))
			}
			check(t, s.client().SetDeploymentStatus(t.Context(), 9, status()))
		})
	}
}

func TestADescriptionOfAStatusIsCutTo140Characters(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(setStatus, created(deploymentStatus(3, started, "")))
	long := status()
	long.Description = "two\nlines " + strings.Repeat("ü", 140)
	check(t, s.client().SetDeploymentStatus(t.Context(), 9, long))
	got := s.request(0).body["description"].(string)
	if utf8.RuneCountInString(got) != 140 || !strings.HasPrefix(got, "two lines üü") || !strings.HasSuffix(got, "ü…") {
		t.Errorf("sent %q", got)
	}
}

func TestAutoInactiveIsSaidEitherWay(t *testing.T) {
	t.Parallel()
	for _, want := range []bool{true, false} { // GitHub's default is true
		s := newServer(t).on(setStatus, created(deploymentStatus(3, started, "")))
		st := status()
		st.AutoInactive = want
		check(t, s.client().SetDeploymentStatus(t.Context(), 9, st))
		if diff := cmp.Diff(any(want), s.request(0).body["auto_inactive"]); diff != "" {
			t.Error(diff)
		}
	}
}
