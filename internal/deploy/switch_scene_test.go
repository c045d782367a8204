package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
	"github.com/versatus/snowdrop/steps/activate"
)

const switchServers = `
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1, on-failure: %s, confirm-timeout: 3m}
    verify: {units: [nginx.service], http: [{url: "http://{{.IPv4}}/healthz"}], soak: 2s, timeout: 10m}
  db:
    provider: ssh
    hosts: [{name: db-1, address: %s}]
    system: .#db-toplevel
    rollout: {on-failure: %[1]s, confirm-timeout: 3m}
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

// unreachable is a release of it after which nobody gets in.
func unreachable(digit string) lab.ImageSpec {
	s := system(web("u"), digit)
	s.Boot = "never"
	return s
}

// reboot resets a droplet, and waits until it answers again.
func (s *scene) reboot(droplet string) {
	s.t.Helper()
	before := s.bootNow(droplet)
	conn, err := s.dialer.Dial(s.t.Context(), remote.Target{
		Name: droplet, Address: s.State().Droplet(droplet).IPv4(), Keys: remote.HostKeys{Policy: fleet.AcceptNew},
	})
	check(s.t, err)
	if _, err := conn.Run(s.t.Context(), "systemctl reboot", nil); !errors.Is(err, remote.ErrLost) { // it may take the connection along
		check(s.t, err)
	}
	_ = conn.Close()
	for {
		conn, err := s.dialer.Dial(s.t.Context(), remote.Target{
			Name: droplet, Address: s.State().Droplet(droplet).IPv4(), Keys: remote.HostKeys{Policy: fleet.AcceptNew},
		})
		if err == nil {
			state, err := systemd.Look(s.t.Context(), conn, systemd.Request{})
			_ = conn.Close()
			if err == nil && state.BootID != before.BootID {
				return
			}
		}
		check(s.t, s.clock.Sleep(s.t.Context(), time.Second))
	}
}

// refusing is a nix that does not get a closure to web-2.
type refusing struct{ *lab.Builder }

func (r refusing) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	if c.To == "web-2" {
		return 0, &nix.CopyError{Path: c.Path, To: c.To, Reason: "cannot add path because it lacks a signature by a trusted key"}
	}
	return r.Builder.Copy(ctx, c, p)
}

// verifyServers verifies servers as their records say.
func (s *scene) verifyServers(names ...string) error {
	s.t.Helper()
	d := s.deployer()
	plan, err := d.PlanVerify(s.t.Context(), deploy.Request{Servers: names})
	check(s.t, err)
	_, err = d.Verify(s.t.Context(), plan)
	if s.failed(err) != nil {
		return fmt.Errorf("%w%s", err, causes(err))
	}
	return nil
}

// warned demands that a warning says something.
func (s *scene) warned(t *testing.T, words string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if w, ok := e.(event.Warning); ok && strings.Contains(w.Text, words) {
			return
		}
	}
	t.Errorf("nobody warned that %s", words)
}

func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// elsewhere is a nix that notes where it built and from where it copied.
type elsewhere struct {
	*lab.Builder
	mu     sync.Mutex
	built  string
	copied nix.Copy
	broken error
}

func (e *elsewhere) RealiseOn(ctx context.Context, ssh nix.SSH, host string, outputs []nix.Output, p nix.Progress) error {
	e.built = host
	if e.broken != nil {
		return e.broken
	}
	return e.Builder.RealiseOn(ctx, ssh, host, outputs, p)
}

func (e *elsewhere) Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error) {
	e.mu.Lock()
	e.copied = c
	e.mu.Unlock()
	return e.Builder.Copy(ctx, c, p)
}
