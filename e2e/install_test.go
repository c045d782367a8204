//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The fleet of an installation: web-1 first as a droplet, to have a system like
// NixOS on it, then the same machine as a host that only SSH reaches.
const (
	beforeInstall = `flake: .
space: {bucket: ` + bucket + `, region: ` + region + `, prefix: ` + prefix + `}
nix:
  options: {sandbox: "false", build-users-group: "", substituters: ""}
defaults:
  verify: {soak: 1s, timeout: 60s}
servers:
  web:
` + asDroplet + `    verify: {units: [web.service]}
`
	asDroplet = "    droplets: {names: [web-1]}\n"
	asHost    = "    provider: ssh\n    hosts: [{name: rack-1, address: %s}]\n    files: [{path: /var/lib/key, from: {env: API_KEY}}]\n"
)

// standIn does over SSH what nixos-anywhere does, with its own calls of ssh and
// ssh-copy-id, which switch the checking of host keys off. In place of a kexec, of
// disko and of an installation it gives the machine new host keys and reboots it.
// %[1]s is a folder for what it was called with, %[2]s what it does when it has
// logged in.
const standIn = `#!/usr/bin/env bash
set -euo pipefail
printf '%%s\0' "$@" > %[1]s/args
if [ -n "${SSH_PRIVATE_KEY-}${DIGITALOCEAN_ACCESS_TOKEN-}${SPACES_SECRET_ACCESS_KEY-}${API_KEY-}" ]; then
  echo 'aborted: it was given secrets' >&2; exit 1
fi
while [ $# -gt 0 ]; do
  case $1 in
  --target-host) host=$2; shift ;;
  --ssh-port) port=$2; shift ;;
  esac
  shift
done
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
args=(-o IdentitiesOnly=yes -i "$temp/nixos-anywhere" -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -p "$port")
mkdir -p "$HOME/.ssh"
ssh-keygen -q -t ed25519 -f "$temp/nixos-anywhere" -P '' -C nixos-anywhere
user=$(ssh "${args[@]}" -G "$host" | awk '/^user / { print $2 }')
echo '### Uploading install SSH keys ###'
until ssh-copy-id -o IdentitiesOnly=no -o ConnectTimeout=10 "${args[@]}" "$host"; do sleep 1; done
echo '### Gathering machine facts ###'
[ "$(ssh -T "${args[@]}" "$host" whoami)" = "$user" ]
%[2]s
echo '### Formatting hard drive with disko ###'
ssh -T "${args[@]}" "root@${host#*@}" true
tar -C / -cpf- etc/hostname | ssh -T "${args[@]}" "$host" 'tar -C /tmp -xf- --no-same-owner'
echo '### Installing NixOS ###'
echo '### Rebooting ###'
ssh -T "${args[@]}" "$host" sh <<'SSH'
nohup sh -c 'sleep 2; rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl reboot --no-block' >/dev/null 2>&1 &
SSH
echo '### Waiting for the machine to become unreachable due to reboot ###'
while timeout 10 ssh "${args[@]}" "$host" -- exit 0; do sleep 1; done
echo '### Done! ###'
`

// anotherKey makes the machine show another host key from now on, as a machine in
// between would.
const anotherKey = `
ssh -T "${args[@]}" "$host" 'rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh'
echo '### Switching system into kexec ###'
until ssh -T -o ConnectTimeout=10 "${args[@]}" "$host" -- exit 0; do sleep 1; done
`

// TestInstall puts "NixOS" on a host. Each part goes on from where the one before
// it ended, so a failure ends it all.
func TestInstall(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t, beforeInstall, "ssh", "ssh-copy-id", "script")
	t.Cleanup(func() { w.project.forget(t) })
	w.project.release(ctx, t, 1)
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	address := publicAddress(t, w.droplet(t, "web-1"))
	hosts := strings.Replace(beforeInstall, asDroplet, fmt.Sprintf(asHost, address), 1)
	w.project.write(t, "snowdrop.yaml", strings.Replace(hosts, "prefix: "+prefix, "prefix: rack", 1)) // nothing is known of it
	w.project.git(ctx, t, "commit", "-q", "-a", "-m", "A rack")
	w.env = slices.DeleteFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "DIGITALOCEAN_ACCESS_TOKEN=") })
	i := &installation{world: w, called: filepath.Join(w.dir, "called")}
	check(t, os.Mkdir(i.called, 0o700))
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T)
	}{
		{"a host that cannot be installed is told all that is wrong with it", i.refused},
		{"the checks see the real disks, and a dry run shows what would be run", i.shown},
		{"another name than the host's is typed, and nothing is done", i.mistyped},
		{"a host whose key changes on the way gets nothing", i.impostor},
		{"the name is typed, and the host is installed, verified and recorded", i.installed},
		{"it is a server like any other, without images", i.likeAnyOther},
		{"it is not wiped again by a habit", i.habit},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t) }) {
			t.FailNow()
		}
	}
}

type installation struct {
	*world
	called  string
	hostKey string
}

// program writes the stand-in.
func (i *installation) program(t *testing.T, between string) string {
	t.Helper()
	path := filepath.Join(i.dir, "nixos-anywhere")
	check(t, os.WriteFile(path, fmt.Appendf(nil, standIn, i.called, between), 0o700))
	return path
}

// args are what the stand-in was called with; nil if it was not.
func (i *installation) args(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(i.called, "args"))
	if os.IsNotExist(err) {
		return nil
	}
	check(t, err)
	check(t, os.Remove(filepath.Join(i.called, "args")))
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

func (i *installation) command(t *testing.T, more ...string) []string {
	t.Helper()
	return slices.Concat([]string{"install", "rack-1", "--phases", "disko,install,reboot", "--nixos-anywhere", i.program(t, "")}, more)
}

func (i *installation) refused(ctx context.Context, t *testing.T) {
	run := i.snowdrop(ctx, t, "install", "rack-1", "--yes", "--nixos-anywhere", i.program(t, ""))
	t.Logf("what a person sees:\n%s", run.text)
	run.demand(t, 1, "it is a container (systemd-nspawn)", "cpio", "it has no /dev/no-such-disk", "nothing was changed on host rack-1")
	if args := i.args(t); args != nil {
		t.Errorf("nixos-anywhere was run: %q", args)
	}
}

func (i *installation) shown(ctx context.Context, t *testing.T) {
	// A machine that a NixOS installer runs on, and that has the disk.
	i.on(ctx, t, "web-1", `printf '#!/bin/sh\necho none\nexit 1\n' > /usr/local/bin/systemd-detect-virt
chmod +x /usr/local/bin/systemd-detect-virt
cp --remove-destination "$(readlink -f /etc/os-release)" /etc/os-release.former
printf 'ID=nixos\nVARIANT_ID=installer\nPRETTY_NAME="NixOS 25.05 (Warbler)"\n' > /etc/os-release.new
mv /etc/os-release.new /etc/os-release
touch /dev/no-such-disk`)
	run := i.snowdrop(ctx, t, i.command(t, "--dry-run")...)
	t.Logf("what a person sees:\n%s", run.text)
	run.demand(t, 0, "NixOS 25.05 (Warbler)", "/dev/no-such-disk", "--target-host root@rack-1.invalid", "first contact")
	if args := i.args(t); args != nil {
		t.Errorf("nixos-anywhere was run: %q", args)
	}
}

// typing runs the program at a terminal, and types a line when it is asked for the
// host's name.
func (i *installation) typing(ctx context.Context, t *testing.T, line string, args ...string) ended {
	t.Helper()
	r := &running{args: args, since: time.Now()}
	r.cmd = exec.CommandContext(ctx, "script", "-qefc", i.world.program+" "+strings.Join(args, " "), "/dev/null")
	r.cmd.Dir, r.cmd.Env = i.project.dir, append(i.env, "TERM=dumb", "SHELL=/bin/sh")
	both := &lockedWriter{to: &r.text}
	r.cmd.Stdout, r.cmd.Stderr = both, both
	in, err := r.cmd.StdinPipe()
	check(t, err)
	check(t, r.cmd.Start())
	until(ctx, t, "it asks for the name", func() error {
		both.mu.Lock()
		defer both.mu.Unlock()
		if text := r.text.String(); !strings.Contains(text, "Type the host's name, rack-1, to go on:") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	_, err = fmt.Fprintln(in, line)
	check(t, err)
	return r.wait(t)
}

func (i *installation) mistyped(ctx context.Context, t *testing.T) {
	i.snowdrop(ctx, t, i.command(t)...).demand(t, 2, "There is no terminal to ask at: add --yes")
	for _, line := range []string{"rack-2", "y", ""} {
		i.typing(ctx, t, line, i.command(t)...).demand(t, 1, "nothing was changed")
	}
	if args := i.args(t); args != nil {
		t.Errorf("nixos-anywhere was run: %q", args)
	}
}

func (i *installation) impostor(ctx context.Context, t *testing.T) {
	command := i.command(t, "--yes")
	i.program(t, anotherKey)
	run := i.snowdrop(ctx, t, command...)
	t.Logf("what a person sees:\n%s", tail(run.text, 30))
	run.demand(t, 1, "Host key verification failed", "shows host keys other than those of its former system", "The disks of rack-1 are as they were")
	i.args(t)
	i.snowdrop(ctx, t, "status", "web").demand(t, 0, "not released")
}

func (i *installation) installed(ctx context.Context, t *testing.T) {
	extra := filepath.Join(i.dir, "extra files")
	check(t, os.MkdirAll(extra, 0o700))
	_, former := i.on(ctx, t, "web-1", "true")
	boot, _ := i.on(ctx, t, "web-1", "cat /proc/sys/kernel/random/boot_id")
	run := i.typing(ctx, t, "rack-1", i.command(t, "--extra-files", "'"+extra+"'", "--build-on", "local")...)
	t.Logf("what a person sees at the end:\n%s", tail(run.text, 40))
	run.demand(t, 0, "verified")
	want := []string{
		"--flake", ".#web", "--target-host", "root@rack-1.invalid", "--ssh-port", "22", "--phases", "disko,install,reboot", "--build-on", "local",
		"--extra-files", extra, "--option", "build-users-group", "", "--option", "sandbox", "false", "--option", "substituters", "",
	}
	if diff := cmp.Diff(want, i.args(t)); diff != "" {
		t.Errorf("its arguments: %s", diff)
	}
	now, key := i.on(ctx, t, "web-1", "cat /proc/sys/kernel/random/boot_id")
	if now == boot || key == former {
		t.Errorf("boot %s and key %s are those of before", now, key)
	}
	i.hostKey = key
}

func (i *installation) likeAnyOther(ctx context.Context, t *testing.T) {
	status := i.snowdrop(ctx, t, "status", "web")
	t.Logf("status:\n%s", status.text)
	status.demand(t, 0, "rack-1", "verified")
	i.snowdrop(ctx, t, "verify", "web").demand(t, 0, "verified")
	i.snowdrop(ctx, t, "status", "web", "--json").demand(t, 0, strings.Fields(i.hostKey)[1])
	for _, verb := range []string{"deploy", "build", "plan", "prune", "rebuild", "rollback"} {
		i.snowdrop(ctx, t, verb, "web").demand(t, 2, "provider ssh", "snowdrop switch web")
	}
	i.snowdrop(ctx, t, "deploy", "--yes").demand(t, 2, "no server gets an image")
}

func (i *installation) habit(ctx context.Context, t *testing.T) {
	i.snowdrop(ctx, t, i.command(t, "--yes")...).demand(t, 1, "it is in use", "--reinstall")
	if args := i.args(t); args != nil {
		t.Errorf("nixos-anywhere was run: %q", args)
	}
}
