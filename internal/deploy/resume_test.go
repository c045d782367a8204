package deploy_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
)

func TestRunThatWasCutOffAfterARebuildIsOnlyVerifiedByTheNext(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers = strings.ReplaceAll(with.servers, "[web-1, web-2]", "[web-1]")
	s := open(t, with)
	s.mustRun()
	s.release(second, "web", web("b"))
	result, _ := s.cutOff(func(e event.Event) bool { return stepStarts("boot")(e) })
	want := map[string]event.Outcome{"web": event.Cancelled, "web-1": event.Cancelled}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if state := result.Servers[0].Droplets[0].State; !strings.Contains(state, "was rebuilt with") || !strings.Contains(state, "nothing is verified") {
		t.Errorf("what is said of web-1: %s", state)
	}
	id := s.State().Droplet("web-1").ID
	if rec := s.record("web"); rec.Outcome != release.Pending || rec.Droplet(id).Rebuild == nil || rec.Droplet(id).Evidence != nil {
		t.Errorf("the record that was left: %+v", rec)
	}

	s.forget()
	s.mustRun()
	if n := s.rebuilds("web-1"); n != 2 {
		t.Errorf("web-1 was rebuilt %d times; want once a release", n)
	}
	if n := s.posts(""); n != 0 {
		t.Errorf("%d POSTs were sent to verify", n)
	}
	if rec := s.record("web"); rec.Outcome != release.Verified || rec.Droplet(id).Rebuild != nil || !rec.Droplet(id).Evidence.OK() {
		t.Errorf("record: %+v", rec)
	}
	if keys, now := s.record("web").Droplet(id).HostKeys, s.State().Droplet("web-1").Machine.HostKeys; !slices.Equal(plain(keys), plain(now)) {
		t.Errorf("recorded host keys %v; want %v", keys, now)
	}
}

// plain are keys without their comments, sorted.
func plain(keys []string) []string {
	var all []string
	for _, k := range keys {
		all = append(all, strings.Join(strings.Fields(k)[:2], " "))
	}
	slices.Sort(all)
	return all
}

func TestRunThatWasCutOffWhileItRebuildsDoesNotRebuildAgain(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers = strings.ReplaceAll(with.servers, "[web-1, web-2]", "[web-1]")
	with.slow = time.Second
	s := open(t, with)
	s.mustRun()
	s.release(second, "web", web("b"))
	s.cutOff(func(e event.Event) bool {
		phase, ok := e.(event.Phase)
		return ok && strings.HasPrefix(phase.Text, "waiting for rebuild of droplet")
	})
	if !s.State().Droplet("web-1").Locked {
		t.Fatal("the rebuild is not under way")
	}
	s.mustRun()
	if n := s.rebuilds("web-1"); n != 2 {
		t.Errorf("web-1 was rebuilt %d times; want once a release", n)
	}
	if s.record("web").Outcome != release.Verified {
		t.Error("the release is not verified")
	}
}

func TestRunThatWasCutOffBetweenUploadAndImportLeavesNothingAndIsContinued(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.cutOff(func(e event.Event) bool {
		phase, ok := e.(event.Phase)
		return ok && strings.HasPrefix(phase.Text, "checking that DigitalOcean can read")
	})
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	if n := s.posts(""); n != 0 {
		t.Errorf("%d POSTs were sent", n)
	}
	if s.record("web") != nil {
		t.Error("a record of a release that never began")
	}
	s.mustRun()
}

func TestRunThatWasCutOffDuringTheImportFindsItsImage(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.slow = time.Second
	s := open(t, with)
	s.cutOff(func(e event.Event) bool {
		phase, ok := e.(event.Phase)
		return ok && strings.HasPrefix(phase.Text, "waiting for custom image")
	})
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	s.mustRun()
	if n := s.imagesNamed(s.imageName("web")); n != 1 {
		t.Errorf("%d custom images of one release", n)
	}
}

func TestCancelledUploadLeavesNoObjectAndNoUpload(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	big := web("big")
	big.SizeMiB = 24
	with.images["web"] = big
	with.faults = []string{"s3-slow=PUT /acme/images/*,count=-1,delay=50ms", "s3-slow=POST /acme/images/*,count=-1,delay=50ms"}
	s := open(t, with)
	result, _ := s.cutOff(func(e event.Event) bool {
		phase, ok := e.(event.Phase)
		return ok && strings.HasPrefix(phase.Text, "uploading")
	})
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	for _, d := range result.Servers[0].Droplets {
		if !strings.HasSuffix(d.State, "as before") || d.Outcome != event.Untouched {
			t.Errorf("%s is %s: %s", d.Droplet.Name, d.Outcome, d.State)
		}
	}
}

func TestCancelledBuildTouchesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.cutOff(stepStarts("build"))
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

func TestLostAnswersAreLookedForAndNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string][]string{
		"502 to the import":              {"api-lost=POST /v2/images"},
		"no answer to the import":        {"api-drop=POST /v2/images"},
		"502 to the rebuild":             {"api-lost=POST /v2/droplets/*/actions"},
		"no answer to the rebuild":       {"api-drop=POST /v2/droplets/*/actions"},
		"both":                           {"api-drop=POST /v2/images", "api-lost=POST /v2/droplets/*/actions"},
		"busy droplets and slow answers": {"droplet-busy=web-1,count=2", "api-rate-limit=GET /v2/*,count=2,delay=1s"},
		"reads that fail":                {"api-error=GET /v2/images*,count=2", "api-error=GET /v2/droplets*,count=2", "s3-error=GET /acme/*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := oneWeb("stop")
			with.faults = faults
			s := open(t, with)
			s.mustRun()
			if n := s.imagesNamed(s.imageName("web")); n != 1 {
				t.Errorf("%d custom images of one release", n)
			}
			for _, droplet := range []string{"web-1", "web-2"} {
				if n := s.rebuilds(droplet); n != 1 {
					t.Errorf("%s was rebuilt %d times", droplet, n)
				}
			}
		})
	}
}

func TestFailedImportIsToldInDigitalOceansWordsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.faults = []string{"import-failed,message=your image is no disk"}
	s := open(t, with)
	_, err := s.run(t.Context())
	if err == nil || !strings.Contains(causes(err), "your image is no disk") {
		t.Errorf("deploy = %v%s", err, causes(err))
	}
	if left := s.leftovers(); len(left) > 0 {
		t.Errorf("left in the Space: %v", left)
	}
	if s.rebuilds("web-1") != 0 || s.record("web") != nil {
		t.Error("a droplet was rebuilt, or recorded")
	}
	s.mustRun()
}

func TestRebuildThatErrsIsAFailureOfItsDroplet(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("rollback"))
	s.mustRun()
	s.release(second, "web", web("b"))
	check(t, s.Fault(lab.Fault{Kind: "action-errored", Target: "web-1"}))
	result, err := s.run(t.Context())
	var failed *deploy.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("deploy = %v", err)
	}
	want := map[string]event.Outcome{"web": event.RolledBack, "web-1": event.RolledBack, "web-2": event.Untouched}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
}

// readOnly is a Space that takes no records.
type readOnly struct{ deploy.Space }

func (r readOnly) Put(ctx context.Context, key string, data []byte, contentType string) error {
	if strings.HasPrefix(key, "releases/") {
		return errors.New("the Space answered 403 AccessDenied")
	}
	return r.Space.Put(ctx, key, data, contentType) //nolint:wrapcheck // a Space in between
}

// TestRecordThatCannotBeWrittenStopsBeforeTheRebuild: a run that is cut off after
// it could not be continued otherwise.
func TestRecordThatCannotBeWrittenStopsBeforeTheRebuild(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"stop", "rollback"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneWeb(policy))
			s.mustRun()
			one := s.State()
			s.release(second, "web", web("b"))
			s.store = readOnly{s.store}
			result, err := s.run(t.Context())
			if err == nil || !strings.Contains(causes(err), "not rebuilt") {
				t.Fatalf("deploy = %v%s", err, causes(err))
			}
			for _, name := range []string{"web-1", "web-2"} {
				if s.State().Droplet(name).Machine.BootID != one.Droplet(name).Machine.BootID {
					t.Errorf("%s was touched", name)
				}
			}
			d := result.Servers[0].Droplets[0]
			if d.Outcome == event.RolledBack || strings.Contains(d.State, "again, verified") {
				t.Errorf("web-1 was not touched, and yet it is said that it is %s: %s", d.Outcome, d.State)
			}
			if result.Servers[0].Outcome != event.Failed {
				t.Errorf("web is %s", result.Servers[0].Outcome)
			}
		})
	}
}

func TestRunIsCancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	plan := s.plan(deploy.Request{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.deployer().Deploy(ctx, plan); !errors.Is(s.failed(err), context.Canceled) {
		t.Errorf("deploy = %v", err)
	}
}
