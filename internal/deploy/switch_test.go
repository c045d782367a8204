package deploy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/steps/activate"
)

const switchServers = `
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1, on-failure: %s, confirm-timeout: 2m}
    verify: {units: [nginx.service], http: [{url: "http://{{.IPv4}}/healthz"}], soak: 2s, timeout: 10m}
  db:
    provider: ssh
    hosts: [{name: db-1, address: %s}]
    system: .#db-toplevel
    rollout: {on-failure: %[1]s, confirm-timeout: 2m}
    verify: {units: [nginx.service], soak: 2s, timeout: 10m}
`

// system is a release whose system lies where a machine's store is.
func system(of lab.ImageSpec, digit string) lab.ImageSpec {
	of.System = "/nix/store/" + strings.Repeat(digit, 32) + "-nixos-system-web-25.05"
	return of
}

// switchable are two droplets of web and a host of db, on which clocks go as fast
// as the deploy's.
func switchable(t *testing.T, onFailure string) *scene {
	t.Helper()
	s := open(t, set{
		servers:  fmt.Sprintf(switchServers, onFailure, "203.0.113.4"),
		droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "web-2"}, {Name: "db-1", Image: new(system(web("d"), "d"))}},
		images:   map[string]lab.ImageSpec{"web": system(web("a"), "a"), "db": system(web("e"), "f")},
		second:   time.Second / speed,
	})
	if got := s.State().Droplet("db-1").IPv4(); got != "203.0.113.4" {
		t.Fatalf("db-1 has the address %s", got)
	}
	s.builder.API = s.APIURL()
	return s
}

// doSwitch plans a switch and carries it out.
func (s *scene) doSwitch(req deploy.SwitchRequest) (*deploy.Result, error) {
	s.t.Helper()
	d := s.deployer()
	plan, err := d.PlanSwitch(s.t.Context(), req)
	if s.failed(err) != nil {
		return nil, err //nolint:wrapcheck // a test
	}
	result, err := d.Switch(s.t.Context(), plan)
	return result, s.failed(err)
}

// switchWeb switches the server web, which must work.
func (s *scene) switchWeb(verb activate.Verb) *deploy.Result {
	s.t.Helper()
	result, err := s.doSwitch(deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"web"}}, Verb: verb})
	if err != nil {
		s.t.Fatalf("switch: %v%s", err, causes(err))
	}
	return result
}

func TestSwitchActivatesAndVerifiesWithoutARebuild(t *testing.T) {
	t.Parallel()
	s := switchable(t, "stop")
	s.mustRun()
	before := s.bootNow("web-1")
	s.release(second, "web", system(web("b"), "b"))
	s.forget()
	result := s.switchWeb("")
	want := map[string]event.Outcome{"web": event.Verified, "web-1": event.Verified, "web-2": event.Verified}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	now := s.bootNow("web-1")
	if now.BootID != before.BootID || now.System == before.System || s.rebuilds("web-1") != 1 || s.posts("") != 0 {
		t.Errorf("before %s in boot %s, now %s in boot %s", before.System, before.BootID, now.System, now.BootID)
	}
	rec := s.record("web")
	known := rec.Droplet(s.State().Droplet("web-1").ID)
	if rec.Revision != first || known.Switched == nil || known.Switched.Revision != second || known.Switched.System != now.System || !known.Evidence.OK() {
		t.Errorf("record: %s, %+v", rec.Revision, known)
	}
}
