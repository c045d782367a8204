package cli_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
)

// commitSystem makes a release the one that is checked out whose system has a path
// as on a machine.
func (p *place) commitSystem(digit string, image lab.ImageSpec) {
	p.t.Helper()
	image.System = "/nix/store/" + strings.Repeat(digit, 32) + "-nixos-system-web-25.05"
	data, err := json.Marshal(lab.Builder{
		Servers: map[string]lab.ImageSpec{"web": image}, Revision: strings.Repeat(digit, 40), API: p.lab.APIURL(),
		At: time.Date(2026, 3, int(digit[0]-'0'), 9, 0, 0, 0, time.UTC),
	})
	check(p.t, err)
	p.write("lab.json", string(data))
}

func TestSwitchFromTheTerminal(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.commitSystem("1", web(""))
	p.want(deploy.ExitDone, "deploy", "--yes")
	p.commitSystem("2", web("next"))
	hasAll(t, p.want(deploy.ExitDone, "switch", "web", "--dry-run"), "would", "/nix/store/2222")
	hasAll(t, p.want(deploy.ExitDone, "switch", "web", "--dry-activate"), "would restart the following units: nginx.service", "snowdrop switch web")
	hasAll(t, p.want(deploy.ExitDone, "switch", "web"), "copy", "activate", "verified", "runs system 22222222, verified", "SYSTEM")
	hasAll(t, p.want(deploy.ExitDone, "status"), "switched, ", "switched by hand at 2222222 on ", "the next deploy replaces it")
	hasAll(t, p.want(deploy.ExitDone, "status", "--json"), `"switched": {`, `"verb": "switch"`)
	hasAll(t, p.want(deploy.ExitDone, "verify", "web"), "runs system 22222222, verified")
	hasAll(t, p.want(deploy.ExitUsage, "rebuild", "web"), "will be wiped", "\n                 switched by hand at 2222222 on ")
	hasAll(t, p.want(deploy.ExitDone, "plan"), "switched by hand at 2222222 on ")
	hasAll(t, p.want(deploy.ExitDone, "switch", "web", "--json", "--test"), `"kind":"run.finished"`, `"system":"/nix/store/2222`)

	broken := web("broken")
	p.commitSystem("3", broken)
	hasAll(t, p.want(deploy.ExitRolledBack, "switch", "web"), "nginx.service", "goes back to /nix/store/2222", "runs system 22222222 again, verified")
	locked := web("locked")
	locked.Boot = "never"
	p.commitSystem("4", locked)
	hasAll(t, p.want(deploy.ExitRolledBack, "switch", "web", "--confirm-timeout", "1s"), "the new system was activated", "it went back")
	p.commitSystem("1", web(""))
	hasAll(t, p.want(deploy.ExitFailed, "switch", "web"), "newer", "--force")
	hasAll(t, p.want(deploy.ExitDone, "switch", "web", "--force", "--use-remote-sudo", "--fast"), "--sudo", "leave it out")
}

func TestWrongUseOfSwitchEndsWith2(t *testing.T) {
	t.Parallel()
	p := acme(t)
	for name, tc := range map[string]struct {
		args []string
		says []string
	}{
		"no server":            {[]string{"switch"}, []string{"name the servers"}},
		"two verbs":            {[]string{"switch", "web", "--boot", "--test"}, []string{"boot", "test"}},
		"no terminal":          {[]string{"switch", "web", "--ask-sudo-password"}, []string{"no terminal", "wheelNeedsPassword"}},
		"too short":            {[]string{"switch", "web", "--confirm-timeout", "10ms"}, []string{"less than a second"}},
		"a flake for nothing":  {[]string{"switch", "web", "--flake", "github:acme/infra"}, []string{"--on-server"}},
		"two places to build":  {[]string{"switch", "web", "--on-server", "--build-host", "builder"}, []string{"on-server", "build-host"}},
		"no origin":            {[]string{"switch", "web", "--on-server"}, []string{"git origin", "--flake"}},
		"no such build host":   {[]string{"switch", "web", "--build-host", "builder:22"}, []string{"~/.ssh/config"}},
		"an option as a build": {[]string{"switch", "web", "--build-host=-oProxyCommand=x"}, []string{"HOST or USER@HOST"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &place{t: t, dir: p.dir, env: p.env}
			hasAll(t, p.want(deploy.ExitUsage, tc.args...), tc.says...)
		})
	}
}

func TestOnServerNamesTheGitOriginAsNixDoes(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git")
	}
	p := acme(t)
	p.commitSystem("1", web(""))
	git := func(args ...string) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", p.dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	git("init", "-q")
	for origin, want := range map[string]string{
		"git@github.com:acme/infra.git":    "git+ssh://git@github.com/acme/infra.git?rev=1111",
		"https://github.com/acme/infra":    "git+https://github.com/acme/infra?rev=1111",
		"ssh://git@example.com:2222/infra": "git+ssh://git@example.com:2222/infra?rev=1111",
	} {
		git("remote", "add", "origin", origin)
		// The droplet is no machine with a nix: it says so, and what it was to build.
		hasAll(t, p.want(deploy.ExitFailed, "switch", "web", "--on-server"), want, "web-toplevel", "nothing was activated")
		git("remote", "remove", "origin")
	}
	git("remote", "add", "origin", "/srv/git/infra")
	hasAll(t, p.want(deploy.ExitUsage, "switch", "web", "--on-server"), "a folder of this machine")
	hasAll(t, p.want(deploy.ExitFailed, "switch", "web", "--on-server", "--flake", "github:acme/infra"), "github:acme/infra?rev=1111")
}

func TestSwitchOfWhatWasNeverDeployed(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.commitSystem("1", web(""))
	hasAll(t, p.want(deploy.ExitFailed, "switch", "web"), "does not run NixOS", "snowdrop deploy")
	hasAll(t, p.want(deploy.ExitDone, "status", "--json"), `"outcome": "not-released"`)
	if status := p.want(deploy.ExitDone, "status", "--server", "web"); !strings.Contains(status, "not released") || !strings.Contains(status, "never ") || strings.Contains(status, "drift") {
		t.Errorf("after a switch that changed nothing: %s", status)
	}

	other := web("other")
	other.System = "/nix/store/" + strings.Repeat("0", 32) + "-nixos-system-web-25.05"
	_, err := p.lab.AddDroplet(t.Context(), lab.DropletSpec{Name: "web-9", Image: &other})
	check(t, err)
	p.write("snowdrop.yaml", strings.ReplaceAll(fleetFile, "web-1", "web-9"))
	p.want(deploy.ExitDone, "switch", "web")
	hasAll(t, p.want(deploy.ExitDone, "status"), "not released", "switched by hand at 1111111")
	hasAll(t, p.want(deploy.ExitDone, "deploy", "--yes"), "web/web-9 is rebuilt: switched by hand at 1111111")
	if status := p.want(deploy.ExitDone, "status"); strings.Contains(status, "switched") {
		t.Errorf("after the deploy: %s", status)
	}
}
