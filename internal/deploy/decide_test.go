package deploy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/build"
)

const (
	hashA = "0c1yv5m3i2zq6k1l8r4w7x9n5b3d6f8g"
	hashB = "1c1yv5m3i2zq6k1l8r4w7x9n5b3d6f8g"
)

func good() *release.Evidence {
	return &release.Evidence{Checks: []release.Check{{Name: "boot", OK: true}}}
}

func bad() *release.Evidence {
	return &release.Evidence{Checks: []release.Check{{Name: "boot", OK: true}, {Name: "soak"}}}
}

func recordOf(d release.Droplet) *release.Record {
	return &release.Record{Server: "web", Droplets: []release.Droplet{d}}
}

// acme is where the fleet keeps its records.
var acme = fleet.Space{Region: "nyc3", Bucket: "acme"}

func ourImage(id int, hash string) ocean.Image {
	return ocean.Image{ID: id, Name: ocean.ImageName("web", hash), Status: "available", Tags: ocean.Tags(fleetTag(acme), "web")}
}

func TestOnlyWhatIsVerifiedOnTheWantedImageIsLeftAlone(t *testing.T) {
	t.Parallel()
	image := ourImage(7, hashA)
	for name, tc := range map[string]struct {
		record *release.Record
		runs   int
		want   *ocean.Image
		todo   Todo
	}{
		"the image is not there yet":          {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: good()}), 7, nil, RebuildIt},
		"it runs another image":               {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: good()}), 6, &image, RebuildIt},
		"never released":                      {nil, 7, &image, VerifyOnly},
		"not in the record":                   {recordOf(release.Droplet{ID: 2, ImageID: 7, Evidence: good()}), 7, &image, VerifyOnly},
		"the record says another image":       {recordOf(release.Droplet{ID: 1, ImageID: 6, Evidence: good()}), 7, &image, VerifyOnly},
		"a rebuild is not accounted for":      {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: good(), Rebuild: &release.Rebuild{}}), 7, &image, VerifyOnly},
		"it was never verified":               {recordOf(release.Droplet{ID: 1, ImageID: 7}), 7, &image, VerifyOnly},
		"its verification failed":             {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: bad()}), 7, &image, VerifyOnly},
		"evidence without a check is none":    {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: &release.Evidence{}}), 7, &image, VerifyOnly},
		"it runs the image, and was verified": {recordOf(release.Droplet{ID: 1, ImageID: 7, Evidence: good()}), 7, &image, Nothing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := todo(tc.record, ocean.Droplet{ID: 1, ImageID: tc.runs}, tc.want); got != tc.todo {
				t.Errorf("todo = %d; want %d", got, tc.todo)
			}
		})
	}
}

func TestDriftIsSaidInASentence(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	rec := func(d release.Droplet) *release.Record {
		r := recordOf(d)
		r.CustomImage = release.CustomImage{ID: 7, Name: ocean.ImageName("web", hashA)}
		return r
	}
	for name, tc := range map[string]struct {
		record *release.Record
		runs   ocean.Droplet
		want   string
	}{
		"none":             {rec(release.Droplet{ID: 1, ImageID: 7, VerifiedAt: at}), ocean.Droplet{ID: 1, ImageID: 7}, ""},
		"never released":   {nil, ocean.Droplet{ID: 1, ImageID: 9, ImageName: "ubuntu"}, `never released by snowdrop, runs image "ubuntu" (9)`},
		"a new droplet":    {rec(release.Droplet{ID: 2}), ocean.Droplet{ID: 1, ImageID: 9}, "not in the record, runs image 9"},
		"cut off":          {rec(release.Droplet{ID: 1, ImageID: 6, Rebuild: &release.Rebuild{ImageID: 7, StartedAt: at}}), ocean.Droplet{ID: 1, ImageID: 7}, "a rebuild with image 7 was begun 2026-03-02 09:00 UTC and not finished"},
		"foreign rebuild":  {rec(release.Droplet{ID: 1, ImageID: 7, VerifiedAt: at}), ocean.Droplet{ID: 1, ImageID: 6, ImageName: ocean.ImageName("web", hashB)}, "runs image 1c1yv5m3 (6), the record says image 7"},
		"still the former": {rec(release.Droplet{ID: 1, ImageID: 6, VerifiedAt: at}), ocean.Droplet{ID: 1, ImageID: 6}, "runs image 6, the release is image 0c1yv5m3 (7)"},
		"failed later":     {rec(release.Droplet{ID: 1, ImageID: 7, VerifiedAt: at, Evidence: bad()}), ocean.Droplet{ID: 1, ImageID: 7}, "the last verification failed: soak"},
		"not verified":     {rec(release.Droplet{ID: 1, ImageID: 7}), ocean.Droplet{ID: 1, ImageID: 7}, "not verified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, drift(tc.record, tc.runs)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// serverRunOn is a run of web that brings it to image 7; record is what was known
// before.
func serverRunOn(record *release.Record, images ...ocean.Image) *serverRun {
	d := &Deployer{}
	s := &serverRun{
		run: &run{d: d, plan: &Plan{world: world{fleet: fleetTag(acme), images: images}}}, d: d,
		plan:  ServerPlan{Server: fleet.Server{Name: "web"}, Record: record},
		image: ourImage(7, hashA),
	}
	s.record = d.keep(release.Begin("web", record, release.Release{CustomImage: release.CustomImage{ID: 7}}, time.Time{}))
	return s
}

func TestWayBackIsAnImageOfOursThatIsStillThere(t *testing.T) {
	t.Parallel()
	known := &release.Record{
		Release: release.Release{Toplevel: "/nix/store/former", CustomImage: release.CustomImage{ID: 6}}, Outcome: release.Verified,
	}
	others := ourImage(6, hashB)
	others.Tags = ocean.Tags(fleetTag(acme), "db")
	pending := ourImage(6, hashB)
	pending.Status = "deleted"
	for name, tc := range map[string]struct {
		record   *release.Record
		runs     int
		images   []ocean.Image
		image    int // 0: there is no way back
		toplevel string
	}{
		"the former release":                  {known, 6, []ocean.Image{ourImage(7, hashA), ourImage(6, hashB)}, 6, "/nix/store/former"},
		"an image that no record knows":       {known, 5, []ocean.Image{ourImage(5, hashB)}, 5, ""},
		"it runs the failed image by now":     {known, 7, []ocean.Image{ourImage(7, hashA), ourImage(6, hashB)}, 6, "/nix/store/former"},
		"it runs it, and nothing was before":  {nil, 7, []ocean.Image{ourImage(7, hashA)}, 0, ""},
		"the image of a distribution":         {nil, 3, []ocean.Image{ourImage(7, hashA)}, 0, ""},
		"an image of another server":          {known, 6, []ocean.Image{others}, 0, ""},
		"an image that is gone":               {known, 6, nil, 0, ""},
		"an image that can no longer be used": {known, 6, []ocean.Image{pending}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverRunOn(tc.record, tc.images...)
			got, err := s.former(ocean.Droplet{ID: 1, Name: "web-1", ImageID: tc.runs})
			if tc.image == 0 {
				if !errors.Is(err, errNoWayBack) || !strings.Contains(err.Error(), "web-1") {
					t.Errorf("former = %v, %v; want no way back", got, err)
				}
				return
			}
			if err != nil || got.image.ID != tc.image || got.toplevel != tc.toplevel {
				t.Errorf("former = %v, %v; want image %d, %q", got, err, tc.image, tc.toplevel)
			}
		})
	}
}

func TestRecordGoesBackOnlyIfAllThatWasChangedWentBack(t *testing.T) {
	t.Parallel()
	before := &release.Record{
		Release: release.Release{Revision: "old", CustomImage: release.CustomImage{ID: 6}}, Outcome: release.Verified,
	}
	for name, tc := range map[string]struct {
		record   *release.Record
		outcomes []event.Outcome
		back     bool
	}{
		"all that were changed":      {before, []event.Outcome{event.RolledBack, event.Untouched}, true},
		"one is still new":           {before, []event.Outcome{event.Verified, event.RolledBack}, false},
		"one did not get back":       {before, []event.Outcome{event.RolledBack, event.Failed}, false},
		"one was cancelled":          {before, []event.Outcome{event.RolledBack, event.Cancelled}, false},
		"nothing was changed":        {before, []event.Outcome{event.Untouched}, false},
		"it went to a foreign image": {nil, []event.Outcome{event.RolledBack}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serverRunOn(tc.record)
			rec := s.record.rec
			for i, o := range tc.outcomes {
				d := ocean.Droplet{ID: i + 1, ImageID: 6}
				s.results = append(s.results, result{droplet: d, outcome: o})
				entry(rec, d.ID, "d").ImageID = 6
			}
			got := s.wentBackTo(rec)
			if (got != nil) != tc.back || got != nil && got.Revision != "old" {
				t.Errorf("went back to %+v", got)
			}
		})
	}
}

func TestStorageIsPaidForByTheGBOfOurImages(t *testing.T) {
	t.Parallel()
	ours := []string{ocean.Tag, ocean.ServerTag("web")}
	images := []ocean.Image{
		{ID: 1, SizeGB: 2, Tags: ours}, {ID: 2, SizeGB: 3, Tags: ours, Regions: []string{"nyc3", "fra1"}}, {ID: 3, SizeGB: 50},
	}
	want := event.Stored{Images: 2, GB: 5, Dollars: 0.30}
	if diff := cmp.Diff(want, stored(images, nil), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Error(diff)
	}
	want = event.Stored{Images: 1, GB: 3, Dollars: 0.18}
	if diff := cmp.Diff(want, stored(images, []int{1}), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
		t.Errorf("when one is gone: %s", diff)
	}
}

func TestAStalePlanNamesEveryDifference(t *testing.T) {
	t.Parallel()
	d := &Deployer{Config: Config{Clock: ocean.RealClock()}}
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	image := ocean.ImageName("web", hashA)
	droplet := func(id int, name string, image int) ocean.Droplet {
		return ocean.Droplet{ID: id, Name: name, ImageID: image, ImageName: "base"}
	}
	was := ServerPlan{
		Server: fleet.Server{Name: "web"}, Want: build.Built{ImagePath: "/nix/store/a-image", Toplevel: "/nix/store/a-system"},
		Image:    &ocean.Image{ID: 7, Name: image},
		Droplets: []ocean.Droplet{droplet(1, "web-1", 3), droplet(2, "web-2", 3), droplet(3, "web-3", 7)},
		Todo:     []Todo{RebuildIt, RebuildIt, Nothing},
	}
	is := was
	is.Want.Toplevel = "/nix/store/b-system"
	is.Image = nil
	is.Record = &release.Record{Outcome: release.Verified, StartedAt: at, Release: release.Release{Revision: "2222222", CustomImage: release.CustomImage{ID: 8, Name: image}}}
	is.Droplets = []ocean.Droplet{droplet(1, "web-1", 4), droplet(3, "web-3", 7), droplet(9, "web-2", 3)}
	is.Todo = []Todo{RebuildIt, VerifyOnly, RebuildIt}
	kept := d.Keep(&Plan{Servers: []ServerPlan{was}})
	stale := &StalePlanError{Differences: kept.differences(&Plan{Servers: []ServerPlan{is}})}
	want := `the plan is out of date, so nothing was changed:
  - server web: the flake gives the system /nix/store/b-system, the plan has /nix/store/a-system
  - server web: image 0c1yv5m3 (7) is gone from the account
  - server web: its record says revision 2222222 with image 0c1yv5m3 (8) of 2026-03-01 09:00 UTC, verified; when the plan was made, there was none
  - server web: droplet web-2 (2) is gone
  - server web: droplet web-1 (1) runs image "base" (4); when the plan was made, image "base" (3)
  - server web: what droplet web-3 (3) needs is verify; the plan has nothing
  - server web: droplet web-2 (9) is new
Make a new one with ` + "`snowdrop plan --out FILE`, and look at it"
	if diff := cmp.Diff(want, stale.Error()); diff != "" {
		t.Error(diff)
	}
	if same := kept.differences(&Plan{Servers: []ServerPlan{was}}); len(same) != 0 {
		t.Errorf("the same is different: %q", same)
	}
	was.Server.Rollout.Batch = fleet.Batch{Percent: 100}
	if got := kept.differences(&Plan{Servers: []ServerPlan{was}}); len(got) != 2 || !strings.Contains(got[1], "rebuilt as web-1 and web-2; the plan has web-1, then web-2") {
		t.Errorf("another rollout: %q", got)
	}
}
