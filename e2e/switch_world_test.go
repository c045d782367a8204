//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// switchFleet is the fleet that is switched: two machines, one after the other, that
// wait for a few seconds to be reached again.
const switchFleet = `flake: .
space: {bucket: ` + bucket + `, region: ` + region + `, prefix: ` + prefix + `}
nix:
  options: {sandbox: "false", build-users-group: "", substituters: ""}
defaults:
  rollout: {on-failure: rollback, confirm-timeout: 6s}
  verify: {soak: 1s, timeout: 60s}
servers:
  web:
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1}
    verify: {units: [web.service]}
`

// What releases change in release.nix.
const (
	packages = `packages = { nginx = "1.26.3"; openssl = "3.4.1"; };`
	start    = `ExecStart=${httpd}/bin/httpd 8080`
)

func machines() []string { return []string{"web-1", "web-2"} }

// nixTree is the Debian with Nix that e2e/run makes.
func nixTree() string {
	if dir := os.Getenv("SNOWDROP_E2E_NIX_TREE"); dir != "" {
		return dir
	}
	return "/var/cache/snowdrop-e2e/trixie-nix"
}

// switchWorld is a world whose images have Nix in them.
type switchWorld struct{ *world }

func newSwitchWorld(ctx context.Context, t *testing.T) *switchWorld {
	t.Helper()
	if _, err := os.Stat(filepath.Join(nixTree(), "usr/bin/nix")); err != nil {
		t.Fatalf("something is missing; e2e/run switch installs it: no Debian tree with Nix: %v", err)
	}
	w := &switchWorld{newWorld(ctx, t, switchFleet, "ssh", "script")}
	t.Cleanup(func() { w.project.forget(t) })
	base, err := os.ReadFile(filepath.Join(w.project.dir, "base.nix"))
	check(t, err)
	w.project.write(t, "base.nix", strings.ReplaceAll(string(base), `"`+tree()+`"`, `"`+nixTree()+`"`))
	w.project.write(t, "deploy.yaml", strings.Replace(switchFleet, "defaults:\n", "defaults:\n  ssh: {user: deploy}\n", 1))
	return w
}

// machine is what a machine says of itself.
type machine struct {
	seen
	// boots is what the profile names, unit what web.service calls itself, switching
	// whether a switch is under way.
	boots, unit, switching string
}

func (w *switchWorld) lookAt(ctx context.Context, t *testing.T) map[string]machine {
	t.Helper()
	all := map[string]machine{}
	for _, name := range machines() {
		out, key := w.on(ctx, t, name, `cat /proc/sys/kernel/random/boot_id
readlink -f /run/current-system /nix/var/nix/profiles/system
systemctl show --value -p Description web.service
systemctl is-active snowdrop-switch || true`)
		lines := strings.Split(out, "\n")
		if len(lines) != 5 {
			t.Fatalf("%s says %q", name, lines)
		}
		all[name] = machine{seen{lines[0], lines[1], key}, lines[2], lines[3], lines[4]}
	}
	return all
}

// all demands that both machines run a release, and boot it.
func (w *switchWorld) all(ctx context.Context, t *testing.T, unit string) map[string]machine {
	t.Helper()
	all := w.lookAt(ctx, t)
	for name, m := range all {
		if m.unit != unit || m.boots != m.system || m.switching != "inactive" {
			t.Errorf("%s is not at %q: %+v", name, unit, m)
		}
	}
	return all
}

// switches is how often a machine began to activate a system since it booted.
func (w *switchWorld) switches(ctx context.Context, t *testing.T, name string) string {
	t.Helper()
	count, _ := w.on(ctx, t, name, "journalctl -b -u snowdrop-switch -o cat | grep -c 'the former system is' || true")
	return count
}

// typing runs the program at a terminal, and types a line when it is asked for a
// password.
func (w *switchWorld) typing(ctx context.Context, t *testing.T, line string, args ...string) ended {
	t.Helper()
	r := &running{args: args, since: time.Now()}
	r.cmd = exec.CommandContext(ctx, "script", "-qefc", w.program+" "+strings.Join(args, " "), "/dev/null")
	r.cmd.Dir, r.cmd.Env = w.project.dir, append(w.env, "TERM=dumb", "SHELL=/bin/sh")
	both := &lockedWriter{to: &r.text}
	r.cmd.Stdout, r.cmd.Stderr = both, both
	in, err := r.cmd.StdinPipe()
	check(t, err)
	check(t, r.cmd.Start())
	until(ctx, t, "it asks for the password", func() error {
		both.mu.Lock()
		defer both.mu.Unlock()
		if text := r.text.String(); !strings.Contains(text, "Password for sudo") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	_, err = fmt.Fprintln(in, line)
	check(t, err)
	e := r.wait(t)
	if strings.Contains(e.text, line) {
		t.Errorf("the password is shown:\n%s", e.text)
	}
	return e
}

// serveGit serves the project's repository to the machines, as a git host without
// logins, and returns the flake's address.
func (w *switchWorld) serveGit(ctx context.Context, t *testing.T) string {
	t.Helper()
	w.project.git(ctx, t, "update-server-info")
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "0.0.0.0:0")
	check(t, err)
	server := &http.Server{Handler: http.FileServer(http.Dir(filepath.Join(w.project.dir, ".git"))), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { check(t, server.Close()) })
	gateway, _ := w.on(ctx, t, machines()[0], "ip route show default | cut -d ' ' -f 3")
	return fmt.Sprintf("git+http://%s:%d", gateway, listener.Addr().(*net.TCPAddr).Port)
}
