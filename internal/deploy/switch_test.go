package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
	"github.com/versatus/snowdrop/steps/activate"
)

const switchServers = `
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1, on-failure: %s, confirm-timeout: 2m}
    verify: {units: [nginx.service], http: [{url: "http://{{.IPv4}}/healthz"}], soak: 2s, timeout: 10m}
  db:
    provider: ssh
    hosts: [{name: db-1, address: %s}]
    system: .#db-toplevel
    rollout: {on-failure: %[1]s, confirm-timeout: 2m}
    verify: {units: [nginx.service], soak: 2s, timeout: 10m}
`

// system is a release whose system lies where a machine's store is.
func system(of lab.ImageSpec, digit string) lab.ImageSpec {
	of.System = "/nix/store/" + strings.Repeat(digit, 32) + "-nixos-system-web-25.05"
	return of
}

// switchable are two droplets of web and a host of db, on which clocks go as fast
// as the deploy's.
func switchable(t *testing.T, onFailure string) *scene {
	t.Helper()
	s := open(t, set{
		servers:  fmt.Sprintf(switchServers, onFailure, "203.0.113.4"),
		droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "web-2"}, {Name: "db-1", Image: new(system(web("d"), "d"))}},
		images:   map[string]lab.ImageSpec{"web": system(web("a"), "a"), "db": system(web("e"), "f")},
		second:   time.Second / speed,
	})
	if got := s.State().Droplet("db-1").IPv4(); got != "203.0.113.4" {
		t.Fatalf("db-1 has the address %s", got)
	}
	s.builder.API = s.APIURL()
	return s
}

// doSwitch plans a switch and carries it out.
func (s *scene) doSwitch(req deploy.SwitchRequest) (*deploy.Result, error) {
	s.t.Helper()
	d := s.deployer()
	plan, err := d.PlanSwitch(s.t.Context(), req)
	if s.failed(err) != nil {
		return nil, err //nolint:wrapcheck // a test
	}
	result, err := d.Switch(s.t.Context(), plan)
	return result, s.failed(err)
}

// switchWeb switches the server web, which must work.
func (s *scene) switchWeb(verb activate.Verb) *deploy.Result {
	s.t.Helper()
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}, Verb: verb})
	if err != nil {
		s.t.Fatalf("switch: %v%s", err, causes(err))
	}
	return result
}

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

// unreachable is a release of it after which nobody gets in.
func unreachable(digit string) lab.ImageSpec {
	s := system(web("u"), digit)
	s.Boot = "never"
	return s
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
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", revision, err)
		}
	}
	req.Force = true
	if _, err := s.doSwitch(req); err != nil {
		t.Errorf("forced: %v%s", err, causes(err))
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
		if phase, ok := e.(event.Phase); ok && phase.Step == "activate" && phase.Text == "activating" {
			cancel()
		}
	}
	s.mu.Unlock()
	result, err := d.Switch(ctx, plan)
	if s.failed(err); deploy.ExitCode(ctx, err) != deploy.ExitCancelled {
		t.Errorf("ends as %v", err)
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

// reboot resets a droplet, and waits until it answers again.
func (s *scene) reboot(droplet string) {
	s.t.Helper()
	before := s.bootNow(droplet)
	s.sh(droplet, "systemctl reboot")
	for {
		conn, err := s.dialer.Dial(s.t.Context(), remote.Target{
			Name: droplet, Address: s.State().Droplet(droplet).IPv4(), Keys: remote.HostKeys{Policy: fleet.AcceptNew},
		})
		if err == nil {
			state, err := systemd.Look(s.t.Context(), conn, systemd.Request{})
			_ = conn.Close()
			if err == nil && state.BootID != before.BootID {
				return
			}
		}
		check(s.t, s.clock.Sleep(s.t.Context(), time.Second))
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

// refusing is a nix that does not get a closure to web-2.
type refusing struct{ *lab.Builder }

func (r refusing) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	if c.To == "web-2" {
		return 0, &nix.CopyError{Path: c.Path, To: c.To, Reason: "cannot add path because it lacks a signature by a trusted key"}
	}
	return r.Builder.Copy(ctx, c, p)
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
	check(t, s.verifyServers("web"))
	s.mustRun()
	if rec := s.record("web"); rec.Revision != first || rec.Previous != nil || rec.Droplets[0].Switched != nil {
		t.Errorf("record: %+v", rec)
	}
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
    rollout: {confirm-timeout: 2m}
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

// verifyServers verifies servers as their records say.
func (s *scene) verifyServers(names ...string) error {
	s.t.Helper()
	d := s.deployer()
	plan, err := d.PlanVerify(s.t.Context(), deploy.Request{Servers: names})
	check(s.t, err)
	_, err = d.Verify(s.t.Context(), plan)
	if s.failed(err) != nil {
		return fmt.Errorf("%w%s", err, causes(err))
	}
	return nil
}

// warned demands that a warning says something.
func (s *scene) warned(t *testing.T, words string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if w, ok := e.(event.Warning); ok && strings.Contains(w.Text, words) {
			return
		}
	}
	t.Errorf("nobody warned that %s", words)
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
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

// elsewhere is a nix that notes where it built and from where it copied.
type elsewhere struct {
	*lab.Builder
	mu     sync.Mutex
	built  string
	copied nix.Copy
	broken error
}

func (e *elsewhere) RealiseOn(ctx context.Context, ssh nix.SSH, host string, outputs []nix.Output, p nix.Progress) error {
	e.built = host
	if e.broken != nil {
		return e.broken
	}
	return e.Builder.RealiseOn(ctx, ssh, host, outputs, p)
}

func (e *elsewhere) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	e.mu.Lock()
	e.copied = c
	e.mu.Unlock()
	return e.Builder.Copy(ctx, c, p)
}
