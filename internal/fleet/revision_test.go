package fleet_test

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/fleet"
)

const revision = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"

func TestEveryInstallableIsTakenAtTheRevision(t *testing.T) {
	t.Parallel()
	f, err := fleet.Parse("snowdrop.yaml", []byte(`space: {bucket: acme-nixos, region: nyc3}
servers:
  web:
  api: {image: "./hosts?dir=api#api-image"}
`))
	if err != nil {
		t.Fatal(err)
	}
	at, err := f.AtRevision(revision)
	if err != nil {
		t.Fatal(err)
	}
	web, api := at.Servers["web"], at.Servers["api"]
	for _, tt := range []struct{ got, want string }{
		{at.Flake, ".?rev=" + revision},
		{web.Image, ".?rev=" + revision + "#nixosConfigurations.web.config.system.build.digitalOceanImage"},
		{web.System, ".?rev=" + revision + "#nixosConfigurations.web.config.system.build.toplevel"},
		{api.Image, "./hosts?dir=api&rev=" + revision + "#api-image"},
		{api.System, ""},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	if f.Flake != "." || strings.Contains(f.Servers["web"].Image, "rev=") {
		t.Error("the fleet itself was changed")
	}
}

func TestARevisionThatCannotBeTakenIsRefused(t *testing.T) {
	t.Parallel()
	f, err := fleet.Parse("snowdrop.yaml", []byte(`space: {bucket: acme-nixos, region: nyc3}
servers:
  web: {image: "github:acme/infra?rev=`+revision+`#web"}
`))
	if err != nil {
		t.Fatal(err)
	}
	for revision, want := range map[string]string{
		"main":   "full git revision",
		"0a1b2c": "git rev-parse 0a1b2c",
		revision: "names its own",
	} {
		if _, err := f.AtRevision(revision); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("AtRevision(%s) = %v", revision, err)
		}
	}
}
