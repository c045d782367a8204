package deploy_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
)

// again plans and carries out a rebuild or a rollback.
func (s *scene) again(verb string, image int) (*deploy.Result, error) {
	s.t.Helper()
	d := s.deployer()
	var plan *deploy.Plan
	var err error
	if verb == "rollback" {
		plan, err = d.PlanRollback(s.t.Context(), deploy.Request{})
	} else {
		plan, err = d.PlanRebuild(s.t.Context(), deploy.Request{}, image)
	}
	if s.failed(err) != nil {
		return nil, err //nolint:wrapcheck // a test
	}
	result, err := d.Rebuild(s.t.Context(), verb, plan)
	return result, s.failed(err)
}

func TestBuildMakesTheImageAndADeployFindsIt(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	result, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	if result.Servers[0].Outcome != event.Built || s.rebuilds("web-1") != 0 || s.record("web") != nil {
		t.Errorf("build: %+v", result)
	}
	if s.imagesNamed(s.imageName("web")) != 1 || len(s.leftovers()) > 0 {
		t.Errorf("%d images, left in the Space: %v", s.imagesNamed(s.imageName("web")), s.leftovers())
	}
	s.forget()
	again, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	if again.Servers[0].Outcome != event.Unchanged || s.posts("") != 0 {
		t.Errorf("built again: %s, %d POSTs", again.Servers[0].Outcome, s.posts(""))
	}
	s.forget()
	s.mustRun()
	if s.posts("/v2/images") != 0 {
		t.Error("it was imported again")
	}
	for _, r := range s.Requests() {
		if strings.HasPrefix(r.Path, "/acme/images/") && r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

func TestDryRunOfABuildBuildsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	result, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{DryRun: true}))
	check(t, err)
	if result.Servers[0].Outcome != event.WouldDo || s.posts("") != 0 {
		t.Errorf("a dry build: %s", result.Servers[0].Outcome)
	}
}

func TestVerifyLooksAndChangesNothingOnTheDroplets(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	s := open(t, with)
	if _, err := s.deployer().PlanVerify(t.Context(), deploy.Request{}); err == nil || !strings.Contains(err.Error(), "never released") {
		t.Errorf("verify of a server that was never released: %v", err)
	}
	s.mustRun()
	before := s.State()
	s.forget()
	check(t, s.verify())
	if s.posts("") != 0 || s.State().Droplets[0].Machine.BootID != before.Droplets[0].Machine.BootID {
		t.Error("something was changed")
	}
	// The next boot of web-2 goes wrong, and is found out.
	check(t, s.Fault(lab.Fault{Kind: "boot-failed-unit", Target: "web-2"}))
	s.rebuildByOthers("web-2", s.imageName("web"))
	if err := s.verify(); err == nil {
		t.Error("a droplet that somebody else rebuilt is verified")
	}
	rec := s.record("web")
	if rec.Droplet(before.Droplet("web-1").ID).VerifiedAt.IsZero() {
		t.Error("web-1 is no longer recorded as verified")
	}
}

func TestRebuildPutsTheRecordedImageOnAllDropletsAgain(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	if _, err := s.again("rebuild", 0); err == nil || !strings.Contains(err.Error(), "never released") {
		t.Errorf("rebuild of a server that was never released: %v", err)
	}
	s.mustRun()
	one := s.imageName("web")
	result, err := s.again("rebuild", 0)
	check(t, err)
	want := map[string]event.Outcome{"web": event.Verified, "web-1": event.Verified, "web-2": event.Verified}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if s.rebuilds("web-1") != 2 || s.imagesNamed(one) != 1 {
		t.Errorf("rebuilt %d times, %d images", s.rebuilds("web-1"), s.imagesNamed(one))
	}
	rec := s.record("web")
	if rec.Outcome != release.Verified || rec.Revision != first || rec.Image.SHA256 == "" {
		t.Errorf("record: %+v", rec)
	}
	if _, err := s.again("rebuild", 99); err == nil || !strings.Contains(err.Error(), "has no custom image 99; it has: image") {
		t.Errorf("an image that is not there: %v", err)
	}
}

func TestRollbackGoesToTheReleaseBeforeAndForthAgain(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun()
	one := s.imageName("web")
	if _, err := s.again("rollback", 0); err == nil || !strings.Contains(err.Error(), "no way back") {
		t.Errorf("rollback of a first release: %v", err)
	}
	s.release(second, "web", web("b"))
	s.mustRun()
	two := s.imageName("web")
	for _, step := range []struct{ image, revision, way string }{{one, first, two}, {two, second, one}} {
		_, err := s.again("rollback", 0)
		check(t, err)
		rec := s.record("web")
		if s.runs("web-1") != step.image || s.runs("web-2") != step.image || rec.Revision != step.revision || rec.Outcome != release.Verified {
			t.Errorf("after the rollback web-1 runs %s, the record says %s, %s", s.runs("web-1"), rec.Revision, rec.Outcome)
		}
		if rec.Previous == nil || rec.Previous.CustomImage.Name != step.way || rec.RevisionTime.IsZero() {
			t.Errorf("the way back is %+v", rec.Previous)
		}
	}
}

func TestRollbackAfterAReleaseThatStoppedLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun()
	one := s.imageName("web")
	s.release(second, "web", webBroken())
	if _, err := s.run(t.Context()); err == nil {
		t.Fatal("the broken release was verified")
	}
	result, err := s.again("rollback", 0)
	check(t, err)
	want := map[string]event.Outcome{"web": event.Verified, "web-1": event.Verified, "web-2": event.Unchanged}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if s.runs("web-1") != one || s.rebuilds("web-2") != 1 {
		t.Errorf("web-1 runs %s, web-2 was rebuilt %d times", s.runs("web-1"), s.rebuilds("web-2"))
	}
	rec := s.record("web")
	if rec.Outcome != release.Verified || rec.Revision != first || rec.Previous != nil {
		t.Errorf("record: %s, revision %s, way back %+v; a release is no way back from itself", rec.Outcome, rec.Revision, rec.Previous)
	}
}

func TestVerificationThatFailsLaterShowsInTheStatus(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	s.sh("web-1", "systemctl stop nginx.service")
	if err := s.verify(); err == nil {
		t.Fatal("a droplet without nginx is verified")
	}
	all, err := s.deployer().Status(t.Context(), deploy.Request{})
	check(t, err)
	if got := all[0].Droplets[0].Drift; !strings.Contains(got, "unit nginx.service") {
		t.Errorf("drift: %q", got)
	}
	// The next deploy does not take it for done, and does not wipe it either.
	s.sh("web-1", "systemctl start nginx.service")
	s.mustRun()
	if s.rebuilds("web-1") != 1 || !s.record("web").Droplets[0].Evidence.OK() {
		t.Error("it was rebuilt, or is not verified")
	}
}

func TestRollbackToAnImageThatIsGoneSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	one := s.State().Image(s.imageName("web")).ID
	s.release(second, "web", web("b"))
	s.mustRun()
	check(t, s.ocean.DeleteImage(t.Context(), one))
	_, err := s.again("rollback", 0)
	if err == nil || !strings.Contains(err.Error(), "gone from the account") {
		t.Errorf("rollback = %v", err)
	}
}

func TestPruneDeletesWhatNothingNeedsAndADryRunOnlyTells(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	one := s.imageName("web")
	s.release(second, "web", web("b"))
	s.mustRun()
	// A third image that the newest record does not name.
	s.rewrite(func(rec *release.Record) { rec.Previous = nil })
	prune := func(dry bool) *deploy.Result {
		d := s.deployer()
		plan, err := d.PlanPrune(t.Context(), deploy.Request{DryRun: dry})
		check(t, err)
		result, err := d.Prune(t.Context(), plan)
		check(t, err)
		return result
	}
	prune(true)
	if s.imagesNamed(one) != 1 {
		t.Fatal("a dry run deleted an image")
	}
	prune(false)
	if s.imagesNamed(one) != 0 || s.imagesNamed(s.imageName("web")) != 1 {
		t.Error("the wrong images were deleted")
	}
	if r := prune(false); r.Servers[0].Outcome != event.Unchanged {
		t.Errorf("nothing to prune: %s", r.Servers[0].Outcome)
	}
}

func TestStatusShowsWhatRunsAndWhatDiffers(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers += strings.ReplaceAll(dbServer, "db-1", "nowhere")
	with.images["db"] = web("db")
	s := open(t, with)
	status := func() []deploy.ServerStatus {
		t.Helper()
		all, err := s.deployer().Status(t.Context(), deploy.Request{})
		check(t, err)
		return all
	}
	all := status()
	if len(all) != 2 || !strings.Contains(all[0].Fault, "nowhere") || !strings.HasPrefix(all[1].Droplets[0].Drift, "never released") {
		t.Errorf("status before the first release: %+v", all)
	}
	d := s.deployer()
	_, err := d.Deploy(t.Context(), s.plan(deploy.Request{Servers: []string{"web"}}))
	check(t, err)
	one := s.imageName("web")
	if got := status()[1]; got.Droplets[0].Drift != "" || got.Droplets[0].VerifiedAt.IsZero() || len(got.Images) != 1 {
		t.Errorf("status after the release: %+v", got)
	}
	s.release(second, "web", web("b"))
	_, err = d.Deploy(t.Context(), s.plan(deploy.Request{Servers: []string{"web"}}))
	check(t, err)
	s.rebuildByOthers("web-2", one)
	got := status()[1]
	if got.Droplets[0].Drift != "" || !strings.Contains(got.Droplets[1].Drift, "the record says image") {
		t.Errorf("status after a foreign rebuild: %+v", got.Droplets)
	}
}

func TestExamineLooksAtEveryServerAndTriesEveryDroplet(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.faults = []string{"ssh-refuse=web-2,count=-1"}
	s := open(t, with)
	seen := s.deployer().Examine(t.Context())
	if len(seen) != 3 || seen[0].Err != nil || seen[1].Err != nil || !strings.Contains(seen[1].Text, "answers") || s.failed(seen[2].Err) == nil {
		t.Errorf("examined: %+v", seen)
	}
}

func TestEveryWayToBootBadlyIsFoundOutAndRolledBack(t *testing.T) {
	t.Parallel()
	for _, boot := range []lab.Fault{{Kind: "boot-crash-loop"}, {Kind: "boot-hang"}, {Kind: "boot-never"}, {Kind: "boot-old-system"}} {
		t.Run(string(boot.Kind), func(t *testing.T) {
			t.Parallel()
			with := oneDroplet("rollback")
			with.servers = strings.ReplaceAll(with.servers, "timeout: 10m", "timeout: 1m")
			s := open(t, with)
			s.mustRun()
			one := s.imageName("web")
			s.release(second, "web", web("b"))
			boot.Target = "web-1"
			check(t, s.Fault(boot))
			result, err := s.run(context.WithoutCancel(t.Context()))
			if err == nil || result.Servers[0].Outcome != event.RolledBack || s.runs("web-1") != one {
				t.Errorf("deploy = %v, %s%s", err, result.Servers[0].Outcome, causes(err))
			}
		})
	}
}

func TestRebuildTakesTheImageOfARevision(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.fleet.Servers["web"] = func() fleet.Server { w := s.fleet.Servers["web"]; w.Keep = 3; return w }()
	images := map[string]string{}
	for revision, change := range map[string]string{first: "a", second: "b", third: "c"} {
		images[revision] = change
	}
	for _, revision := range []string{first, second, third} {
		s.release(revision, "web", web(images[revision]))
		s.mustRun()
		images[revision] = s.runs("web-1")
	}
	// The first release is in no field of the record by now: its image says what it is.
	for _, revision := range []string{first[:7], second, first} {
		plan, err := s.deployer().PlanRebuild(t.Context(), deploy.Request{Servers: []string{"web"}, Revision: revision}, 0)
		check(t, err)
		_, err = s.deployer().Rebuild(t.Context(), "rebuild", plan)
		check(t, err)
		if got := s.record("web").Revision; s.runs("web-1") != images[got] || !strings.HasPrefix(got, revision) {
			t.Errorf("asked for %s, the droplet runs %s and the record says %s", revision, s.runs("web-1"), got)
		}
	}
	for revision, want := range map[string]string{"4444444": "no custom image of revision 4444444; it has", "111": "too short"} {
		_, err := s.deployer().PlanRebuild(t.Context(), deploy.Request{Servers: []string{"web"}, Revision: revision}, 0)
		if s.failed(err) == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("revision %s: %v", revision, err)
		}
	}
}

func TestStatusThatVerifiesSaysWhatTheDropletsAnswer(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers = strings.ReplaceAll(with.servers, "timeout: 10m", "timeout: 1m") + dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	d := s.deployer()
	_, err := d.Deploy(t.Context(), s.plan(deploy.Request{Servers: []string{"web"}}))
	check(t, err)
	before := s.record("web").Droplets[0].VerifiedAt

	all, err := d.StatusVerified(t.Context(), deploy.Request{})
	check(t, s.failed(err))
	if db, web := all[0], all[1]; db.Record != nil || web.Droplets[0].Drift != "" || !web.Droplets[0].VerifiedAt.After(before) {
		t.Errorf("status: %+v", all)
	}

	const other = "/nix/store/0c1yv5m3i2zq6k1l8r4w7x9n5b3d6f8g-nixos-system-other"
	s.sh("web-1", "mkdir -p "+other+" && rm /run/current-system && ln -s "+other+" /run/current-system")
	check(t, s.Fault(lab.Fault{Kind: "ssh-refuse", Target: "web-2", Count: -1}))
	all, err = d.StatusVerified(t.Context(), deploy.Request{Servers: []string{"web"}})
	if s.failed(err) == nil {
		t.Error("nothing failed")
	}
	web := all[0].Droplets
	if !strings.Contains(web[0].Drift, "nixos-system-other") || !strings.Contains(web[0].Drift, "switched by hand") {
		t.Errorf("web-1: %q", web[0].Drift)
	}
	if !strings.HasPrefix(web[1].Drift, "could not be verified: ") {
		t.Errorf("web-2: %q", web[1].Drift)
	}
	planned, _ := s.previewed(deploy.Request{Servers: []string{"web"}})
	if drift := planned["web"].Drift; len(drift) != 1 || !strings.Contains(drift[0], "switched by hand") || planned["web"].Action != event.OnlyVerify {
		t.Errorf("planned: %+v", planned["web"])
	}
}
