package deploy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps/activate"
)

func TestSwitchActivatesAndVerifiesWithoutARebuild(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	before := s.bootNow("web-1")
	s.release(second, "web", system(web("b"), "b"))
	s.forget()
	result := s.switchWeb("")
	want := map[string]event.Outcome{"web": event.Verified, "web-1": event.Verified, "web-2": event.Verified}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	now := s.bootNow("web-1")
	if now.BootID != before.BootID || now.System == before.System || s.rebuilds("web-1") != 1 || s.posts("") != 0 {
		t.Errorf("before %s in boot %s, now %s in boot %s", before.System, before.BootID, now.System, now.BootID)
	}
	rec := s.record("web")
	known := rec.Droplet(s.State().Droplet("web-1").ID)
	if rec.Revision != first || known.Switched == nil || known.Switched.Revision != second || known.Switched.System != now.System || !known.Evidence.OK() {
		t.Errorf("record: %s, %+v", rec.Revision, known)
	}
}

func TestAMachineThatCannotBeReachedGoesBackByItself(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"stop", "rollback"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := switchable(t, policy)
			s.mustRun()
			before := s.bootNow("web-1")
			s.release(second, "web", unreachable("b"))
			result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
			want := map[string]event.Outcome{"web": event.RolledBack, "web-1": event.RolledBack, "web-2": event.Untouched}
			if diff := cmp.Diff(want, outcomes(result)); diff != "" {
				t.Errorf("%s\n%s", diff, causes(err))
			}
			if code := deploy.ExitCode(t.Context(), err); code != deploy.ExitRolledBack {
				t.Errorf("ends with %d: %v", code, err)
			}
			if now := s.bootNow("web-1"); now.System != before.System || now.BootID != before.BootID {
				t.Errorf("runs %s, before %s", now.System, before.System)
			}
			known := s.record("web").Droplet(s.State().Droplet("web-1").ID)
			if known.Switched != nil || !known.Evidence.OK() || known.Evidence.System != before.System {
				t.Errorf("record: %+v", known)
			}
		})
	}
}

func TestAUnitThatFailsStopsTheSwitchAndIsNamed(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(webBroken(), "b"))
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	want := map[string]event.Outcome{"web": event.Failed, "web-1": event.Failed, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if code := deploy.ExitCode(t.Context(), err); code != deploy.ExitFailed {
		t.Errorf("ends with %d", code)
	}
	says(t, causes(err), "nginx.service", "unknown directive", "the rollout stopped: 1 droplet left as before")
	says(t, result.Servers[0].Droplets[0].State, "runs system bbbbbbbb, not verified; before, system aaaaaaaa")
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched == nil || known.Evidence.OK() || known.Evidence.Failed[0].Name != "nginx.service" {
		t.Errorf("record: %+v", known)
	}
	status, err := s.deployer().Status(t.Context(), deploy.Request{Servers: []string{"web"}})
	check(t, err)
	says(t, status[0].Droplets[0].Drift, "switched by hand", "the last verification failed: activation")
	s.mu.Lock()
	defer s.mu.Unlock()
	end, _ := s.events[len(s.events)-1].(event.RunFinished)
	says(t, strings.Join(end.Next, "\n"), "snowdrop ssh web-1 -- nixos-rebuild switch --rollback", "snowdrop rebuild web")
}

func TestAUnitThatFailsMakesTheBatchGoBack(t *testing.T) {
	t.Parallel()
	s := switchable(t, "rollback")
	s.mustRun()
	before := s.bootNow("web-1")
	s.release(second, "web", system(webBroken(), "b"))
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	want := map[string]event.Outcome{"web": event.RolledBack, "web-1": event.RolledBack, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Errorf("%s\n%s", diff, causes(err))
	}
	if code := deploy.ExitCode(t.Context(), err); code != deploy.ExitRolledBack {
		t.Errorf("ends with %d", code)
	}
	if now := s.bootNow("web-1"); now.System != before.System {
		t.Errorf("runs %s, before %s", now.System, before.System)
	}
	s.sh("web-1", "test $(readlink -f /nix/var/nix/profiles/system) = "+before.System)
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched != nil || !known.Evidence.OK() {
		t.Errorf("record: %+v", known)
	}
}

func TestACancelledSwitchIsUndoneByTheMachine(t *testing.T) {
	t.Parallel()
	s := switchable(t, "rollback")
	s.mustRun()
	before := s.bootNow("web-1")
	s.release(second, "web", system(web("b"), "b"))
	d := s.deployer()
	plan, err := d.PlanSwitch(t.Context(), deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.mu.Lock()
	s.on = func(e event.Event) {
		// On a busy computer the activation may be over before it is looked at.
		if phase, ok := e.(event.Phase); ok && phase.Step == "activate" && strings.HasPrefix(phase.Text, "activat") {
			cancel()
		}
	}
	s.mu.Unlock()
	result, err := d.Switch(ctx, plan)
	if s.failed(err); deploy.ExitCode(ctx, err) != deploy.ExitCancelled {
		t.Fatalf("ends as %v", err)
	}
	want := map[string]event.Outcome{"web": event.Cancelled, "web-1": event.Cancelled, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	says(t, result.Servers[0].Droplets[0].State, "goes back by itself")
	for s.bootNow("web-1").System != before.System {
		check(t, s.clock.Sleep(t.Context(), time.Second))
	}
	if known := s.record("web").Droplet(s.State().Droplet("web-1").ID); known.Switched != nil {
		t.Errorf("record: %+v", known)
	}
}

func TestDryActivateAndDryRunChangeNothing(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	before, rec := s.bootNow("web-1"), s.record("web")
	result := s.switchWeb(activate.DryActivate)
	says(t, result.Servers[0].Droplets[0].State, "would restart the following units: nginx.service")
	dry, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}, DryRun: true}})
	check(t, err)
	for _, r := range []*deploy.Result{result, dry} {
		if diff := cmp.Diff(map[string]event.Outcome{"web": event.WouldDo, "web-1": event.WouldDo, "web-2": event.WouldDo}, outcomes(r)); diff != "" {
			t.Error(diff)
		}
	}
	if now := s.bootNow("web-1"); now.System != before.System {
		t.Errorf("runs %s", now.System)
	}
	if diff := cmp.Diff(rec, s.record("web")); diff != "" {
		t.Errorf("the record was changed: %s", diff)
	}
}

func TestNothingIsActivatedWhereAMachineDoesNotGetTheSystem(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.nix = refusing{s.builder}
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	says(t, causes(err), "because it lacks a signature by a trusted key", "nothing was activated on web-1, web-2")
	says(t, result.Servers[0].Droplets[0].State, "runs what it ran before")
	says(t, s.bootNow("web-1").System, "aaaa")
}

func TestSudoBecomesRootForTheSwitch(t *testing.T) {
	t.Parallel()
	locked := system(web("a"), "a")
	locked.Sudo = map[string]string{"deploy": secretFile}
	s := open(t, set{
		servers: `
  web:
    system: .#web-toplevel
    image: .#web-image
    droplets: {names: [web-1]}
    ssh: {user: deploy}
    rollout: {confirm-timeout: 3m}
    verify: {units: [nginx.service], soak: 2s}
`,
		droplets: []lab.DropletSpec{{Name: "web-1", Image: new(locked)}},
		images:   map[string]lab.ImageSpec{"web": system(web("b"), "b")},
		second:   time.Second / speed,
	})
	s.builder.API = s.APIURL()
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}}
	for _, tc := range []struct {
		sudo activate.Sudo
		says string
	}{
		{activate.Sudo{}, "--sudo"},
		{activate.Sudo{Use: true}, "--ask-sudo-password"},
		{activate.Sudo{Use: true, Password: "wrong"}, "does not accept the password"},
	} {
		req.Sudo = tc.sudo
		_, err := s.doSwitch(req)
		says(t, causes(err), tc.says)
	}
	req.Sudo = activate.Sudo{Use: true, Password: secretFile}
	if _, err := s.doSwitch(req); err != nil {
		t.Fatalf("switch: %v%s", err, causes(err))
	}
	says(t, s.bootNow("web-1").System, "bbbb")
}

func TestAServerWithoutASystemCannotBeSwitched(t *testing.T) {
	t.Parallel()
	s := open(t, set{servers: "\n  web: {image: .#web-image, droplets: {names: [web-1]}}\n", droplets: []lab.DropletSpec{{Name: "web-1"}}})
	_, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	if deploy.ExitCode(t.Context(), err) != deploy.ExitUsage {
		t.Errorf("ends as %v", err)
	}
	says(t, err.Error(), "add `system:`")
}

func TestABuildHostsSystemIsCopiedFromThere(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	far := &elsewhere{Builder: s.builder}
	s.nix = far
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}, BuildHost: "me@builder", Substitute: true}
	if _, err := s.doSwitch(req); err != nil {
		t.Fatalf("switch: %v%s", err, causes(err))
	}
	if far.built != "me@builder" || far.copied.From != "me@builder" || !far.copied.Substitute {
		t.Errorf("built on %q, copied %+v", far.built, far.copied)
	}
	says(t, s.bootNow("web-2").System, "bbbb")

	far.broken = &nix.BuildError{Reason: "cannot connect to 'builder'"}
	result, err := s.doSwitch(req)
	says(t, causes(err), "on me@builder", "cannot connect")
	if diff := cmp.Diff(map[string]event.Outcome{"web": event.Failed, "web-1": event.Untouched, "web-2": event.Untouched}, outcomes(result)); diff != "" {
		t.Error(diff)
	}
}
