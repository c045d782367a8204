package deploy

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
)

func TestTheTagOfAFleetTellsItFromOthers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("folder/", 60)
	spaces := map[string]fleet.Space{
		"snowdrop:fleet:nyc3:acme":               {Region: "nyc3", Bucket: "acme"},
		"snowdrop:fleet:ams3:acme":               {Region: "ams3", Bucket: "acme"},
		"snowdrop:fleet:nyc3:acme:prod":          {Region: "nyc3", Bucket: "acme", Prefix: "prod/"},
		"snowdrop:fleet:nyc3:acme:prod-eu-":      {Region: "nyc3", Bucket: "acme", Prefix: "prod/eu/"},
		"snowdrop:fleet:nyc3:acme:prod-eu":       {Region: "nyc3", Bucket: "acme", Prefix: "prod-eu/"},
		"snowdrop:fleet:nyc3:acme-nixos-":        {Region: "nyc3", Bucket: "acme.nixos"},
		"snowdrop:fleet:https:--s3-example-org:": {Endpoint: "https://s3.example.org", Bucket: "acme"},
		"snowdrop:fleet:nyc3:acme:folder-":       {Region: "nyc3", Bucket: "acme", Prefix: long},
	}
	seen := map[string]bool{}
	for want, s := range spaces {
		got := fleetTag(s)
		if got != want && !strings.HasPrefix(got, want) || len(got) > 255 || strings.Trim(got, "abcdefghijklmnopqrstuvwxyz0123456789:_-") != "" {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
		if seen[got] {
			t.Errorf("%s is that of two fleets", got)
		}
		seen[got] = true
	}
}

func TestADropletIsAPreviewOnlyWithBothTags(t *testing.T) {
	t.Parallel()
	s := fleet.Space{Region: "nyc3", Bucket: "acme"}
	for _, tt := range []struct {
		tags []string
		want int
	}{
		{nil, 0},
		{[]string{"snowdrop:preview:pr-7"}, 0},
		{[]string{"snowdrop:fleet:nyc3:acme"}, 0},
		{[]string{"snowdrop:preview:pr-7", "snowdrop:fleet:nyc3:acme"}, 7},
		{[]string{"web", "snowdrop:fleet:nyc3:acme", "snowdrop:preview:pr-77"}, 77},
		{[]string{"snowdrop:preview:pr-7", "snowdrop:fleet:nyc3:acme:prod"}, 0},
		{[]string{"snowdrop:preview:pr-7x", "snowdrop:fleet:nyc3:acme"}, 0},
		{[]string{"snowdrop:preview:pr--7", "snowdrop:fleet:nyc3:acme"}, 0},
	} {
		if got := pullOf(s, ocean.Droplet{Tags: tt.tags}); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.tags, got, tt.want)
		}
	}
}

func TestAServerOfAResultTellsItsPullRequest(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]int{
		"preview-pr-7": 7, "preview-pr-7-web": 7, "preview-pr-77-a-b": 77, "web": 0, "preview-pr-": 0, "preview-pr-x-web": 0, "7": 0,
	} {
		if got := PreviewPull(server); got != want {
			t.Errorf("%s: %d, want %d", server, got, want)
		}
	}
}
