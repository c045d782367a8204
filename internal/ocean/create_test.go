package ocean_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/contract"
	"github.com/versatus/snowdrop/internal/ocean"
)

const (
	dropletsPath = "/v2/droplets"
	pullTag      = "snowdrop:preview:pr-7"
	fleetTag     = "snowdrop:fleet:acme"
)

func wanted() ocean.CreateRequest {
	return ocean.CreateRequest{
		Name: "preview-pr-7-web", Region: "nyc3", Size: "s-1vcpu-1gb", ImageID: 12,
		SSHKeys: []string{fingerprint}, Tags: []string{pullTag, fleetTag},
	}
}

func TestTheLifeOfADropletFitsDigitalOceansDescription(t *testing.T) {
	t.Parallel()
	description, err := contract.Load(contract.SpecFile(t, "digitalocean.json"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		c := f.client(t, description)
		ctx := t.Context()
		sizes, err := c.Sizes(ctx)
		check(t, err)
		want := []ocean.Size{{Slug: "s-1vcpu-1gb", DiskGB: 25, PriceHourly: 0.00893, PriceMonthly: 6, Regions: []string{"nyc3"}, Available: true}}
		if diff := cmp.Diff(want, sizes); diff != "" {
			t.Error(diff)
		}
		keys, err := c.SSHKeys(ctx)
		check(t, err)
		if diff := cmp.Diff([]string{fingerprint}, keys); diff != "" {
			t.Error(diff)
		}
		droplet, made, err := c.CreateDroplet(ctx, wanted())
		check(t, err)
		if !made || !ocean.Is(droplet.Status, ocean.StatusNew) {
			t.Errorf("made %v: %+v", made, droplet)
		}
		body := f.created[0]
		if diff := cmp.Diff([]any{body["image"], body["ipv6"], body["ssh_keys"]}, []any{12.0, false, []any{fingerprint}}); diff != "" {
			t.Errorf("asked for (-got +want):\n%s", diff)
		}
		f.later(20*time.Second, func() { f.droplets[0]["status"], f.droplets[0]["locked"] = "active", false })
		droplet, err = c.WaitForDroplet(ctx, droplet.ID, time.Minute, nil)
		check(t, err)
		if droplet.IPv4 != "203.0.113.7" || droplet.Locked {
			t.Errorf("waited for %+v", droplet)
		}
		check(t, c.DeleteDroplet(ctx, droplet.ID, pullTag, fleetTag))
		check(t, c.DeleteDroplet(ctx, droplet.ID, pullTag, fleetTag)) // gone is gone
		if len(f.droplets) > 0 {
			t.Errorf("left: %v", f.droplets)
		}
	})
}

func TestADropletIsNeverMadeTwice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault fault
		times int
		sent  int
		there int
		fails bool
	}{
		{"acted on, answer cut off", cutOff(true), 1, 1, 1, false},
		{"acted on, answered 502", fault{status: 502, message: "bad gateway", after: true}, 1, 1, 1, false},
		{"not acted on, 500", answers(500, "oops"), 1, 2, 1, false},
		{"connection refused", refused(), 2, 3, 1, false},
		{"429", answers(429, "slow down"), 1, 2, 1, false},
		{"never acted on", answers(500, "oops"), 99, 3, 0, true},
		{"refused for good", answers(422, "droplet limit exceeded"), 99, 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.addDroplet(1, wanted().Name) // another's, of the same name
				f.fail(tt.times, "POST", dropletsPath, tt.fault)
				droplet, _, err := f.client(t, nil).CreateDroplet(t.Context(), wanted())
				if (err != nil) != tt.fails {
					t.Fatalf("got %v", err)
				}
				if err == nil && droplet.ID != f.droplets[1]["id"] {
					t.Errorf("got %+v", droplet)
				}
				if n := f.count("POST " + dropletsPath); n != tt.sent || len(f.droplets)-1 != tt.there {
					t.Errorf("sent %d times, %d are there; want %d and %d", n, len(f.droplets)-1, tt.sent, tt.there)
				}
			})
		})
	}
}

func TestADropletThatAnEarlierRunMadeIsTaken(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.addDroplet(5, wanted().Name)
	f.droplets[0]["tags"] = []string{fleetTag, pullTag, "and another"}
	droplet, made, err := f.client(t, nil).CreateDroplet(t.Context(), wanted())
	check(t, err)
	if made || droplet.ID != 5 || f.count("POST "+dropletsPath) > 0 {
		t.Errorf("made %v: %+v", made, droplet)
	}
}

func TestADropletWithoutAllOfTheTagsIsNotDeleted(t *testing.T) {
	t.Parallel()
	for name, tags := range map[string][]string{"none": nil, "only one": {pullTag}, "others": {"web", fleetTag}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.addDroplet(5, wanted().Name)
			f.droplets[0]["tags"] = tags
			c := f.client(t, nil)
			for _, asked := range [][]string{{pullTag, fleetTag}, nil} {
				if err := c.DeleteDroplet(t.Context(), 5, asked...); !errors.Is(err, ocean.ErrForeign) {
					t.Errorf("with %q: %v", asked, err)
				}
			}
			if f.count("DELETE /v2/droplets/5") > 0 {
				t.Error("it was deleted")
			}
		})
	}
}

func TestWaitingForADropletEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.addDroplet(5, "preview")
		f.droplets[0]["status"] = "new"
		var phases []string
		_, err := f.client(t, nil).WaitForDroplet(t.Context(), 5, time.Minute, func(s string) { phases = append(phases, s) })
		if !errors.Is(err, ocean.ErrTimeout) || len(phases) == 0 || phases[0] != "waiting for droplet 5 (new)" {
			t.Errorf("got %v after %q", err, phases)
		}
		if _, err := f.client(t, nil).WaitForDroplet(t.Context(), 6, time.Minute, nil); !errors.Is(err, ocean.ErrNotFound) {
			t.Errorf("one that is not there: %v", err)
		}
	})
}
