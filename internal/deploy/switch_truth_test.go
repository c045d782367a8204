package deploy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/activate"
)

// known is what the record of web says of a droplet.
func (s *scene) known(server, machine string) *release.Droplet {
	s.t.Helper()
	rec := s.record(server)
	if rec == nil {
		s.t.Fatalf("there is no record of %s", server)
	}
	for i := range rec.Droplets {
		if rec.Droplets[i].Name == machine {
			return &rec.Droplets[i]
		}
	}
	s.t.Fatalf("the record of %s has no %s", server, machine)
	return nil
}

func TestTheImagesOwnSystemIsNoSwitchByAnyVerb(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	for _, verb := range []activate.Verb{activate.Switch, activate.Test, activate.Boot, activate.Test} {
		s.switchWeb(verb)
		if sw := s.known("web", "web-1").Switched; sw != nil {
			t.Errorf("%s: the record says it was switched: %+v", verb, sw)
		}
	}
	if plan := s.plan(deploy.Request{Servers: []string{"web"}}); len(plan.Wiped()) != 0 {
		t.Errorf("the next deploy wipes %d droplets that run what their image has", len(plan.Wiped()))
	}
}

func TestABootIntoTheImagesOwnSystemEndsTheSwitch(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb("")
	s.release(third, "web", system(web("a"), "a"))
	s.switchWeb(activate.Boot)
	for _, name := range []string{"web-1", "web-2"} {
		s.reboot(name)
	}
	check(t, s.verifyServers("web"))
	if sw := s.known("web", "web-1").Switched; sw != nil {
		t.Errorf("it runs what its image has; the record says %+v", sw)
	}
}

func TestATestOverASystemForTheNextBootIsUndoneToThatSystem(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	s.switchWeb(activate.Boot)
	s.release(third, "web", system(web("c"), "c"))
	s.switchWeb(activate.Test)
	for _, name := range []string{"web-1", "web-2"} {
		s.reboot(name)
	}
	for range 2 {
		check(t, s.verifyServers("web"))
	}
	if sw := s.known("web", "web-1").Switched; sw == nil || sw.Verb != "switch" || sw.Revision != second {
		t.Errorf("record: %+v", sw)
	}
}

func TestAHostThatGotNothingHasNoNewRelease(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.release(first, "db", unreachable("h"))
	s.nix = deaf{s.builder, "db-1"}
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"db"}}}
	_, err := s.doSwitch(req)
	says(t, causes(err), "nothing was activated on db-1")
	if rec := s.record("db"); rec != nil && (rec.Revision != "" || rec.Toplevel != "") {
		t.Errorf("nothing was activated, and the record says %s of %s, %s", rec.Toplevel, rec.Revision, rec.Outcome)
	}
	s.nix = s.builder
	if _, err = s.doSwitch(req); deploy.ExitCode(t.Context(), err) != deploy.ExitRolledBack {
		t.Fatalf("ends as %v%s", err, causes(err))
	}
	if rec := s.record("db"); rec.Toplevel != s.bootNow("db-1").System {
		t.Errorf("it runs %s, the record says %s, %s", s.bootNow("db-1").System, rec.Toplevel, rec.Outcome)
	}
}

func TestARunThatWasKilledIsNotWhatAHostGoesBackTo(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"db"}}}
	s.release(first, "db", system(web("f"), "f"))
	if _, err := s.doSwitch(req); err != nil {
		t.Fatalf("%v%s", err, causes(err))
	}
	good := s.record("db")
	s.release(second, "db", unreachable("h"))
	// As a run leaves it that is killed while the system is activated.
	check(t, release.NewStore(recordsIn{s}).Save(t.Context(), release.BeginSwitch("db", good,
		release.Release{Revision: second, RevisionTime: commitTime(second), Toplevel: unreachable("h").System}, s.clock.Now())))
	if _, err := s.doSwitch(req); deploy.ExitCode(t.Context(), err) != deploy.ExitRolledBack {
		t.Fatalf("ends as %v%s", err, causes(err))
	}
	rec := s.record("db")
	if rec.Toplevel != s.bootNow("db-1").System || rec.Revision != first {
		t.Errorf("it runs %s, the record says %s of %s, %s", s.bootNow("db-1").System, rec.Toplevel, rec.Revision, rec.Outcome)
	}
}

func TestAServerOfWhichAPartRunsTheNewSystemDidNotGoBack(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	locked := &lab.Builder{Dir: s.builder.Dir, API: s.APIURL(), Servers: map[string]lab.ImageSpec{"web": unreachable("b")}}
	s.nix = uneven{s.builder, locked}
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	want := map[string]event.Outcome{"web": event.Failed, "web-1": event.Verified, "web-2": event.RolledBack}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Errorf("%s%s", diff, causes(err))
	}
	if code := deploy.ExitCode(t.Context(), err); code != deploy.ExitFailed {
		t.Errorf("web-1 runs the new system, and it ends with %d", code)
	}
}

func TestThatAMachineIsBeingSwitchedIsKnownBeforeItIs(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(second, "web", system(web("b"), "b"))
	var seen *release.Droplet
	s.mu.Lock()
	s.on = func(e event.Event) {
		if phase, ok := e.(event.Phase); ok && phase.Step == "activate" && strings.HasPrefix(phase.Text, "activat") && seen == nil {
			seen = s.known("web", "web-1")
		}
	}
	s.mu.Unlock()
	s.switchWeb("")
	if seen == nil || seen.Evidence.OK() || !seen.VerifiedAt.IsZero() {
		t.Errorf("whoever is killed now leaves a record that says verified: %+v", seen)
	}
}

func TestADeployMeanwhileIsNotForgottenByASwitch(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	s.release(third, "web", system(web("c"), "c"))
	d := s.deployer()
	plan, err := d.PlanSwitch(t.Context(), deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}})
	check(t, err)
	s.release(second, "web", system(web("b"), "b"))
	s.mustRun()
	before := s.record("web")
	s.release(third, "web", system(web("c"), "c"))
	_, err = d.Switch(t.Context(), plan)
	says(t, causes(err), "was given another release while this was on its way")
	if diff := cmp.Diff(before, s.record("web")); diff != "" {
		t.Errorf("record: %s", diff)
	}
	s.switchWeb("")
}

// deaf is a nix that does not get a closure to one machine.
type deaf struct {
	*lab.Builder
	to string
}

func (d deaf) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	if c.To == d.to {
		return 0, &nix.CopyError{Path: c.Path, To: c.To, Reason: "cannot add path because it lacks a signature by a trusted key"}
	}
	return d.Builder.Copy(ctx, c, p)
}

// uneven is a nix of which web-2 gets another system than the others, by that name.
type uneven struct {
	*lab.Builder
	other *lab.Builder
}

func (u uneven) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	if c.To == "web-2" {
		return u.other.Copy(ctx, c, p)
	}
	return u.Builder.Copy(ctx, c, p)
}

// recordsIn is a scene's Space for records.
type recordsIn struct{ s *scene }

func (r recordsIn) Get(ctx context.Context, key string) ([]byte, error) {
	return r.s.space.Get(ctx, key)
}

func (r recordsIn) Put(ctx context.Context, key string, data []byte, kind string) error {
	return r.s.space.Put(ctx, key, data, kind)
}

func (r recordsIn) Keys(context.Context, string) ([]string, error) { return nil, nil }
