package cli_test

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
)

func TestAVirtualMachinesWrongUseIsSaidAllAtOnce(t *testing.T) {
	t.Parallel()
	p := empty(t)
	p.write("snowdrop.yaml", fleetFile)
	for _, c := range []struct {
		args  string
		wants []string
	}{
		{"vm", []string{"name one server"}},
		{"vm web api", []string{"name one server"}},
		{"vm -- -S", []string{"name one server"}},
		{"vm wbe", []string{`"wbe"`, `"web"`}},
		{"vm web --verify --reset", []string{"verify", "reset"}},
		{"vm web --verify --headless", []string{"verify", "headless"}},
		{"vm web --verify --forward 2222:22", []string{"verify", "forward"}},
		{"vm web --files --json", []string{"--files is for --verify alone", "--json is for --verify alone"}},
		{
			"vm web --forward 22 --forward 1:0 --memory much --cores 0 --timeout 0s",
			[]string{`"22"`, `"1:0"`, `"much"`, "--cores: 0", "--timeout: 0s"},
		},
		{"vm web", []string{"servers.web.vm"}}, // its system is no nixosConfiguration's
		{"vm web --verify", []string{"servers.web.vm"}},
	} {
		code, stdout, stderr := p.run(strings.Fields(c.args)...)
		for _, want := range c.wants {
			if code != deploy.ExitUsage || !strings.Contains(stdout+stderr, want) {
				t.Errorf("%s: exit %d, does not say %q:\n%s%s", c.args, code, want, stdout, stderr)
			}
		}
	}
}

// What fails here is Nix, which has no virtual machine: nothing else was asked for.
func TestAVirtualMachineNeedsNoCredentials(t *testing.T) {
	t.Parallel()
	p := empty(t)
	p.write("snowdrop.yaml", strings.Replace(fleetFile, "image: .#web-image", "image: .#web-image\n    vm: .#web-vm", 1))
	for _, args := range [][]string{{"vm", "web"}, {"vm", "web", "--verify"}} {
		code, stdout, stderr := p.run(args...)
		if said := stdout + stderr; code != deploy.ExitFailed || strings.Contains(said, "token") || strings.Contains(said, "SPACES_") {
			t.Errorf("%v: exit %d:\n%s", args, code, said)
		}
	}
}
