package ocean_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/ocean"
)

func TestOneListATickServesAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const each = 30
		f := newFake()
		c := f.client(t, nil)
		var all sync.WaitGroup
		for i := range each {
			image := f.addImage("image-"+strconv.Itoa(i), "pending", nil)["id"].(int)
			a := f.addAction("rebuild", "droplet", i+1, "nyc3")["id"].(int)
			all.Go(func() { _, err := c.WaitForImage(t.Context(), image, time.Hour, nil); check2(t, err) })
			all.Go(func() {
				_, err := c.WaitForAction(t.Context(), ocean.Action{ID: a, ResourceType: "droplet", ResourceID: i + 1}, time.Hour, nil)
				check2(t, err)
			})
		}
		f.later(10*time.Minute, func() {
			for _, i := range f.images {
				i["status"] = "available"
			}
			for _, a := range f.actions {
				a["status"] = "completed"
			}
		})
		all.Wait()
		images, actions := f.count("GET /v2/images"), f.count("GET /v2/actions")
		// 3 s, growing by 1.3 to 15 s: about 45 looks in ten minutes.
		if images != actions || images > 50 || images+actions != len(f.requests) {
			t.Errorf("%d lists of images, %d of actions, %d requests in all", images, actions, len(f.requests))
		}
	})
}

func TestWhatIsNotOnTheFirstPageIsLookedAtAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.pageSize = 1
		image := f.addImage("mine", "pending", nil)
		f.addImage("another", "available", nil)
		action := f.addAction("rebuild", "droplet", 1, "nyc3")
		f.addAction("snapshot", "droplet", 2, "nyc3")
		f.later(time.Minute, func() { image["status"], action["status"] = "available", "completed" })
		c := f.client(t, nil)
		_, err := c.WaitForImage(t.Context(), image["id"].(int), time.Hour, nil)
		check(t, err)
		_, err = c.WaitForAction(t.Context(), ocean.Action{ID: action["id"].(int), ResourceType: "droplet", ResourceID: 1}, time.Hour, nil)
		check(t, err)
	})
}

func TestWaitingGetsAlongWithoutTheScopeToListActions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail(99, "GET", "/v2/actions", answers(403, "not authorized"))
		action := f.addAction("rebuild", "droplet", 1, "nyc3")
		f.later(time.Minute, func() { action["status"] = "completed" })
		_, err := f.client(t, nil).WaitForAction(t.Context(), ocean.Action{ID: 1001, ResourceType: "droplet", ResourceID: 1}, time.Hour, nil)
		check(t, err)
	})
}

func TestAFailedImportEndsTheWaitAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, status, message string }{
		{"wait-deleted", "deleted", "Image format is not supported"},
		{"wait-deleted-silent", "DELETED", " "},
		{"wait-retired", "retired", " "},
		{"wait-errored", "errored", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				image := f.addImage("snowdrop-web-x", "NEW", nil)
				f.later(30*time.Second, func() { image["status"], image["error_message"] = tt.status, tt.message })
				began := time.Now()
				_, err := f.client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, nil)
				var failed *ocean.ImageError
				if !errors.As(err, &failed) || time.Since(began) > time.Minute {
					t.Fatalf("got %v after %s", err, time.Since(began))
				}
				golden(t, tt.name, err.Error())
			})
		})
	}
}

func TestAnErroredActionIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		action := f.addAction("rebuild", "droplet", 1, "nyc3")
		f.later(30*time.Second, func() { action["status"] = "errored" })
		_, err := f.client(t, nil).WaitForAction(t.Context(), ocean.Action{ID: 1001, Type: "rebuild", ResourceType: "droplet", ResourceID: 1}, time.Hour, nil)
		var failed *ocean.ActionError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
		golden(t, "wait-action-errored", err.Error())
	})
}

func TestEveryWaitHasADeadline(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]bool{"wait-timeout": false, "wait-timeout-outage": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.addImage("snowdrop-web-x", "pending", nil)
				if outage {
					f.fail(9999, "GET", "/v2/images", answers(503, "down"))
				}
				began := time.Now()
				_, err := f.client(t, nil).WaitForImage(t.Context(), 1001, 25*time.Minute, nil)
				took := time.Since(began)
				if !errors.Is(err, ocean.ErrTimeout) || took < 25*time.Minute || took > 26*time.Minute {
					t.Fatalf("got %v after %s", err, took)
				}
				golden(t, name, err.Error())
			})
		})
	}
}

func TestAnOutageOfTheAPIDoesNotEndAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		image := f.addImage("snowdrop-web-x", "pending", nil)
		f.fail(10, "GET", "/v2/images", answers(503, "down"))
		f.later(time.Minute, func() { image["status"] = "available" })
		var phases []string
		_, err := f.client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, func(s string) { phases = append(phases, s) })
		check(t, err)
		if len(phases) == 0 || !strings.Contains(phases[0], "503") {
			t.Errorf("told %q", phases)
		}
	})
}

func TestARefusalEndsAWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.addImage("snowdrop-web-x", "pending", nil)
		f.fail(99, "GET", "/v2/images", answers(401, "Unable to authenticate you"))
		if _, err := f.client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, nil); !errors.Is(err, ocean.ErrUnauthorized) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnImageThatIsNotListedYetIsWaitedForALittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.nextID = 1000
		f.later(5*time.Second, func() { f.addImage("late", "available", nil) })
		_, err := f.client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, nil)
		check(t, err)
	})
	synctest.Test(t, func(t *testing.T) {
		if _, err := newFake().client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, nil); !errors.Is(err, ocean.ErrNotFound) {
			t.Errorf("an image that never appears: %v", err)
		}
	})
}

func TestACancelledWaitEndsAndLeavesTheOthersWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		one, two := f.addImage("one", "pending", nil), f.addImage("two", "pending", nil)
		c := f.client(t, nil)
		var other error
		var all sync.WaitGroup
		ctx, cancel := context.WithCancelCause(t.Context())
		all.Go(func() {
			_, err := c.WaitForImage(ctx, one["id"].(int), time.Hour, nil)
			if !errors.Is(err, errStop) || !strings.Contains(err.Error(), "pending") {
				t.Errorf("the cancelled one: %v", err)
			}
		})
		time.Sleep(time.Second) // the first one's context must not carry the watching
		all.Go(func() { _, other = c.WaitForImage(t.Context(), two["id"].(int), time.Hour, nil) })
		time.Sleep(30 * time.Second)
		cancel(errStop)
		f.later(time.Minute, func() { two["status"] = "available" })
		all.Wait()
		check(t, other)
		asked := len(f.requests)
		time.Sleep(time.Hour)
		if len(f.requests) != asked {
			t.Error("it goes on asking although nobody waits")
		}
	})
}

func TestOneWhoComesLaterDoesNotWaitAsLongAsTheOthersHaveLearnedTo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.addImage("slow", "pending", nil)
		fast := f.addImage("fast", "available", nil)["id"].(int)
		c := f.client(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = c.WaitForImage(ctx, 1001, time.Hour, nil) }()
		time.Sleep(10*time.Minute + time.Millisecond)
		began := time.Now()
		_, err := c.WaitForImage(t.Context(), fast, time.Hour, nil)
		check(t, err)
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("took %s", took)
		}
		cancel()
		synctest.Wait()
	})
}

func TestPhasesTellTheStatusAsItChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		image := f.addImage("snowdrop-web-x", "NEW", nil)
		f.later(time.Minute, func() { image["status"] = "pending" })
		f.later(2*time.Minute, func() { image["status"] = "available" })
		var phases []string
		got, err := f.client(t, nil).WaitForImage(t.Context(), 1001, time.Hour, func(s string) { phases = append(phases, s) })
		check(t, err)
		want := []string{"waiting for custom image 1001 (new)", "waiting for custom image 1001 (pending)"}
		if diff := cmp.Diff(want, phases); diff != "" || !got.Available() {
			t.Errorf("%s%+v", diff, got)
		}
	})
}

func TestTheTokenIsSentAndNothingElseIsTold(t *testing.T) {
	t.Parallel()
	f := newFake()
	var sent http.Header
	f.faults = append(f.faults, func(r *http.Request) *fault { sent = r.Header; return nil })
	_, err := f.client(t, nil).Account(t.Context())
	check(t, err)
	if sent.Get("Authorization") != "Bearer dop_v1_secret" || !strings.HasPrefix(sent.Get("User-Agent"), "snowdrop/test ") {
		t.Errorf("sent %v", sent)
	}
}

// check2 is check for goroutines that are not the test's own.
func check2(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}
