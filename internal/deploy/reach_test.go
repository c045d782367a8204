package deploy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/knownhosts"
	"github.com/versatus/snowdrop/internal/remote"
)

// TestKnownHostOfAMachine: what is written for ssh is what a deploy would demand.
func TestKnownHostOfAMachine(t *testing.T) {
	t.Parallel()
	recorded, authority := []string{"ssh-ed25519 AAAA"}, []string{"ssh-ed25519 BBBB"}
	names := []string{"web-1", "203.0.113.5"}
	for name, tt := range map[string]struct {
		keys   remote.HostKeys
		port   int
		on     fleet.Provider
		want   knownhosts.Host
		reason string
	}{
		"recorded":                   {keys: remote.HostKeys{Policy: fleet.Rotate, Known: recorded}, want: knownhosts.Host{Names: names, Keys: recorded}},
		"on another port":            {keys: remote.HostKeys{Policy: fleet.Rotate, Known: recorded}, port: 2222, want: knownhosts.Host{Names: []string{"[web-1]:2222", "[203.0.113.5]:2222"}, Keys: recorded}},
		"nothing recorded":           {keys: remote.HostKeys{Policy: fleet.Rotate}, reason: "no host key is recorded: run `snowdrop deploy web`"},
		"nothing recorded of a host": {keys: remote.HostKeys{Policy: fleet.Rotate}, on: fleet.SSHHosts, reason: "no host key is recorded: run `snowdrop switch web`"},
		"rebuilt by us, not seen since": {
			keys: remote.HostKeys{Policy: fleet.Rotate, Known: recorded, AcceptNewSet: true}, reason: "snowdrop verify web",
		},
		"rebuilt by us, pinned": {
			keys: remote.HostKeys{Policy: fleet.Strict, Known: recorded, AcceptNewSet: true}, want: knownhosts.Host{Names: names, Keys: recorded},
		},
		"rebuilt by us, vouched for": {
			keys: remote.HostKeys{Policy: fleet.Rotate, Known: recorded, Authorities: authority, AcceptNewSet: true},
			want: knownhosts.Host{Names: names, Authorities: authority},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := deploy.Machine{Server: "web", Provider: tt.on, Name: "web-1", Target: remote.Target{Name: "web-1", Address: "203.0.113.5", Port: tt.port, Keys: tt.keys}}
			got, reason := m.KnownHost()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (reason == "") != (tt.reason == "") || !strings.Contains(reason, tt.reason) {
				t.Errorf("reason %q, want %q", reason, tt.reason)
			}
		})
	}
}
