package prune_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/steps/prune"
)

// acme is the fleet's tag.
const acme = "snowdrop:fleet:nyc3:acme"

// image is one of web's, made id hours after the epoch: the higher, the newer.
func image(id int, change ...func(*ocean.Image)) ocean.Image {
	i := ocean.Image{
		ID: id, Name: ocean.ImageName("web", hash(id)), Status: "available", Tags: ocean.Tags(acme, "web"),
		CreatedAt: time.Unix(0, 0).Add(time.Duration(id) * time.Hour),
	}
	for _, c := range change {
		c(&i)
	}
	return i
}

func hash(id int) string { return fmt.Sprintf("%032d", id) }

func status(s string) func(*ocean.Image)       { return func(i *ocean.Image) { i.Status = s } }
func tagged(tags ...string) func(*ocean.Image) { return func(i *ocean.Image) { i.Tags = tags } }

// record says that the release with that image is verified.
func record(id int) *release.Record {
	r := &release.Record{Outcome: release.Verified}
	r.CustomImage.ID = id
	return r
}

func six() []ocean.Image {
	return []ocean.Image{image(3), image(6), image(1), image(5), image(2), image(4)}
}

func TestWhatStaysAndWhy(t *testing.T) {
	t.Parallel()
	const old = "delete: it is not among the 2 newest, and nothing needs it"
	tests := map[string]struct {
		in   prune.In
		want []string // from the newest on
	}{
		"the newest stay": {
			prune.In{Keep: 2, Images: six(), Record: record(6)},
			[]string{"6 keep: the record names it as the current release's", "5 keep: it is among the 2 newest", "4 " + old, "3 " + old, "2 " + old, "1 " + old},
		},
		"at least one stays": {
			prune.In{Images: []ocean.Image{image(1), image(2)}, Record: record(2)},
			[]string{"2 keep: the record names it as the current release's", "1 delete: it is not among the 1 newest, and nothing needs it"},
		},
		"what a droplet of the account runs from, and the way back": {
			prune.In{
				Keep: 2, Images: six(), Droplets: []ocean.Droplet{{ID: 9, Name: "staging", ImageID: 1}},
				Record: func() *release.Record { r := record(6); r.Previous = &record(2).Release; return r }(),
			},
			[]string{"6 keep: the record names it as the current release's", "5 keep: it is among the 2 newest", "4 " + old, "3 " + old, "2 keep: the record names it as the way back", "1 keep: droplet staging (9) runs from it"},
		},
		"what the record says of droplets": {
			prune.In{Keep: 2, Images: six(), Record: func() *release.Record {
				r := record(6)
				r.Droplets = []release.Droplet{{ID: 7, Name: "web-1", ImageID: 1}, {ID: 8, Name: "web-2", Rebuild: &release.Rebuild{ImageID: 2}}}
				return r
			}()},
			[]string{
				"6 keep: the record names it as the current release's", "5 keep: it is among the 2 newest", "4 " + old, "3 " + old,
				"2 keep: the record says that droplet web-2 (8) is being rebuilt with it", "1 keep: the record says that droplet web-1 (7) was last rebuilt with it",
			},
		},
		"nothing usable with a record of a switch alone": {
			prune.In{Keep: 1, Images: []ocean.Image{image(1), image(2)}, Record: &release.Record{Server: "web", Outcome: release.Verified}},
			[]string{"2 keep: there is no record of a release of this server yet", "1 keep: there is no record of a release of this server yet"},
		},
		"nothing usable without a record": {
			prune.In{Keep: 1, Images: []ocean.Image{image(1), image(2), image(3, status("deleted"))}},
			[]string{
				`3 delete: it is "deleted" and can no longer be used`,
				"2 keep: there is no record of a release of this server yet", "1 keep: there is no record of a release of this server yet",
			},
		},
		"nothing usable unless the release is verified": {
			prune.In{Keep: 1, Images: []ocean.Image{image(1), image(2)}, Record: func() *release.Record { r := record(2); r.Outcome = release.Failed; return r }()},
			[]string{"2 keep: the record names it as the current release's", "1 keep: the current release is not verified, it is failed"},
		},
		"what is newer than the current release": {
			prune.In{Keep: 1, Images: six(), Record: record(4)},
			[]string{
				"6 keep: it is among the 1 newest", "5 keep: it is newer than the current release's image", "4 keep: the record names it as the current release's",
				"3 delete: it is not among the 1 newest, and nothing needs it", "2 delete: it is not among the 1 newest, and nothing needs it", "1 delete: it is not among the 1 newest, and nothing needs it",
			},
		},
		"imports that run, and that failed": {
			prune.In{Keep: 1, Images: []ocean.Image{image(1, status("NEW")), image(2, status("pending")), image(3, status("retired")), image(4)}, Record: record(4)},
			[]string{
				"4 keep: the record names it as the current release's", `3 delete: it is "retired" and can no longer be used`,
				"2 keep: it is being imported", "1 keep: it is being imported",
			},
		},
		"what is not ours is not judged": {
			prune.In{Keep: 1, Record: record(9), Images: []ocean.Image{
				image(1, tagged()), image(2, tagged("snowdrop", acme)), image(3, tagged("snowdrop:server:web", acme)),
				image(4, tagged("snowdrop", "snowdrop:server:api", acme)), image(5, tagged("web", acme), status("deleted")),
				image(6, tagged(ocean.Tags("snowdrop:fleet:nyc3:staging", "web")...), status("deleted")), image(7, tagged("snowdrop", "snowdrop:server:web")),
			}},
			nil,
		},
		"a droplet whose image cannot be seen": {
			prune.In{Keep: 1, Images: []ocean.Image{image(1), image(2)}, Droplets: []ocean.Droplet{{ID: 9, Name: "dark"}}, Record: record(2)},
			[]string{"2 keep: the record names it as the current release's", "1 keep: it cannot be seen what droplet dark (9) runs from: it may be this image"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.in.Server, tt.in.Fleet = "web", acme
			var got []string
			for _, v := range prune.Decide(tt.in) {
				what := "keep"
				if v.Delete {
					what = "delete"
				}
				got = append(got, fmt.Sprintf("%d %s: %s", v.Image.ID, what, v.Reason))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The first of the things that may never happen: see the design's list.
func TestNoImageThatIsNeededOrNotOursIsEverDeleted(t *testing.T) {
	t.Parallel()
	deleted := 0
	for seed := range uint64(20000) {
		r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's dice
		in := randomIn(r)
		kept := 0
		for _, v := range prune.Decide(in) {
			if v.Reason == "" {
				t.Fatalf("seed %d: no reason for %+v", seed, v)
			}
			if !v.Delete && v.Image.Available() {
				kept++
			}
			if !v.Delete {
				continue
			}
			deleted++
			if breach := mustStay(in, v.Image); breach != "" {
				t.Fatalf("seed %d: image %d is deleted although %s\n%+v", seed, v.Image.ID, breach, in)
			}
		}
		usable := len(slices.DeleteFunc(slices.Clone(in.Images), func(i ocean.Image) bool { return !i.MadeFor(acme, "web") || !i.Available() }))
		if kept < min(usable, max(1, in.Keep)) {
			t.Fatalf("seed %d: %d of %d usable images kept, wanted %d", seed, kept, usable, in.Keep)
		}
	}
	if deleted < 1000 {
		t.Errorf("only %d deletions in all: the dice prove nothing", deleted)
	}
}

// mustStay says the invariant in the simplest words, apart from the code under test.
func mustStay(in prune.In, i ocean.Image) string {
	has := func(tag string) bool { return slices.Contains(i.Tags, tag) }
	for _, d := range in.Droplets {
		if d.ImageID == i.ID {
			return "a droplet runs from it"
		}
	}
	rec := in.Record
	switch {
	case !has("snowdrop") || !has("snowdrop:server:web") || !has(acme):
		return "it is not ours"
	case rec != nil && rec.CustomImage.ID == i.ID:
		return "it is the current one"
	case rec != nil && rec.Previous != nil && rec.Previous.CustomImage.ID == i.ID:
		return "it is the way back"
	case i.Available() && (rec == nil || rec.Outcome != release.Verified):
		return "the new one is not verified"
	case i.Importing():
		return "it is being imported"
	}
	return ""
}

func randomIn(r *rand.Rand) prune.In {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	in := prune.In{Server: "web", Fleet: acme, Keep: r.IntN(4)}
	whole := strings.Join(ocean.Tags(acme, "web"), ",")
	n := r.IntN(9)
	for id := 1; id <= n; id++ {
		in.Images = append(in.Images, image(id, status(pick("available", "available", "available", "NEW", "pending", "deleted")),
			tagged(strings.Split(pick(whole, whole, whole, "snowdrop,"+acme, "snowdrop:server:web,"+acme, "snowdrop,snowdrop:server:api,"+acme,
				"snowdrop,snowdrop:server:web", "snowdrop,snowdrop:server:web,snowdrop:fleet:nyc3:staging", ""), ",")...),
			func(i *ocean.Image) { i.CreatedAt = time.Unix(int64(r.IntN(6)), 0) }))
	}
	for id := range r.IntN(4) {
		in.Droplets = append(in.Droplets, ocean.Droplet{ID: id, ImageID: 1 + r.IntN(n+2)})
	}
	if r.IntN(4) > 0 {
		in.Record = record(r.IntN(n + 2))
		in.Record.Outcome = release.Outcome(pick("verified", "verified", "failed", "pending", "rolled-back"))
		if r.IntN(2) == 0 {
			in.Record.Previous = &record(r.IntN(n + 2)).Release
		}
	}
	return in
}

func TestWhichObjectsStayAndWhy(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	object := func(key string, age time.Duration) space.Object {
		return space.Object{Key: key, Modified: now.Add(-age)}
	}
	at := func(id int) string { return "images/" + hash(id) + "/x.qcow2.gz" }
	in := prune.In{Server: "web", Fleet: acme, Images: []ocean.Image{
		image(1), image(2, status("pending")), image(3, status("deleted")), image(4), image(5, tagged("foreign")),
	}}
	objects := []space.Object{
		object(at(1), 48*time.Hour), object(at(2), 48*time.Hour), object(at(3), 48*time.Hour), object(at(4), 48*time.Hour),
		object(at(5), 48*time.Hour), object(at(6), 23*time.Hour), object("images/notes.txt", 48*time.Hour), object("images/short/x", 48*time.Hour),
	}
	const (
		left  = "delete: a run left it behind more than a day ago"
		alien = "keep: it is not one of snowdrop's"
		young = "keep: it is less than a day old: a run may still need it"
	)
	importing := "keep: image " + in.Images[1].Name + " (2) is being imported from it"
	for name, tt := range map[string]struct {
		keep bool
		want []string
	}{
		"objects are not kept": {false, []string{left, importing, left, left, left, young, alien, alien}},
		"objects are kept":     {true, []string{"keep: objects are kept (keep-objects), and image " + in.Images[0].Name + " (1) is of it", importing, left, left, left, young, alien, alien}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := in
			in.KeepObjects = tt.keep
			var got []string
			for _, v := range prune.DecideObjects(in, objects, []ocean.Image{image(4)}, now) {
				what := "keep: "
				if v.Delete {
					what = "delete: "
				}
				got = append(got, what+v.Reason)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSnapshotsStayAsLongAsTheirReleases(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0).Add(1000 * time.Hour)
	snapshot := func(id int, kind string, age time.Duration) space.Object {
		return space.Object{Key: "closures/web/" + hash(id) + kind, Modified: now.Add(-age)}
	}
	const day = 24 * time.Hour
	rec := record(5)
	rec.Image.Hash = hash(5)
	rec.Previous = &release.Release{Image: release.Image{Hash: hash(4)}}
	rec.Attempted = &release.Release{Image: release.Image{Hash: hash(3)}}
	snapshots := []space.Object{
		snapshot(1, ".json.gz", day), snapshot(2, ".json.gz", 2*day), snapshot(2, ".system.json.gz", 2*day), snapshot(3, ".json.gz", 2*day),
		snapshot(4, ".system.json.gz", 2*day), snapshot(5, ".json.gz", 2*day), snapshot(6, ".json.gz", time.Hour),
		{Key: "closures/web/notes.txt", Modified: now.Add(-2 * day)},
	}
	in := prune.In{Server: "web", Fleet: acme, Images: []ocean.Image{image(1), image(2)}, Record: rec}
	want := []string{
		"web/1.json.gz keep: image " + ocean.ImageName("web", hash(1)) + " (1) is of it",
		"web/2.json.gz delete: it is of a release whose image is gone",
		"web/2.system.json.gz delete: it is of a release whose image is gone",
		"web/3.json.gz keep: the record names it", "web/4.system.json.gz keep: the record names it", "web/5.json.gz keep: the record names it",
		"web/6.json.gz keep: it is less than a day old: a run may still need it",
		"web/notes.txt keep: it is not one of snowdrop's",
	}
	if diff := cmp.Diff(want, snapshotWords(prune.DecideSnapshots(in, snapshots, []ocean.Image{image(2)}, now))); diff != "" {
		t.Error(diff)
	}
	in.Record = nil
	for _, v := range prune.DecideSnapshots(in, snapshots, nil, now) {
		if v.Delete {
			t.Errorf("without a record, %s is deleted", v.Key)
		}
	}
}

// snapshotWords writes verdicts with the hashes as the ids that they were made of.
func snapshotWords(verdicts []prune.ObjectVerdict) []string {
	var words []string
	for _, v := range verdicts {
		what := "keep"
		if v.Delete {
			what = "delete"
		}
		key := strings.TrimPrefix(v.Key, "closures/")
		for id := range 10 {
			key = strings.Replace(key, hash(id), fmt.Sprint(id), 1)
		}
		words = append(words, fmt.Sprintf("%s %s: %s", key, what, v.Reason))
	}
	return words
}
