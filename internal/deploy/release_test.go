package deploy_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
)

func TestFirstReleaseEndsVerifiedEverywhereAndLeavesOnlyTheImage(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	result := s.mustRun()
	want := map[string]event.Outcome{"web": event.Verified, "web-1": event.Verified, "web-2": event.Verified}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if s.runs("web-1") != s.imageName("web") || s.runs("web-2") != s.imageName("web") {
		t.Errorf("web-1 runs %s, web-2 %s; want %s", s.runs("web-1"), s.runs("web-2"), s.imageName("web"))
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	rec := s.record("web")
	if rec.Outcome != release.Verified || rec.Revision != first || rec.Previous != nil || len(rec.Droplets) != 2 || rec.FinishedAt.IsZero() {
		t.Errorf("record: %+v", rec)
	}
	if rec.Image.SHA256 == "" || rec.Image.Size == 0 || rec.RunURL == "" || rec.Toplevel == "" {
		t.Errorf("the record does not say what was deployed: %+v", rec)
	}
	for _, d := range rec.Droplets {
		now := s.State().Droplet(d.Name)
		if !d.Evidence.OK() || d.Rebuild != nil || d.VerifiedAt.IsZero() || d.BootID != now.Machine.BootID || len(d.HostKeys) == 0 || d.Address != now.IPv4() {
			t.Errorf("record of %s: %+v", d.Name, d)
		}
	}
}

func TestSameAgainSendsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun()
	before := s.State()
	s.forget()
	result := s.mustRun()
	want := map[string]event.Outcome{"web": event.Unchanged, "web-1": event.Unchanged, "web-2": event.Unchanged}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
	if diff := cmp.Diff([]string{"plan fleet"}, s.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if after := s.State(); after.Droplets[0].Machine.BootID != before.Droplets[0].Machine.BootID {
		t.Error("the droplet was booted")
	}
}

func TestSecondReleaseKeepsTheWayBackAndPrunesWhatIsOlder(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop")) // keep: 1
	s.mustRun()
	one := s.imageName("web")
	s.release(second, "web", web("b"))
	s.mustRun()
	two := s.imageName("web")
	if s.State().Image(one) == nil || s.State().Image(two) == nil {
		t.Fatal("the way back was deleted")
	}
	if rec := s.record("web"); rec.Previous == nil || rec.Previous.CustomImage.Name != one {
		t.Errorf("the record's way back is %+v", rec.Previous)
	}
	s.release(third, "web", web("c"))
	s.mustRun()
	if s.State().Image(one) != nil {
		t.Error("the oldest image is still there")
	}
	if s.State().Image(two) == nil || s.State().Image(s.imageName("web")) == nil {
		t.Error("too much was pruned")
	}
}

func TestFailedReleaseStopsAndLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun()
	one, other := s.imageName("web"), s.State().Droplet("web-2").Machine.BootID
	s.release(second, "web", webBroken())
	s.forget()
	result, err := s.run(t.Context())
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || failed.RolledBack() {
		t.Fatalf("deploy = %v; want it failed and not rolled back", err)
	}
	want := map[string]event.Outcome{"web": event.Failed, "web-1": event.Failed, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(causes(err), "listn") || !strings.Contains(causes(err), "1 droplet left as before") {
		t.Errorf("the error does not show the unit's journal, or what was left: %s", causes(err))
	}
	if s.runs("web-2") != one || s.State().Droplet("web-2").Machine.BootID != other {
		t.Error("the second batch was touched")
	}
	rec := s.record("web")
	if rec.Outcome != release.Failed || rec.Failure == "" || rec.Previous == nil || rec.Previous.CustomImage.Name != one {
		t.Errorf("record: %s, %q, way back %+v", rec.Outcome, rec.Failure, rec.Previous)
	}
	if rec.Droplet(s.State().Droplet("web-1").ID).Evidence.OK() || !rec.Droplet(s.State().Droplet("web-2").ID).Evidence.OK() {
		t.Error("the record's evidence is not what was seen")
	}
	if slices.Contains(s.steps(), "prune web") || s.State().Image(one) == nil {
		t.Error("something was pruned after a failure")
	}
}

func TestFailedReleaseGoesBackAndIsVerifiedThere(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("rollback"))
	s.mustRun()
	one := s.imageName("web")
	s.release(second, "web", webBroken())
	result, err := s.run(t.Context())
	two := s.imageName("web")
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || !failed.RolledBack() {
		t.Fatalf("deploy = %v%s; want it rolled back", err, causes(err))
	}
	want := map[string]event.Outcome{"web": event.RolledBack, "web-1": event.RolledBack, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if s.runs("web-1") != one || s.bootNow("web-1").System == "" {
		t.Errorf("web-1 runs %s", s.runs("web-1"))
	}
	rec := s.record("web")
	if rec.Outcome != release.RolledBack || rec.Revision != first || rec.CustomImage.Name != one ||
		rec.Attempted == nil || rec.Attempted.Revision != second || rec.Attempted.CustomImage.Name != two {
		t.Errorf("record: %+v", rec)
	}
	if d := rec.Droplet(s.State().Droplet("web-1").ID); !d.Evidence.OK() || d.Rebuild != nil || d.ImageID != rec.CustomImage.ID {
		t.Errorf("record of web-1: %+v", d)
	}
	// The next release builds on the one that it went back to.
	s.release(third, "web", web("c"))
	s.mustRun()
	if rec := s.record("web"); rec.Previous == nil || rec.Previous.CustomImage.Name != one || rec.Attempted != nil {
		t.Errorf("after the next release the way back is %+v, attempted %+v", rec.Previous, rec.Attempted)
	}
}

func TestFirstReleaseThatFailsHasNoWayBackAndSaysSo(t *testing.T) {
	t.Parallel()
	with := oneWeb("rollback")
	with.images["web"] = webBroken()
	s := open(t, with)
	result, err := s.run(t.Context())
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || failed.RolledBack() {
		t.Fatalf("deploy = %v; want it failed", err)
	}
	if !strings.Contains(causes(err), "no way back for droplet web-1") {
		t.Errorf("it is not said that there is no way back: %s", causes(err))
	}
	want := map[string]event.Outcome{"web": event.Failed, "web-1": event.Failed, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if rec := s.record("web"); rec.Outcome != release.Failed || rec.Previous != nil {
		t.Errorf("record: %+v", rec)
	}
}

func TestTwoServersGoSideBySideAndOneThatFailsDoesNotStopTheOther(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers += dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["web"] = webBroken()
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	result, err := s.run(t.Context())
	if err == nil {
		t.Fatal("web's failure was not told")
	}
	want := map[string]event.Outcome{
		"web": event.Failed, "web-1": event.Failed, "web-2": event.Untouched, "db": event.Verified, "db-1": event.Verified,
	}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
}

const dbServer = `
  db:
    image: .#db-image
    system: .#db-toplevel
    droplets: {names: [db-1]}
    verify: {units: [postgresql.service], soak: 1s}
`

func TestDropletsOfSeveralRegionsGetTheImageThere(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.droplets[1].Region = "ams3"
	s := open(t, with)
	s.mustRun()
	image := s.State().Image(s.imageName("web"))
	if got := slices.Sorted(slices.Values(image.Regions)); !slices.Equal(got, []string{"ams3", "nyc3"}) {
		t.Errorf("the image is in %v", got)
	}
	if s.runs("web-2") != s.imageName("web") {
		t.Errorf("web-2 runs %s", s.runs("web-2"))
	}
}

func TestDryRunChangesNothingAndTellsWhatItWould(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	d := s.deployer()
	plan := s.plan(deploy.Request{DryRun: true})
	result, err := d.Deploy(t.Context(), plan)
	check(t, err)
	want := map[string]event.Outcome{"web": event.WouldDo, "web-1": event.WouldDo, "web-2": event.WouldDo}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
	for _, d := range result.Servers[0].Droplets {
		if !strings.HasPrefix(d.State, "would be rebuilt") {
			t.Errorf("%s: %s", d.Droplet.Name, d.State)
		}
	}
}
