package ocean_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/versatus/snowdrop/internal/ocean"
)

const (
	signed = "https://acme.nyc3.digitaloceanspaces.com/images/x/x.qcow2.gz?X-Amz-Signature=5ec3e7"
	create = "POST /v2/images"
)

func request() ocean.ImportRequest {
	return ocean.ImportRequest{Name: "snowdrop-web-x", URL: signed, Region: "nyc3", Tags: ocean.Tags("snowdrop:fleet:nyc3:acme", "web")}
}

func TestAnImportIsNeverAskedForBlindlyTwice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault fault
		times int
		sent  int  // POSTs
		made  int  // images afterwards
		fails bool // in the end
	}{
		{"acted on, answer cut off", cutOff(true), 1, 1, 1, false},
		{"acted on, answered 500", fault{status: 500, message: "oops", after: true}, 1, 1, 1, false},
		{"acted on, answered 503", fault{status: 503, message: "busy", after: true}, 1, 1, 1, false},
		{"not acted on, cut off", cutOff(false), 1, 2, 1, false},
		{"not acted on, 500", answers(500, "oops"), 2, 3, 1, false},
		{"connection refused", refused(), 3, 4, 1, false},
		{"429", answers(429, "slow down"), 2, 3, 1, false},
		{"never acted on", answers(500, "oops"), 99, 3, 0, true},
		{"refused for good", answers(422, "name is too long"), 99, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.fail(tt.times, "POST", "/v2/images", tt.fault)
				image, err := f.client(t, nil).Import(t.Context(), request())
				if (err != nil) != tt.fails {
					t.Fatalf("got %v", err)
				}
				if err == nil && image.ID != f.images[0]["id"] {
					t.Errorf("got image %d, made was %v", image.ID, f.images[0]["id"])
				}
				if n := f.count(create); n != tt.sent || len(f.images) != tt.made {
					t.Errorf("sent %d times, made %d images; want %d and %d", n, len(f.images), tt.sent, tt.made)
				}
			})
		})
	}
}

func TestAnImportThatShowsUpLateIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail(1, "POST", "/v2/images", cutOff(false))
		f.later(2*time.Second, func() { f.addImage("snowdrop-web-x", "NEW", nil) })
		_, err := f.client(t, nil).Import(t.Context(), request())
		check(t, err)
		if f.count(create) != 1 {
			t.Errorf("sent %d times", f.count(create))
		}
	})
}

func TestAFormerImageOfTheNameIsNotTakenForTheNewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		former := f.addImage("snowdrop-web-x", "deleted", nil)["id"]
		f.fail(1, "POST", "/v2/images", cutOff(false))
		image, err := f.client(t, nil).Import(t.Context(), request())
		check(t, err)
		if image.ID == former || f.count(create) != 2 {
			t.Errorf("got %d (former %v) after %d requests", image.ID, former, f.count(create))
		}
	})
}

func TestWhereDoubtCannotBeClearedUpNothingIsSentAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		asked := false
		f.fail(1, "POST", "/v2/images", cutOff(true))
		f.faults = append(f.faults, func(r *http.Request) *fault {
			if r.Method == "GET" && asked {
				return &fault{status: 401, message: "Unable to authenticate you"}
			}
			asked = true
			return nil
		})
		_, err := f.client(t, nil).Import(t.Context(), request())
		if !errors.Is(err, ocean.ErrUnauthorized) || f.count(create) != 1 {
			t.Errorf("got %v after %d requests", err, f.count(create))
		}
	})
}

func TestACancelledImportSaysThatItMayHaveBeenStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		ctx, cancel := context.WithCancelCause(t.Context())
		f.faults = append(f.faults, func(r *http.Request) *fault {
			if r.Method == "POST" {
				cancel(errStop)
				return &fault{err: errStop, after: true}
			}
			return nil
		})
		_, err := f.client(t, nil).Import(ctx, request())
		if err == nil || !strings.Contains(err.Error(), "may have been started") || f.count(create) != 1 {
			t.Errorf("got %v after %d requests", err, f.count(create))
		}
	})
}

func TestTheImageThatAnUnreachableURLLeavesBehindIsDeleted(t *testing.T) {
	t.Parallel()
	f := newFake()
	kept := f.addImage("snowdrop-web-x", "available", nil)["id"]
	f.fail(1, "POST", "/v2/images", fault{status: 400, message: "Your source URL is unreachable: " + signed, after: true})
	_, err := f.client(t, nil).Import(t.Context(), request())
	if err == nil || len(f.images) != 1 || f.images[0]["id"] != kept {
		t.Fatalf("got %v with images %v", err, f.images)
	}
	golden(t, "import-unreachable", err.Error())
}

func TestARefusedImportSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]fault{
		"import-401": answers(401, "Unable to authenticate you"),
		"import-403": answers(403, "You are not authorized to perform this operation"),
		"import-422": answers(422, "Region is not available"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.fail(1, "POST", "/v2/images", what)
			_, err := f.client(t, nil).Import(t.Context(), request())
			if err == nil || strings.Contains(err.Error(), "5ec3e7") {
				t.Fatalf("got %v", err)
			}
			golden(t, name, err.Error())
		})
	}
}
