package ocean_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/ocean"
)

const gib = 1 << 30

func web(change func(*ocean.Target)) ocean.Target {
	t := ocean.Target{
		Server: "web",
		Droplet: ocean.Droplet{
			ID: 101, Name: "web-1", Status: "active", Region: "nyc3", DiskGB: 25,
			ImageID: 9, ImageType: "custom",
		},
		Image:            ocean.Image{ID: 12, Name: "snowdrop-web-x", Status: "available", Regions: []string{"nyc3"}, MinDiskGB: 20},
		ImageVirtualSize: 20 * gib,
	}
	change(&t)
	return t
}

func TestPreflightNamesEachFaultAndItsFix(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*ocean.Target){
		"ipv6":           func(t *ocean.Target) { t.Droplet.IPv6 = true },
		"locked":         func(t *ocean.Target) { t.Droplet.Locked = true },
		"new":            func(t *ocean.Target) { t.Droplet.Status, t.Droplet.Locked = "new", true },
		"archive":        func(t *ocean.Target) { t.Droplet.Status = "archive" },
		"disk-too-small": func(t *ocean.Target) { t.ImageVirtualSize = 25*gib + 1 },
		"min-disk":       func(t *ocean.Target) { t.ImageVirtualSize, t.Image.MinDiskGB = 0, 26 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := ocean.Preflight([]ocean.Target{web(change)})
			if err == nil {
				t.Fatal("no fault was found")
			}
			golden(t, "preflight-"+name, err.Error())
		})
	}
}

func TestPreflightListsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	err := ocean.Preflight([]ocean.Target{
		web(func(t *ocean.Target) { t.Droplet.IPv6, t.Droplet.Locked, t.ImageVirtualSize = true, true, 60*gib }),
		web(func(t *ocean.Target) { t.Droplet.ID, t.Droplet.Name, t.Droplet.Status = 102, "web-2", "archive" }),
		web(func(t *ocean.Target) { t.Server = "api" }),
	})
	if n := len(ocean.Faults(errors.Join(errors.New("other"), err))); n != 5 {
		t.Errorf("%d faults", n)
	}
	golden(t, "preflight-all", err.Error())
}

func TestPreflightLetsPassWhatWorks(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ocean.Target){
		"as it should be":         func(*ocean.Target) {},
		"disk exactly large":      func(t *ocean.Target) { t.ImageVirtualSize = 25 * gib },
		"no image yet":            func(t *ocean.Target) { t.Image, t.ImageVirtualSize = ocean.Image{}, 0 },
		"image elsewhere":         func(t *ocean.Target) { t.Image.Regions = []string{"ams3"} },
		"powered off":             func(t *ocean.Target) { t.Droplet.Status = "off" },
		"disk not known":          func(t *ocean.Target) { t.Droplet.DiskGB = 0 },
		"never on a custom image": func(t *ocean.Target) { t.Droplet.ImageType = "base" },
	} {
		if err := ocean.Preflight([]ocean.Target{web(change)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCautionsStopNothingAndAreTold(t *testing.T) {
	t.Parallel()
	var lines []string
	for _, c := range ocean.Cautions([]ocean.Target{
		web(func(t *ocean.Target) { t.Droplet.ImageType, t.Droplet.ImageDistribution = "base", "Debian" }),
		web(func(t *ocean.Target) { t.Droplet.ImageType = "snapshot" }),
		web(func(t *ocean.Target) { t.Droplet.Status = "off" }),
		web(func(t *ocean.Target) { t.ImageVirtualSize = 24 * gib }),
		web(func(t *ocean.Target) { t.Droplet.Region = "ams3" }),
	}) {
		lines = append(lines, c.String())
	}
	golden(t, "cautions", strings.Join(lines, "\n"))
}

func TestAnImageElsewhereIsANeedForATransfer(t *testing.T) {
	t.Parallel()
	in := func(server, region string, image ocean.Image) ocean.Target {
		return ocean.Target{Server: server, Droplet: ocean.Droplet{Region: region}, Image: image}
	}
	there := ocean.Image{ID: 12, Regions: []string{"nyc3"}}
	got := ocean.Transfers([]ocean.Target{
		in("web", "nyc3", there), in("web", "ams3", there), in("web", "fra1", there), in("web", "ams3", there),
		in("api", "sfo3", ocean.Image{}), in("api", "nyc3", ocean.Image{}), in("db", "nyc3", there),
	})
	want := []ocean.Transfer{
		{Server: "web", ImageID: 12, Regions: []string{"ams3", "fra1"}},
		{Server: "api", Regions: []string{"nyc3"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	account := []ocean.Droplet{
		{ID: 3, Name: "web-2", Tags: []string{"web"}},
		{ID: 1, Name: "web-1", Tags: []string{"web", "blue"}},
		{ID: 4, Name: "api", Tags: []string{"api"}},
		{ID: 5, Name: "twin"},
		{ID: 6, Name: "twin"},
	}
	tests := []struct {
		name  string
		names []string
		tag   string
		want  []int  // ids
		fails string // golden file
	}{
		{name: "names in the order given", names: []string{"web-2", "api", "web-1", "api"}, want: []int{3, 4, 1}},
		{name: "a tag, sorted by name", tag: "web", want: []int{1, 3}},
		{name: "unknown and ambiguous names", names: []string{"web-3", "web-1", "database", "twin"}, fails: "select-names"},
		{name: "unknown tag", tag: "wbe", fails: "select-tag"},
		{name: "names and tag", names: []string{"api"}, tag: "web", fails: "select-both"},
		{name: "neither", fails: "select-none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ocean.Select(account, tt.names, tt.tag)
			if tt.fails != "" {
				if err == nil {
					t.Fatalf("got %v", got)
				}
				golden(t, tt.fails, ocean.ForServer("web", fmt.Errorf("plan: %w", err)).Error())
				return
			}
			check(t, err)
			var ids []int
			for _, d := range got {
				ids = append(ids, d.ID)
			}
			if diff := cmp.Diff(tt.want, ids); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNamesHoldTheHash(t *testing.T) {
	t.Parallel()
	const hash = "0123456789abcdfghijklmnpqrsvwxyz"
	for _, server := range []string{"web", "web-1", "a_b-c", "0"} {
		if got, ok := ocean.HashOf(ocean.ImageName(server, hash)); !ok || got != hash {
			t.Errorf("%s: got %q, %v", server, got, ok)
		}
	}
	for _, name := range []string{"", "snowdrop-", "snowdrop-web", "snowdrop-" + hash, "other-web-" + hash, "snowdrop-web-" + hash[1:], "snowdrop-web-e" + hash[1:]} {
		if got, ok := ocean.HashOf(name); ok {
			t.Errorf("%q holds %q", name, got)
		}
	}
}

func TestOursNeedsBothTags(t *testing.T) {
	t.Parallel()
	for tags, want := range map[string]bool{
		"": false, "snowdrop": false, "snowdrop:server:web": false, "snowdrop,snowdrop:server:api": false, "x,snowdrop,snowdrop:server:web": true,
	} {
		if got := (ocean.Image{Tags: strings.Split(tags, ",")}).Ours("web"); got != want {
			t.Errorf("%s: %v", tags, got)
		}
	}
	const acme = "snowdrop:fleet:nyc3:acme"
	for tags, want := range map[string]bool{
		"snowdrop,snowdrop:server:web": false, acme: false, "snowdrop,snowdrop:server:web,snowdrop:fleet:nyc3:acme:staging": false,
		strings.Join(ocean.Tags(acme, "web"), ","): true, strings.Join(ocean.Tags(acme, "api"), ","): false,
	} {
		if got := (ocean.Image{Tags: strings.Split(tags, ",")}).MadeFor(acme, "web"); got != want {
			t.Errorf("%s: %v", tags, got)
		}
	}
}
