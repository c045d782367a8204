package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// objects is a Space in memory.
type objects map[string][]byte

func (o objects) Get(_ context.Context, key string) ([]byte, error) {
	data, ok := o[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, ErrNotFound)
	}
	return data, nil
}

func (o objects) Put(_ context.Context, key string, data []byte, _ string) error {
	o[key] = slices.Clone(data)
	return nil
}

func (o objects) Keys(_ context.Context, prefix string) ([]string, error) {
	var keys []string
	for k := range o {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func TestServerThatWasNeverReleasedHasNoRecord(t *testing.T) {
	t.Parallel()
	rec, err := NewStore(objects{}).Current(t.Context(), "web")
	if rec != nil || err != nil {
		t.Fatalf("Current = %v, %v; want nil, nil", rec, err)
	}
}

func TestRecordComesBackAsItWasSaved(t *testing.T) {
	t.Parallel()
	space := objects{}
	store := NewStore(space)
	want := &Record{
		Server:     "web",
		Release:    Release{Revision: "0123456789abcdef", Image: Image{Hash: "h"}, CustomImage: CustomImage{ID: 7}},
		Outcome:    Verified,
		Droplets:   []Droplet{{ID: 1, Name: "web-1", Evidence: &Evidence{Checks: []Check{{Name: "boot", OK: true}}}}},
		StartedAt:  time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		FinishedAt: time.Date(2026, 1, 2, 3, 5, 5, 0, time.UTC),
	}
	if err := store.Save(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	got, err := store.Current(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("current differs (-want +got):\n%s", diff)
	}
	if _, ok := space["releases/web/history/20260102T030505.000Z-0123456789ab.json"]; !ok {
		t.Errorf("no history among %v", space)
	}
}

func TestPendingRecordIsNotHistory(t *testing.T) {
	t.Parallel()
	store := NewStore(objects{})
	if err := store.Save(t.Context(), &Record{Server: "web", Outcome: Pending}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.History(t.Context(), "web", 10); err != nil || len(got) != 0 {
		t.Fatalf("History = %v, %v; want none", got, err)
	}
}

func TestHistoryIsNewestFirst(t *testing.T) {
	t.Parallel()
	store := NewStore(objects{})
	for i := range 3 {
		rec := &Record{Server: "web", Outcome: Verified, FinishedAt: time.Unix(int64(1000+i), 0)}
		rec.Revision = fmt.Sprint("r", i)
		if err := store.Save(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.History(t.Context(), "web", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Revision != "r2" || got[1].Revision != "r1" {
		t.Fatalf("History = %v; want r2, r1", got)
	}
}

func TestRecordOfANewerFormatIsNotTouched(t *testing.T) {
	t.Parallel()
	space := objects{"releases/web/current.json": []byte(`{"version": 99}`)}
	_, err := NewStore(space).Current(t.Context(), "web")
	if err == nil || !strings.Contains(err.Error(), "update snowdrop") {
		t.Fatalf("Current = %v; want an error that says to update", err)
	}
}

func TestUnreadableSpaceIsNotAServerWithoutRecord(t *testing.T) {
	t.Parallel()
	broken := errors.New("403 AccessDenied")
	_, err := NewStore(failing{broken}).Current(t.Context(), "web")
	if !errors.Is(err, broken) {
		t.Fatalf("Current = %v; want %v", err, broken)
	}
}

type failing struct{ err error }

func (f failing) Get(context.Context, string) ([]byte, error)       { return nil, f.err }
func (f failing) Put(context.Context, string, []byte, string) error { return f.err }
func (f failing) Keys(context.Context, string) ([]string, error)    { return nil, f.err }

func TestWayBackIsTheLastVerifiedRelease(t *testing.T) {
	t.Parallel()
	r := func(id int) Release { return Release{CustomImage: CustomImage{ID: id}} }
	one, two, three := r(1), r(2), r(3)
	for name, tc := range map[string]struct {
		former *Record
		next   Release
		want   *Release
	}{
		"first release has none":                   {nil, two, nil},
		"verified release":                         {&Record{Release: one, Outcome: Verified}, two, &one},
		"release that droplets went back to":       {&Record{Release: one, Outcome: RolledBack, Attempted: &two}, three, &one},
		"failed release is skipped":                {&Record{Release: two, Previous: &one, Outcome: Failed}, three, &one},
		"back from a failed release there is none": {&Record{Release: two, Previous: &one, Outcome: Failed}, one, nil},
		"run that was cut off is skipped":          {&Record{Release: two, Previous: &one, Outcome: Pending}, three, &one},
		"same image again keeps the one before it": {&Record{Release: two, Previous: &one, Outcome: Verified}, two, &one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Begin("web", tc.former, tc.next, time.Unix(0, 0))
			if diff := cmp.Diff(tc.want, got.Previous); diff != "" {
				t.Errorf("way back differs (-want +got):\n%s", diff)
			}
		})
	}
}
