package fleet

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadReadsTheExampleOfTheDesign(t *testing.T) {
	t.Parallel()
	got, err := Load("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	web := builtin("web")
	web.Image = ".#web-image"
	web.System = ".#nixosConfigurations.web.config.system.build.toplevel"
	web.VM = ".#nixosConfigurations.web.config.system.build.vm"
	web.Droplets = Droplets{Names: []string{"web-1", "web-2"}}
	web.Cycle = "nightly"
	web.Files = []File{{
		Path: "/var/lib/sops/key.txt", From: Source{Env: "WEB_AGE_KEY"}, Mode: "0400", Owner: "root",
		Restart: []string{"sops-install.service"},
	}}
	web.Rollout.OnFailure = Rollback
	web.Verify = Verify{
		Units:       []string{"nginx.service"},
		UserUnits:   map[string][]string{"deploy": {"node-start.service"}},
		AllowFailed: []string{"systemd-networkd-wait-online.service"},
		HTTP:        []HTTPCheck{{URL: "http://{{.IPv4}}/healthz", Status: 200}},
		TCP:         []int{22, 443},
		Run:         []string{"curl -fsS localhost:9292/health"},
		Soak:        Duration(10 * time.Second),
		Timeout:     Duration(10 * time.Minute),
	}
	want := &Fleet{
		Path:     "testdata/example.yaml",
		Flake:    ".",
		Space:    Space{Bucket: "acme-nixos", Region: "nyc3", Delivery: Presigned, ImportTimeout: Duration(time.Hour)},
		Defaults: Server{Keep: 3, SSH: SSH{User: "root"}},
		Servers:  map[string]Server{"web": web},
		Cycles:   map[string]Cycle{"nightly": {Cron: "0 3 * * *"}, "bi-weekly": {Cron: "0 3 1,15 * *"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
