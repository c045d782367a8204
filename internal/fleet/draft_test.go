package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDraftMatchesServersWithDroplets(t *testing.T) {
	t.Parallel()
	tests := map[string]DraftInput{
		"names-and-numbers": {
			Flake:          ".",
			Configurations: []string{"web", "db", "laptop"},
			Images:         []string{"packages.x86_64-linux.web-image", "packages.aarch64-linux.web-image"},
			Droplets: []DraftDroplet{
				{Name: "web-10", Region: "fra1"},
				{Name: "web-2", Region: "fra1"},
				{Name: "web-1", Region: "ams3"},
				{Name: "db.example.org", Region: "fra1"},
				{Name: "mail", Region: "fra1", Image: "Debian 12"},
			},
			Bucket: "acme-nixos",
		},
		"tags-and-images": {
			Flake:          "github:acme/infra#ignored",
			Configurations: []string{"web", "Build.Host"},
			Images:         []string{"packages.x86_64-linux.lasr_nightly_image"},
			Droplets: []DraftDroplet{
				{Name: "blue", Tags: []string{"production", "web"}, Region: "nyc1"},
				{Name: "green", Tags: []string{"web"}, Region: "nyc1"},
				{Name: "node", Image: "lasr_nightly 2024-05"},
			},
			Region: "sfo3",
		},
		"tag-shared-with-another-server": {
			Configurations: []string{"web", "db"},
			Droplets: []DraftDroplet{
				{Name: "db", Tags: []string{"web"}},
				{Name: "front", Tags: []string{"web"}},
			},
		},
		"no-droplets":    {Configurations: []string{"web", "db"}, Images: []string{"packages.x86_64-linux.image"}},
		"only-one-image": {Configurations: []string{"web"}, Images: []string{"packages.x86_64-linux.image"}},
		"nothing":        {},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, matches := Draft(in)
			if _, err := Parse("snowdrop.yaml", data); err != nil {
				t.Errorf("Parse refuses it: %v", err)
			}
			var b strings.Builder
			for _, m := range matches {
				b.WriteString("# " + m.String() + "\n")
			}
			golden(t, "testdata/draft/"+name+".golden", b.String()+"\n"+string(data))
		})
	}
}

func TestDraftGivesADropletToTheServerWithTheLongerName(t *testing.T) {
	t.Parallel()
	_, matches := Draft(DraftInput{
		Configurations: []string{"web", "web-api"},
		Droplets:       []DraftDroplet{{Name: "x", Image: "web-api 25.05"}, {Name: "web"}},
	})
	got := map[string][]string{}
	for _, m := range matches {
		got[m.Server] = m.Droplets
	}
	if diff := cmp.Diff(map[string][]string{"web": {"web"}, "web-api": {"x"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzDraftIsAcceptedByParse(f *testing.F) {
	f.Add(".", "web", "packages.x86_64-linux.web-image", "web-1", "web", "acme", "nyc3")
	f.Add("git+ssh://x/y?ref=a b", "true", "packages.x86_64-linux.a\"b", "1e3", "null", "-", "NYC")
	f.Add("#", "a.b\n#", "image", "web\n", "a: b", "", "1e3")
	f.Add("path:/a\\b: ", "ÄÖ", "packages..", "x", "*a", "a\x00b", "\xff")
	f.Fuzz(func(t *testing.T, flake, configuration, image, droplet, tag, bucket, region string) {
		in := DraftInput{
			Flake: flake, Configurations: []string{configuration, "web"}, Images: []string{image, image + "2"},
			Droplets: []DraftDroplet{
				{Name: droplet, Tags: []string{tag}, Region: region, Image: image},
				{Name: droplet, Tags: []string{configuration}, Region: region, Image: configuration},
				{Name: "other", Tags: []string{tag, configuration}, Image: fmt.Sprint(image, configuration)},
			},
			Bucket: bucket, Region: region,
		}
		data, _ := Draft(in)
		if _, err := Parse("snowdrop.yaml", data); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
	})
}
