package ocean_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/ocean"
)

func TestEveryExchangeFitsDigitalOceansDescription(t *testing.T) {
	t.Parallel()
	description, err := contract.Load(contract.SpecFile(t, "digitalocean.json"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.addDroplet(1, "web-1")
		c := f.client(t, description)
		ctx := t.Context()

		image, err := c.Import(ctx, ocean.ImportRequest{Name: "snowdrop-web-x", URL: "https://s/x.qcow2.gz", Region: "nyc3", Tags: ocean.Tags("snowdrop:fleet:nyc3:acme", "web")})
		check(t, err)
		f.later(20*time.Second, func() { f.images[0]["status"], f.images[0]["regions"] = "available", []string{"nyc3"} })
		image, err = c.WaitForImage(ctx, image.ID, time.Minute, nil)
		check(t, err)
		f.later(20*time.Second, func() {
			f.images[0]["regions"] = []string{"nyc3", "ams3"}
			f.actions[0]["status"], f.actions[0]["completed_at"] = "completed", "2026-01-02T03:04:05Z"
		})
		image, err = c.Transfer(ctx, image.ID, []string{"nyc3", "ams3"}, time.Minute, nil)
		check(t, err)
		if !image.In("ams3") {
			t.Errorf("transferred image is in %v", image.Regions)
		}
		action, err := c.Rebuild(ctx, 1, image.ID)
		check(t, err)
		f.later(20*time.Second, func() { f.actions[0]["status"] = "completed" })
		_, err = c.WaitForAction(ctx, action, time.Minute, nil)
		check(t, err)
		_, err = c.Droplets(ctx)
		check(t, err)
		_, err = c.Account(ctx)
		check(t, err)
		check(t, c.DeleteImage(ctx, image.ID))
		for _, r := range c.Probe(ctx) {
			if r.Checked && !r.OK {
				t.Errorf("probe: %s", r)
			}
		}
	})
}

func TestListsAreReadToTheirEndAndHoldOnlyCustomImages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.pageSize = 2
		for i := range 5 {
			f.addImage("image-"+strconv.Itoa(i), "available", []string{"snowdrop"})
			time.Sleep(time.Second)
		}
		f.addImage("a snapshot", "available", nil)["type"] = "snapshot"
		images, err := f.client(t, nil).CustomImages(t.Context())
		check(t, err)
		var names []string
		for _, i := range images {
			names = append(names, i.Name)
		}
		if diff := cmp.Diff([]string{"image-4", "image-3", "image-2", "image-1", "image-0"}, names); diff != "" {
			t.Error(diff)
		}
		if images[0].ErrorMessage != "" {
			t.Errorf("a blank error message was kept: %q", images[0].ErrorMessage)
		}
	})
}

func TestADropletThatSlippedBetweenTwoPagesIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.pageSize = 2
		for i := 1; i <= 4; i++ {
			f.addDroplet(i, "d"+strconv.Itoa(i))
		}
		// The first is deleted after the first page was read: the third moves up.
		f.faults = append(f.faults, func(r *http.Request) *fault {
			if r.URL.Query().Get("page") == "2" && len(f.droplets) == 4 {
				f.droplets = f.droplets[1:]
			}
			return nil
		})
		droplets, err := f.client(t, nil).Droplets(t.Context())
		check(t, err)
		seen := map[int]bool{}
		for _, d := range droplets {
			seen[d.ID] = true
		}
		for id := 2; id <= 4; id++ {
			if !seen[id] {
				t.Errorf("droplet %d was overlooked: %v", id, seen)
			}
		}
	})
}

func TestADropletIsReadWhole(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addDroplet(42, "web-1")
	got, err := f.client(t, nil).Droplets(t.Context())
	check(t, err)
	want := []ocean.Droplet{{
		ID: 42, Name: "web-1", Status: "active", Region: "nyc3", Size: "s-1vcpu-1gb",
		IPv4: "203.0.113.7", PrivateIPv4: "10.0.0.2", IPv6: true, DiskGB: 25,
		ImageID: 7, ImageName: "base", ImageType: "base", ImageDistribution: "Debian",
		Tags: []string{"web"}, Volumes: []string{"v1"}, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadsAreRepeatedUntilTheyAreAnswered(t *testing.T) {
	t.Parallel()
	for name, what := range map[string]fault{
		"500": answers(500, "oops"), "503": answers(503, "busy"), "cut off": cutOff(false), "refused": refused(), "429": answers(429, "slow down"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.fail(3, "GET", "/v2/account", what)
				account, err := f.client(t, nil).Account(t.Context())
				check(t, err)
				if account.Team != "Acme" || f.count("GET /v2/account") != 4 {
					t.Errorf("got %+v after %d requests", account, f.count("GET /v2/account"))
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.fail(1, "GET", "/v2/account", fault{status: 429, message: "burst", header: http.Header{"Retry-After": {"37"}}})
		began := time.Now()
		_, err := f.client(t, nil).Account(t.Context())
		check(t, err)
		if took := time.Since(began); took < 37*time.Second || took > 45*time.Second {
			t.Errorf("asked again after %s, told to wait 37s", took)
		}
	})
}

func TestAnHourThatIsUsedUpIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		reset := time.Now().Add(40 * time.Minute)
		f.fail(9, "GET", "/v2/account", fault{status: 429, message: "API Rate limit exceeded.", header: http.Header{
			"Ratelimit-Limit": {"5000"}, "Ratelimit-Remaining": {"0"}, "Ratelimit-Reset": {strconv.FormatInt(reset.Unix(), 10)},
		}})
		began := time.Now()
		_, err := f.client(t, nil).Account(t.Context())
		if !errors.Is(err, ocean.ErrRateLimited) || !strings.Contains(err.Error(), reset.UTC().Format("15:04")) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("said only after %s", took)
		}
	})
}

func TestRequestsSlowDownAsTheHourIsUsedUp(t *testing.T) {
	t.Parallel()
	pace := func(remaining string) (took time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			f.header = http.Header{
				"Ratelimit-Limit": {"5000"}, "Ratelimit-Remaining": {remaining},
				"Ratelimit-Reset": {strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)},
			}
			c := f.client(t, nil)
			began := time.Now()
			for range 60 {
				_, err := c.Account(t.Context())
				check(t, err)
			}
			took = time.Since(began)
		})
		return took
	}
	if plenty := pace("4000"); plenty > 15*time.Second {
		t.Errorf("60 requests took %s although plenty are left", plenty)
	}
	if scarce := pace("400"); scarce < 5*time.Minute {
		t.Errorf("60 requests took only %s although 400 are left for an hour", scarce)
	}
}

func TestNoMoreThanAMinutesRequestsAreSentInAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := f.client(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for ctx.Err() == nil {
			_, _ = c.Account(ctx)
		}
		if n := f.count("GET /v2/account"); n > 250 || n < 150 {
			t.Errorf("%d requests in a minute", n)
		}
	})
}

func TestRedirectsDoNotCarryTheTokenAway(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.fail(1, "GET", "/v2/account", fault{status: 307, header: http.Header{"Location": {"https://elsewhere.example.com/"}}})
	if _, err := f.client(t, nil).Account(t.Context()); err == nil || len(f.requests) != 1 {
		t.Errorf("got %v after %v", err, f.requests)
	}
}

func TestDeletingWhatIsGoneIsFine(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.fail(1, "DELETE", "/v2/images/9", answers(404, "not there"))
	check(t, f.client(t, nil).DeleteImage(t.Context(), 9))
}

func TestANewClientRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	if _, err := ocean.New(ocean.Config{Token: " \n"}); !errors.Is(err, ocean.ErrUnauthorized) || !strings.Contains(err.Error(), "DIGITALOCEAN_ACCESS_TOKEN") {
		t.Errorf("no token: %v", err)
	}
	if _, err := ocean.New(ocean.Config{Token: "t", BaseURL: "localhost:80"}); err == nil || !strings.Contains(err.Error(), "DIGITALOCEAN_API_URL") {
		t.Errorf("no URL: %v", err)
	}
}

func TestTheProbeTellsScopesApart(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.fail(1, "GET", "/v2/actions", answers(403, "You are not authorized to perform this operation"))
	f.fail(1, "GET", "/v2/droplets", answers(403, "You are not authorized to perform this operation"))
	var lines []string
	for _, r := range f.client(t, nil).Probe(t.Context()) {
		lines = append(lines, r.String())
	}
	golden(t, "probe", strings.Join(lines, "\n"))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
