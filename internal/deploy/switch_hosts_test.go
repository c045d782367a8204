package deploy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/release"
)

// twoHosts are two hosts of db, with these systems, that are switched side by side.
func twoHosts(t *testing.T, one, two lab.ImageSpec) *scene {
	t.Helper()
	servers := fmt.Sprintf(switchServers, "rollback", "203.0.113.4")
	servers = strings.Replace(servers, "hosts: [{name: db-1, address: 203.0.113.4}]", "hosts: [{name: db-1, address: 203.0.113.4}, {name: db-2, address: 203.0.113.5}]", 1)
	db := strings.Index(servers, "  db:")
	servers = servers[:db] + strings.Replace(servers[db:], "rollout: {", "rollout: {batch: 2, ", 1)
	s := open(t, set{
		servers: servers,
		droplets: []lab.DropletSpec{
			{Name: "web-1"}, {Name: "web-2"}, {Name: "db-1", Image: new(one)}, {Name: "db-2", Image: new(two)},
		},
		images: map[string]lab.ImageSpec{"web": system(web("a"), "a"), "db": system(web("e"), "f")},
		second: time.Second / speed,
	})
	if got := s.State().Droplet("db-2").IPv4(); got != "203.0.113.5" {
		t.Fatalf("db-2 has the address %s", got)
	}
	s.builder.API = s.APIURL()
	return s
}

func TestHostsThatRanDifferentSystemsGoBackToNoOneRelease(t *testing.T) {
	t.Parallel()
	req := deploy.SwitchRequest{Request: deploy.Request{Servers: []string{"db"}}}
	for name, released := range map[string]bool{"never released": false, "released before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := twoHosts(t, system(web("d"), "d"), system(web("g"), "g"))
			if released {
				s.release(first, "db", system(web("e"), "f"))
				if _, err := s.doSwitch(req); err != nil {
					t.Fatalf("%v%s", err, causes(err))
				}
				// Somebody switches one of them with something else.
				s.sh("db-1", "/nix/store/"+strings.Repeat("d", 32)+"-nixos-system-web-25.05/bin/switch-to-configuration switch")
			}
			s.release(second, "db", unreachable("h"))
			if _, err := s.doSwitch(req); deploy.ExitCode(t.Context(), err) != deploy.ExitRolledBack {
				t.Fatalf("ends as %v%s", err, causes(err))
			}
			rec := s.record("db")
			if s.bootNow("db-1").System == s.bootNow("db-2").System {
				t.Fatal("both run one system")
			}
			if rec.Outcome != release.RolledBack || rec.Attempted == nil || rec.Attempted.Revision != second {
				t.Errorf("record: %+v", rec)
			}
			if want := s.bootNow("db-2").System; released && rec.Toplevel != want || !released && rec.Toplevel != "" {
				t.Errorf("the release is %q", rec.Toplevel)
			}
			if !released {
				check(t, s.verifyServers("db"))
			}
		})
	}
}
