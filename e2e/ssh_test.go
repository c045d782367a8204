//go:build linux && e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/remote"
)

// ownSSH is what a person does after a rebuild: the ssh of their own knows none of
// the droplets any more, then all of them, by the records.
func ownSSH(ctx context.Context, t *testing.T, w *world) {
	need(t, "ssh")
	now := w.look(ctx, t)
	dir, err := os.MkdirTemp(w.dir, "ssh-")
	check(t, err)
	known := filepath.Join(dir, "known_hosts")
	config := w.sshConfig(t, dir, known)
	stale := now["api-1"].hostKey
	check(t, os.WriteFile(known, fmt.Appendf(nil, "# mine\ndb-1,%s,elsewhere %s\n", publicAddress(t, w.droplet(t, "db-1")), stale), 0o600))

	if said, exit := w.login(ctx, t, config, "db-1"); exit != 255 || !strings.Contains(said, "IDENTIFICATION HAS CHANGED") {
		t.Fatalf("with the stale key ssh ended with %d: %s", exit, said)
	}
	w.snowdrop(ctx, t, "known-hosts", "--file", known).demand(t, 0, "1 with stale keys", known+".old")
	for name, is := range now {
		if said, exit := w.login(ctx, t, config, name); exit != 0 || strings.TrimSpace(said) != is.boot {
			t.Errorf("%s: ssh ended with %d and said %s; want %s", name, exit, said, is.boot)
		}
	}
	w.snowdrop(ctx, t, "known-hosts", "--file", known).demand(t, 0, "already")
	text, err := os.ReadFile(known)
	check(t, err)
	if !strings.HasPrefix(string(text), "# mine\nelsewhere "+stale+"\n") {
		t.Errorf("what is no droplet's did not stay:\n%s", text)
	}

	for name, machine := range map[string]string{"db": "db-1", "web/web-2": "web-2", "api-1": "api-1"} {
		if e := w.snowdrop(ctx, t, "ssh", name, "--", "cat", "/proc/sys/kernel/random/boot_id"); e.exit != 0 || e.text != now[machine].boot+"\n" {
			t.Errorf("snowdrop ssh %s: exit %d, said %q", name, e.exit, e.text)
		}
	}
	w.snowdrop(ctx, t, "ssh", "db", "--", "exit 42").demand(t, 42)
	w.snowdrop(ctx, t, "ssh", "web").demand(t, 2, "web/web-1", "web/web-2")
}

// sshConfig is a person's own configuration: their key, their jump host.
func (w *world) sshConfig(t *testing.T, dir, known string) string {
	t.Helper()
	key := filepath.Join(dir, "key")
	check(t, os.WriteFile(key, []byte(w.lab.Getenv(remote.EnvPrivateKey)), 0o600))
	user, address, ok := strings.Cut(w.lab.Jump(), "@")
	host, port, err := net.SplitHostPort(address)
	if !ok || err != nil {
		t.Fatalf("the jump host is %s: %v", w.lab.Jump(), err)
	}
	config := filepath.Join(dir, "config")
	check(t, os.WriteFile(config, fmt.Appendf(nil, `Host jump
  HostName %s
  Port %s
  User %s
  UserKnownHostsFile %s/jump
  StrictHostKeyChecking accept-new
Host * !jump
  ProxyJump jump
  User root
  UserKnownHostsFile %s
  StrictHostKeyChecking yes
Host *
  GlobalKnownHostsFile none
  IdentityFile %s
  IdentitiesOnly yes
  BatchMode yes
`, host, port, user, dir, known, key), 0o600))
	return config
}

// login asks a droplet for its boot by its address, with OpenSSH's own program.
func (w *world) login(ctx context.Context, t *testing.T, config, name string) (said string, exit int) {
	t.Helper()
	cmd := exec.CommandContext(ctx, "ssh", "-F", config, publicAddress(t, w.droplet(t, name)), "cat /proc/sys/kernel/random/boot_id")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return string(out) + errs.String(), failed.ExitCode()
	}
	check(t, err)
	return string(out), 0
}
