package demo

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/release"
)

// fleetFile is the demo's snowdrop.yaml.
const fleetFile = `space: {bucket: acme-nixos, region: nyc3}
defaults:
  rollout: {on-failure: rollback}
  verify: {soak: 1s, timeout: 20s}
servers:
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1}
    verify:
      units: [nginx.service]
      http: [{url: "http://{{.IPv4}}/healthz"}]
  api:
    image: .#api-image
    system: .#api-toplevel
    droplets: {names: [api-1]}
    files:
      - {path: /var/lib/api/key, from: {env: API_KEY}, restart: [api.service]}
    verify: {units: [api.service]}
  db:
    image: .#db-image
    system: .#db-toplevel
    droplets: {names: [db-1]}
    verify: {units: [postgresql.service], tcp: [22]}
`

func droplets() []lab.DropletSpec {
	return []lab.DropletSpec{
		{Name: "web-1"}, {Name: "web-2"}, {Name: "api-1"}, {Name: "db-1", Volumes: []string{"db-data"}},
	}
}

// acts are the parts of the demo, in their order.
func acts() []act {
	first := map[string]lab.ImageSpec{
		"web": {
			Units: map[string]string{"nginx.service": "active"},
			HTTP:  map[string]lab.Answer{"/healthz": {Status: 200, Body: "ok", Unit: "nginx.service"}},
		},
		"api": {
			Units: map[string]string{"api.service": "active"},
			Needs: disk.Needs{{Unit: "api.service", Path: "/var/lib/api/key"}},
		},
		"db": {Units: map[string]string{"postgresql.service": "active"}, SizeMiB: 24},
	}
	broken := maps.Clone(first)
	broken["web"] = lab.ImageSpec{
		Units: map[string]string{"nginx.service": "failed"},
		Boot:  disk.BootFailedUnit,
		Failed: []release.Unit{{
			Name: "nginx.service", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1,
			Journal: []string{
				`nginx: [emerg] unknown directive "listn" in /etc/nginx/nginx.conf:14`,
				"nginx.service: Control process exited, code=exited, status=1/FAILURE",
				"Failed to start Nginx Web Server.",
			},
		}},
	}
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	return []act{
		{
			title:    "A first release of three servers",
			text:     "Images are built, uploaded and imported side by side; web's two droplets follow one after the other.",
			revision: "5f0c1d2e3b4a59687766554433221100ffeeddcc", at: monday, servers: first,
			check: allOf(event.Verified),
		},
		{
			title:    "The same again finds nothing to do",
			text:     "Everything is named by content: no build, no upload, no droplet is touched.",
			revision: "5f0c1d2e3b4a59687766554433221100ffeeddcc", at: monday, servers: first,
			check: allOf(event.Unchanged),
		},
		{
			title:    "A release whose unit fails is found out and rolled back",
			text:     "web's new nginx does not start. The first batch fails, goes back, and the second droplet is never touched.",
			revision: "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334", at: monday.Add(26 * time.Hour), servers: broken,
			check: rolledBack,
		},
	}
}

// allOf demands that every server, and every droplet, ended in one way.
func allOf(want event.Outcome) func(*deploy.Result, error) error {
	return func(r *deploy.Result, err error) error {
		if err != nil {
			return errors.New("it should not have failed")
		}
		if len(r.Servers) != 3 {
			return fmt.Errorf("%d servers instead of 3", len(r.Servers))
		}
		for _, s := range r.Servers {
			if s.Outcome != want {
				return fmt.Errorf("server %s is %s instead of %s", s.Server, s.Outcome, want)
			}
			for _, d := range s.Droplets {
				if d.Outcome != want {
					return fmt.Errorf("droplet %s is %s instead of %s", d.Droplet.Name, d.Outcome, want)
				}
			}
		}
		return nil
	}
}

// rolledBack demands that web failed and went back, and nothing else was touched.
func rolledBack(r *deploy.Result, err error) error {
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || !failed.RolledBack() {
		return errors.New("it should have failed and been rolled back")
	}
	want := map[string]event.Outcome{
		"web-1": event.RolledBack, "web-2": event.Untouched, "api-1": event.Unchanged, "db-1": event.Unchanged,
	}
	for _, s := range r.Servers {
		for _, d := range s.Droplets {
			if d.Outcome != want[d.Droplet.Name] {
				return fmt.Errorf("droplet %s is %s instead of %s", d.Droplet.Name, d.Outcome, want[d.Droplet.Name])
			}
		}
	}
	return nil
}
