package deploy_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
)

func TestADropletThatSomebodyRebuiltIsNoLongerSwitched(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb("")
	d := s.deployer()
	plan, err := d.Plan(t.Context(), deploy.Request{Servers: []string{"web"}})
	check(t, err)
	result, err := d.Build(t.Context(), plan)
	check(t, err)
	id := s.State().Droplet("web-1").ID
	_, err = s.ocean.Rebuild(t.Context(), id, result.Servers[0].Image.ID)
	check(t, err)
	for s.runs("web-1") != s.imageName("web") {
		check(t, s.clock.Sleep(t.Context(), time.Second))
	}
	s.forget()
	wiped := s.plan(deploy.Request{Servers: []string{"web"}}).Wiped()
	if len(wiped) != 1 || wiped[0].Name != "web-2" {
		t.Errorf("wiped: %v", wiped)
	}
}

func TestAPlanThatWasMadeBeforeASwitchIsOutOfDate(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	d := s.deployer()
	kept := d.Keep(s.plan(deploy.Request{Servers: []string{"web"}}))
	s.switchWeb("")
	_, err := d.PlanFrom(t.Context(), kept, false)
	var stale *deploy.StalePlanError
	if !errors.As(err, &stale) {
		t.Fatalf("droplets that were switched since are wiped: %v", err)
	}
	says(t, err.Error(), "web-1", "switched by hand at 2222222")
	kept = d.Keep(s.plan(deploy.Request{Servers: []string{"web"}}))
	if _, err := d.PlanFrom(t.Context(), kept, false); err != nil {
		t.Errorf("a plan that knows of the switch: %v", err)
	}
}

func TestRebuildAndRollbackSayThatASwitchIsLost(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.mustRun()
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb("")
	d, req := s.deployer(), deploy.Request{Servers: []string{"web"}}
	for name, plan := range map[string]func() (*deploy.Plan, error){
		"rebuild":  func() (*deploy.Plan, error) { return d.PlanRebuild(t.Context(), req, 0) },
		"rollback": func() (*deploy.Plan, error) { return d.PlanRollback(t.Context(), req) },
	} {
		s.forget()
		_, err := plan()
		check(t, err)
		t.Log(name)
		s.warned(t, "web/web-1 is rebuilt: switched by hand at 3333333")
	}
}

func TestWhatWasNeverDeployedIsNotSaidToHaveARelease(t *testing.T) {
	t.Parallel()
	s := open(t, set{
		servers:  fmt.Sprintf(switchServers, "stop", "203.0.113.4"),
		droplets: []lab.DropletSpec{{Name: "web-1", Image: new(system(web("o"), "n"))}, {Name: "web-2", Image: new(system(web("o"), "n"))}, {Name: "db-1"}},
		images:   map[string]lab.ImageSpec{"web": unreachable("b"), "db": system(web("e"), "f")},
		second:   time.Second / speed,
	})
	s.builder.API = s.APIURL()
	req := deploy.Request{Servers: []string{"web"}}
	if _, err := s.doSwitch(deploy.SwitchRequest{Request: req}); deploy.ExitCode(t.Context(), err) != deploy.ExitRolledBack {
		t.Errorf("ends as %v%s", err, causes(err))
	}
	d := s.deployer()
	status, err := d.Status(t.Context(), req)
	check(t, err)
	for _, one := range status[0].Droplets {
		says(t, one.Drift, "never released by snowdrop")
	}
	_, err = d.PlanRebuild(t.Context(), req, 0)
	says(t, err.Error(), "was never released")
	_, err = d.PlanRollback(t.Context(), req)
	says(t, err.Error(), "no earlier verified release")
	plan, err := d.PlanPrune(t.Context(), req)
	check(t, err)
	_, err = d.Prune(t.Context(), plan)
	check(t, err)
	s.release(second, "web", system(web("a"), "a"))
	preview := s.plan(deploy.Request{Servers: []string{"web"}, Preview: true})
	_, err = d.Preview(t.Context(), preview)
	check(t, err)
	s.mustRun()
}

func TestASwitchMeanwhileIsNotWiped(t *testing.T) {
	t.Parallel()
	s := switchable(t, "rollback")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	d := s.deployer()
	plan := s.plan(deploy.Request{Servers: []string{"web"}})
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb("")
	s.release(second, "web", system(web("b"), "b"))
	_, err := d.Deploy(t.Context(), plan)
	says(t, causes(err), "web-1", "was switched to revision 3333333 while this was on its way")
	if now := s.bootNow("web-1").System; now != system(web("c"), "c").System || s.rebuilds("web-1") != 1 {
		t.Errorf("runs %s", now)
	}
	if s.known("web", "web-1").Switched == nil {
		t.Error("the record forgot the switch")
	}
}
