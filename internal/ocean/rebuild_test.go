package ocean_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/ocean"
)

const (
	rebuildPath = "/v2/droplets/1/actions"
	pending     = "Droplet already has a pending event."
)

func TestARebuildIsNeverAskedForBlindlyTwice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault fault
		times int
		sent  int
		made  int
		fails bool
	}{
		{"acted on, answer cut off", cutOff(true), 1, 1, 1, false},
		{"acted on, answered 502", fault{status: 502, message: "bad gateway", after: true}, 1, 1, 1, false},
		{"not acted on, 500", answers(500, "oops"), 1, 2, 1, false},
		{"connection refused", refused(), 2, 3, 1, false},
		{"429", answers(429, "slow down"), 1, 2, 1, false},
		{"never acted on", answers(500, "oops"), 99, 3, 0, true},
		{"refused for good", answers(404, "no such droplet"), 99, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				former := f.addAction("rebuild", "droplet", 1, "nyc3")
				former["status"] = "completed"
				f.fail(tt.times, "POST", rebuildPath, tt.fault)
				action, err := f.client(t, nil).Rebuild(t.Context(), 1, 12)
				if (err != nil) != tt.fails {
					t.Fatalf("got %v", err)
				}
				if err == nil && (action.ID != f.actions[0]["id"] || action.ID == former["id"] || action.ResourceType != "droplet") {
					t.Errorf("got %+v", action)
				}
				if n := f.count("POST " + rebuildPath); n != tt.sent || len(f.actions)-1 != tt.made {
					t.Errorf("sent %d times, made %d actions; want %d and %d", n, len(f.actions)-1, tt.sent, tt.made)
				}
			})
		})
	}
}

func TestABusyDropletIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"completed", "errored"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				snapshot := f.addAction("snapshot", "droplet", 1, "nyc3")
				f.fail(2, "POST", rebuildPath, answers(422, pending))
				f.later(time.Minute, func() { snapshot["status"] = end })
				var phases []string
				_, err := f.client(t, nil).StartRebuild(t.Context(), ocean.RebuildRequest{
					DropletID: 1, ImageID: 12, Phase: func(s string) { phases = append(phases, s) },
				})
				check(t, err)
				want := []string{
					"waiting for droplet 1, which is busy with its snapshot (action 1001)",
					"waiting for droplet 1, which is busy with another event",
				}
				if diff := cmp.Diff(want, phases); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestADropletThatStaysBusyIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, seen := range map[string]bool{"rebuild-busy": true, "rebuild-busy-unseen": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if seen {
					f.addAction("snapshot", "droplet", 1, "nyc3")
				}
				f.fail(999, "POST", rebuildPath, answers(422, pending))
				began := time.Now()
				_, err := f.client(t, nil).StartRebuild(t.Context(), ocean.RebuildRequest{DropletID: 1, ImageID: 12, Timeout: 5 * time.Minute})
				if !errors.Is(err, ocean.ErrTimeout) {
					t.Fatalf("got %v", err)
				}
				if took := time.Since(began); took < 5*time.Minute || took > 6*time.Minute {
					t.Errorf("gave up after %s", took)
				}
				golden(t, name, err.Error())
			})
		})
	}
}

func TestARefusedRebuildSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]fault{
		"rebuild-ipv6":   answers(422, "Image is not compatible with ipv6"),
		"rebuild-region": answers(422, "Image is not available in this region"),
		"rebuild-disk":   answers(422, "Disk is too small for this image"),
		"rebuild-403":    answers(403, "You are not authorized to perform this operation"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.fail(1, "POST", rebuildPath, what)
			_, err := f.client(t, nil).Rebuild(t.Context(), 1, 12)
			if err == nil {
				t.Fatal("it was not refused")
			}
			golden(t, name, err.Error())
		})
	}
}

func TestTransfersGoToAllMissingRegionsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		image := f.addImage("snowdrop-web-x", "available", nil)
		id := image["id"].(int)
		path := "/v2/images/1001/actions"
		f.fail(1, "POST", path, cutOff(true)) // one answer is lost
		f.later(time.Minute, func() {
			if len(f.actions) != 2 {
				t.Errorf("%d transfers run after a minute, want both", len(f.actions))
			}
			for _, a := range f.actions {
				a["status"] = "completed"
			}
		})
		f.later(90*time.Second, func() { image["regions"] = []string{"nyc3", "ams3", "fra1"} }) // the list lags
		got, err := f.client(t, nil).Transfer(t.Context(), id, []string{"nyc3", "ams3", "fra1", "ams3"}, time.Hour, nil)
		check(t, err)
		if len(got.Regions) != 3 || f.count("POST "+path) != 2 {
			t.Errorf("in %v after %d requests", got.Regions, f.count("POST "+path))
		}
	})
}

func TestAFailedTransferNamesItsRegion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.addImage("snowdrop-web-x", "available", nil)
		f.later(10*time.Second, func() { f.actions[0]["status"] = "errored" })
		_, err := f.client(t, nil).Transfer(t.Context(), 1001, []string{"ams3"}, time.Hour, nil)
		var failed *ocean.ActionError
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "to ams3") {
			t.Errorf("got %v", err)
		}
	})
}
