package deploy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
)

// Two runs that began one after the other: the newer revision's images were there
// already, so the younger run is done before the older one comes to the droplets.
func TestARunThatWasOvertakenLeavesTheNewerReleaseAlone(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.release(first, "web", web("a"))
	older := s.plan(deploy.Request{})
	s.release(second, "web", web("b"))
	s.mustRun()
	newer := s.runs("web-1")

	s.release(first, "web", web("a"))
	result, err := s.deployer().Deploy(t.Context(), older)
	var old *deploy.SupersededError
	if s.failed(err) == nil || !errors.As(err, &old) || old.Running != second {
		t.Fatalf("deploy = %v", err)
	}
	if s.runs("web-1") != newer || s.rebuilds("web-1") != 1 || s.record("web").Revision != second {
		t.Error("the droplet was rebuilt with the older release")
	}
	if got := outcomes(result)["web-1"]; got != event.Untouched {
		t.Errorf("the droplet ended as %s", got)
	}
}

func TestAPreviewSaysWhatADeployWouldDoAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	plan := s.plan(deploy.Request{})
	s.ResetRequests()
	result, err := s.deployer().Preview(t.Context(), plan)
	check(t, err)
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
	for name, got := range outcomes(result) {
		if got != event.WouldDo {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := result.Servers[0].Image.Name; got != s.imageName("web") {
		t.Errorf("the image to come is %q", got)
	}
	var started, finished bool
	for _, e := range s.events {
		switch e := e.(type) {
		case event.RunStarted:
			started = e.Verb == "plan" && e.DryRun && len(e.Servers) == 1
		case event.RunFinished:
			finished = e.Verb == "plan" && len(e.Next) == 1 && e.Next[0] == "snowdrop deploy"
		}
	}
	if !started || !finished {
		t.Errorf("it was told as %+v", s.events)
	}
}

func TestWithoutCredentialsTheImagesAreKnownAllTheSame(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	d := deploy.New(deploy.Config{Fleet: s.fleet, Nix: s.nix, Clock: s.clock, Sink: event.SinkFunc(s.told)})
	s.ResetRequests()
	result, err := d.Evaluate(t.Context(), deploy.Request{})
	check(t, err)
	if len(s.Requests()) != 0 {
		t.Errorf("it asked %d times", len(s.Requests()))
	}
	if one := result.Servers[0]; one.Outcome != event.Evaluated || one.Image.Name != s.imageName("web") || one.Droplets != nil {
		t.Errorf("web: %+v", one)
	}
	s.builder.Servers = nil
	if _, err := d.Evaluate(t.Context(), deploy.Request{}); s.failed(err) == nil {
		t.Error("what cannot be evaluated is no error")
	}
}

func TestWhatAVerificationSawIsTold(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("rollback"))
	s.mustRun()
	former := s.runs("web-1")
	s.forget()
	s.release(second, "web", webBroken())
	_, err := s.run(t.Context())
	if s.failed(err) == nil {
		t.Fatal("the release did not fail")
	}
	var seen []event.Evidence
	var droplet event.DropletFinished
	var server event.ServerFinished
	for _, e := range s.events {
		switch e := e.(type) {
		case event.Evidence:
			seen = append(seen, e)
		case event.DropletFinished:
			droplet = e
		case event.ServerFinished:
			server = e
		}
	}
	if len(seen) != 2 || seen[0].Evidence.OK() || !seen[1].Evidence.OK() || len(seen[0].Evidence.Failed[0].Journal) == 0 {
		t.Errorf("evidence: %+v", seen)
	}
	if droplet.Before != former || droplet.After != former {
		t.Errorf("it ran %q before, was brought to %q; %s is what it ran", droplet.Before, droplet.After, former)
	}
	if server.FormerRevision != first || server.FormerImage != former || server.Image != s.imageName("web") {
		t.Errorf("the server's end: %+v", server)
	}
}

func TestAPreviewDoesNotSpeakOfAWipeWhereOnlyTheVerificationIsMissing(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	if _, err := s.cutOff(stepStarts("verify")); s.failed(err) == nil {
		t.Fatal("the run was not cut off")
	}
	result, err := s.deployer().Preview(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	d := result.Servers[0].Droplets[0]
	if d.Outcome != event.WouldVerify || !strings.Contains(d.State, "would be verified") {
		t.Errorf("web-1: %s, %s", d.Outcome, d.State)
	}
}

func TestAPreviewDoesWithoutSecretsThatOnlyADeployNeeds(t *testing.T) {
	t.Parallel()
	one := oneDroplet("stop")
	one.servers = strings.Replace(one.servers, "    keep: 1\n", "    keep: 1\n    files: [{path: /var/lib/key, from: {env: NOT_GIVEN}}]\n", 1)
	s := open(t, one)
	if err := s.planFails(deploy.Request{}); !strings.Contains(err.Error(), "NOT_GIVEN") {
		t.Errorf("a deploy is refused with %v", err)
	}
	s.forget()
	s.plan(deploy.Request{Preview: true})
	for _, e := range s.events {
		if p, ok := e.(event.Phase); ok && strings.Contains(p.Text, "NOT_GIVEN") {
			return
		}
	}
	t.Errorf("it is not told: %+v", s.events)
}

func TestAPlanThatFoundNothingDoesNotSendOneToDeploy(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	s.forget()
	_, err := s.deployer().Preview(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	for _, e := range s.events {
		if end, ok := e.(event.RunFinished); ok && strings.Join(end.Next, " ") != "snowdrop status" {
			t.Errorf("next: %q", end.Next)
		}
	}
}
