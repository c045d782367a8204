package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
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
