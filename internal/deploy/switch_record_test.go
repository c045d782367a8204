package deploy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/activate"
)

func TestASwitchedDropletIsShownSoAndReplacedByTheNextDeploy(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb("")
	status, err := s.deployer().Status(t.Context(), deploy.Request{Servers: []string{"web"}})
	check(t, err)
	drift := status[0].Droplets[0].Drift
	says(t, drift, "switched by hand at 2222222 on ", "; the next deploy replaces it")
	if status[0].Droplets[0].Switched == nil {
		t.Error("the status has no switch")
	}
	check(t, s.verifyServers("web"))

	// The release of before, whose image the droplets have: nothing is built or uploaded.
	s.release(first, "web", system(web("a"), "a"))
	s.forget()
	if _, err := s.deployer().Plan(t.Context(), deploy.Request{Servers: []string{"web"}}); s.failed(err) != nil {
		t.Fatalf("plan: %v", err)
	}
	result := s.mustRun()
	s.warned(t, "web/web-1 is rebuilt: switched by hand at 2222222")
	if got := outcomes(result)["web-1"]; got != event.Verified || s.rebuilds("web-1") != 2 || s.posts("/v2/images") != 0 {
		t.Errorf("deploy: %s, %d rebuilds", got, s.rebuilds("web-1"))
	}
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched != nil {
		t.Errorf("record: %+v", known)
	}
	s.forget()
	if again := s.mustRun(); outcomes(again)["web-1"] != event.Unchanged {
		t.Errorf("the deploy after it: %v", outcomes(again))
	}
}

func TestSwitchingBackToTheImagesSystemIsNoSwitch(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb("")
	s.release(third, "web", system(web("a"), "a"))
	s.switchWeb("")
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched != nil || !known.Evidence.OK() {
		t.Errorf("record: %+v", known)
	}
}

func TestAHostsSwitchIsItsRelease(t *testing.T) {
	t.Parallel()
	s := switchable(t, "rollback")
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"db"}}}
	for _, step := range []struct {
		revision, digit, previous string
	}{{first, "f", ""}, {second, "g", first}} {
		s.release(step.revision, "db", system(web(step.digit), step.digit))
		result, err := s.doSwitch(req)
		if err != nil {
			t.Fatalf("switch: %v%s", err, causes(err))
		}
		if diff := cmp.Diff(map[string]event.Outcome{"db": event.Verified, "db-1": event.Verified}, outcomes(result)); diff != "" {
			t.Error(diff)
		}
		rec := s.record("db")
		if rec.Outcome != release.Verified || rec.Revision != step.revision || rec.Toplevel != s.bootNow("db-1").System ||
			(rec.Previous == nil) != (step.previous == "") || len(rec.Droplets[0].HostKeys) == 0 {
			t.Errorf("record: %+v", rec)
		}
	}
	check(t, s.verifyServers("db"))
	status, err := s.deployer().Status(t.Context(), deploy.Request{Servers: []string{"db"}})
	check(t, err)
	if status[0].Droplets[0].Drift != "" {
		t.Errorf("drift: %s", status[0].Droplets[0].Drift)
	}
	// One that locks out goes back, and the record with it.
	s.release(third, "db", unreachable("h"))
	_, err = s.doSwitch(req)
	rec := s.record("db")
	if code := deploy.ExitCode(t.Context(), err); code != deploy.ExitRolledBack || rec.Outcome != release.RolledBack || rec.Revision != second ||
		rec.Attempted == nil || rec.Attempted.Revision != third {
		t.Errorf("ends with %d, record: %+v", code, rec)
	}
	check(t, s.verifyServers("db"))
}

func TestAnOlderRevisionIsNotSwitchedTo(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.release(second, "web", system(web("b"), "b"))
	s.mustRun()
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb("")
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}}
	for _, revision := range []string{first, second} { // older than the release, and than the switch
		s.release(revision, "web", system(web("z"), "z"))
		_, err := s.doSwitch(req)
		var refused *deploy.SupersededError
		if !errors.As(err, &refused) || strings.Contains(err.Error(), "snowdrop rollback") {
			t.Errorf("%s: %v", revision, err)
		}
	}
	req.Force = true
	if _, err := s.doSwitch(req); err != nil {
		t.Errorf("forced: %v%s", err, causes(err))
	}
}

func TestATestIsUndoneByTheNextBootAndTheRecordKnows(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb("")
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb(activate.Test)
	id := s.State().Droplet("web-1").ID
	says(t, s.bootNow("web-1").System, "cccc")
	check(t, s.verifyServers("web"))
	status, err := s.deployer().Status(t.Context(), deploy.Request{Servers: []string{"web"}})
	check(t, err)
	says(t, status[0].Droplets[0].Drift, "is being tested", "a reboot undoes it", "3333333")
	s.reboot("web-1")
	s.forget()
	check(t, s.verifyServers("web"))
	s.warned(t, "which undid the test")
	known := s.record("web").Droplet(id)
	if known.Switched == nil || known.Switched.Verb != "switch" || known.Switched.Revision != second || !strings.Contains(known.Evidence.System, "bbbb") {
		t.Errorf("record: %+v", known)
	}
}

func TestASystemForTheNextBootIsExpectedFromThen(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	result := s.switchWeb(activate.Boot)
	if diff := cmp.Diff(map[string]event.Outcome{"web": event.Prepared, "web-1": event.Prepared, "web-2": event.Prepared}, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	says(t, result.Servers[0].Droplets[0].State, "boots system bbbbbbbb next; runs system aaaaaaaa")
	says(t, s.bootNow("web-1").System, "aaaa")
	check(t, s.verifyServers("web"))
	s.reboot("web-1")
	says(t, s.bootNow("web-1").System, "bbbb")
	check(t, s.verifyServers("web"))
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched == nil || known.Switched.Verb != "switch" {
		t.Errorf("record: %+v", known)
	}
}

func TestADropletThatWasNeverReleasedCanBeSwitchedAndDeployedAfterwards(t *testing.T) {
	t.Parallel()
	s := open(t, set{
		servers:  fmt.Sprintf(switchServers, "stop", "203.0.113.4"),
		droplets: []lab.DropletSpec{{Name: "web-1", Image: new(system(web("o"), "n"))}, {Name: "web-2", Image: new(system(web("o"), "n"))}, {Name: "db-1"}},
		images:   map[string]lab.ImageSpec{"web": system(web("a"), "a"), "db": system(web("e"), "f")},
		second:   time.Second / speed,
	})
	s.builder.API = s.APIURL()
	s.switchWeb("")
	for _, when := range []string{"switched", "verified"} {
		status, err := s.deployer().Status(t.Context(), deploy.Request{Servers: []string{"web"}})
		check(t, err)
		if web := status[0]; web.Record.Outcome != release.Unreleased || web.Droplets[0].Switched == nil || web.Droplets[0].VerifiedAt.IsZero() {
			t.Errorf("%s: %+v, record: %+v", when, web.Droplets[0], web.Record)
		}
		check(t, s.verifyServers("web"))
	}
	s.mustRun()
	if rec := s.record("web"); rec.Outcome != release.Verified || rec.Revision != first || rec.Previous != nil || rec.Droplets[0].Switched != nil {
		t.Errorf("record: %+v", rec)
	}
}
