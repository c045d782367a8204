package lab_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
	"github.com/versatus/snowdrop/steps/provision"
)

func look(t *testing.T, c *remote.Conn, units ...string) systemd.State {
	t.Helper()
	s, err := systemd.Look(t.Context(), c, systemd.Request{Units: units})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// boot rebuilds a lab's droplet web-1 with a spec and connects to it.
func boot(t *testing.T, l *lab.Lab, name string, spec lab.ImageSpec) *remote.Conn {
	t.Helper()
	d := l.State().Droplet("web-1")
	i := importImage(t, l, name, upload(t, l, name+".raw.gz", compressed(t, spec)))
	if a := rebuild(t, l, d.ID, i.ID); a.Status != "completed" {
		t.Fatalf("rebuild ended as %s", a.Status)
	}
	return dial(t, l, d.IPv4(), "root")
}

func TestAnImageBehavesAtBootAsItsMarkerSays(t *testing.T) {
	t.Parallel()
	const unit = "nginx.service"
	for _, tt := range []struct {
		boot disk.Boot
		ok   func(s systemd.State) bool
	}{
		{disk.BootOK, func(s systemd.State) bool { return s.Word == "running" && s.Units[0].Active == "active" }},
		{disk.BootFailedUnit, func(s systemd.State) bool {
			return s.Word == "degraded" && len(s.Failed) == 1 && s.Failed[0].Name == unit && s.Failed[0].ExitStatus == 1 &&
				slices.ContainsFunc(s.Failed[0].Journal, func(l string) bool { return strings.Contains(l, "address already in use") })
		}},
		{disk.BootCrashLoop, func(s systemd.State) bool { return s.Word == "running" && s.Units[0].Restarts > 3 }},
		{disk.BootHang, func(s systemd.State) bool {
			return s.Word == "starting" && s.Units[0].Active == "activating" && len(s.Jobs) > 0
		}},
		{disk.BootOldSystem, func(s systemd.State) bool { return s.Word == "running" && s.System == "/nix/store/old" }},
	} {
		t.Run(string(tt.boot), func(t *testing.T) {
			t.Parallel()
			l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Image: &lab.ImageSpec{System: "/nix/store/old", Units: map[string]string{unit: "active"}}}}})
			spec := webSpec()
			spec.Boot = tt.boot
			conn := boot(t, l, "snowdrop-web-1", spec)
			var s systemd.State
			until(t, "the droplet is as it should be", func() bool {
				s = look(t, conn, unit)
				return tt.ok(s)
			})
		})
	}
}

func TestAMachineThatNeverAnswersTimesOut(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1"}}, Faults: []lab.Fault{{Kind: "boot-never", Target: "web-*"}}})
	d, err := remote.New(remote.Config{Env: l.Getenv})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	_, err = d.Dial(t.Context(), remote.Target{Name: "web-1", Address: "203.0.113.2", User: "root", Keys: remote.HostKeys{Policy: "accept-new"}})
	if err == nil || !strings.Contains(err.Error(), "timed out") {
		t.Errorf("dial said %v; want a time-out", err)
	}
}

func TestAUnitThatNeedsASecretStartsOnceItIsProvisioned(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Volumes: []string{"data"}}}})
	spec := webSpec()
	spec.Needs = disk.Needs{{Unit: "sops-install.service", Path: "/var/lib/sops/key.txt"}}
	conn := boot(t, l, "snowdrop-web-1", spec)
	until(t, "it is degraded", func() bool { return look(t, conn).Word == "degraded" })
	hostKey := sh(t, conn, "cat /etc/ssh/ssh_host_ed25519_key", "").Stdout

	provisionKey := func() provision.Out {
		d, err := remote.New(remote.Config{Env: l.Getenv})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		env := map[string]string{"KEY": "AGE-SECRET-KEY-1", "HOST": string(hostKey)}
		out, err := provision.Step{Dialer: d, Getenv: func(n string) string { return env[n] }}.Run(t.Context(), event.Teller{}, provision.In{
			Target: remote.Target{Name: "web-1", Address: "203.0.113.2", User: "deploy", Keys: remote.HostKeys{Policy: "accept-new"}},
			Files: []fleet.File{
				{Path: "/var/lib/sops/key.txt", From: fleet.Source{Env: "KEY"}, Mode: "0400", Owner: "deploy", Group: "users", Restart: []string{"sops-install.service"}},
				{Path: "/etc/ssh/ssh_host_ed25519_key", From: fleet.Source{Env: "HOST"}, Mode: "0600"},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := provisionKey(); len(out.Written) != 1 || len(out.Restarted) != 1 || len(out.HostKeys) != 1 {
		t.Errorf("provisioning did %+v; want the key written, the host key as it was", out)
	}
	if r := sh(t, conn, "stat -c '%a %U %G' /var/lib/sops/key.txt; cat /var/lib/sops/key.txt; echo kept >/mnt/data/file", ""); string(r.Stdout) != "400 deploy users\nAGE-SECRET-KEY-1" {
		t.Errorf("the file is %q %s", r.Stdout, r.Stderr)
	}
	until(t, "it runs", func() bool { return look(t, conn).Word == "running" })
	if out := provisionKey(); len(out.Unchanged) != 2 {
		t.Errorf("provisioning again did %+v; want nothing", out)
	}

	// The same host key again after a rebuild, as a server keeps its identity.
	conn = boot(t, l, "snowdrop-web-2", spec)
	if r := sh(t, conn, "test -e /var/lib/sops/key.txt || echo gone; cat /mnt/data/file", ""); string(r.Stdout) != "gone\nkept\n" {
		t.Errorf("after the rebuild: %q; want the disk wiped and the volume kept", r.Stdout)
	}
	if out := provisionKey(); len(out.Written) != 2 {
		t.Errorf("provisioning after the rebuild did %+v; want both written", out)
	}
	if again := dial(t, l, "203.0.113.2", "root"); !strings.Contains(string(sh(t, again, "cat /etc/ssh/ssh_host_ed25519_key.pub", "").Stdout), "ssh-ed25519") {
		t.Error("no ed25519 host key")
	}
}

func TestTheShellRunsWhatPeopleWrite(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Image: &lab.ImageSpec{System: system, HTTP: map[string]lab.Answer{":9292/health": {Status: 500}}}}}})
	conn := dial(t, l, "203.0.113.2", "root")
	user := dial(t, l, "203.0.113.2", "deploy")
	for _, tt := range []struct {
		name, script, stdin, want string
		conn                      *remote.Conn
		exit                      int
	}{
		{name: "exit status", script: "exit 7", exit: 7},
		{name: "a program that is not there", script: "nmap", exit: 127},
		{name: "pipes", script: "printf 'b\\na\\n' | sort | head -n 1", want: "a\n"},
		{name: "stdin", script: "cat >/tmp/x; sha256sum </tmp/x | cut -d ' ' -f 1", stdin: "hello", want: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"},
		{name: "a script on stdin", script: "sh -s -- one two", stdin: "echo $# $2; main() { cat; }; main </dev/null", want: "2 two\n"},
		{name: "the system", script: "readlink -f /run/current-system", want: system + "\n"},
		{name: "a check that fails", script: "curl -fsS localhost:9292/health", exit: 22},
		{name: "nothing listens", script: "curl -fsS localhost:1/", exit: 7},
		{name: "others may not write", conn: user, script: "echo x >/etc/x", exit: 1},
		{name: "others may with sudo", conn: user, script: "echo x | sudo -n tee /etc/x && whoami", want: "x\ndeploy\n"},
		{name: "globs", script: "cd /etc/ssh; for f in *.pub; do echo $f; done", want: "ssh_host_ecdsa_key.pub\nssh_host_ed25519_key.pub\n"},
		{name: "install", script: "install -D -m 640 -o deploy /dev/stdin /srv/a/b; stat -c '%a %U %s' /srv/a/b", stdin: "abc", want: "640 deploy 3\n"},
		{name: "unknown owner", script: "touch /tmp/y; chown nosuch /tmp/y", exit: 1},
		{name: "timeout", script: "timeout 0.01 sleep 5", exit: 124},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.conn == nil {
				tt.conn = conn
			}
			r := sh(t, tt.conn, tt.script, tt.stdin)
			if string(r.Stdout) != tt.want || r.Exit != tt.exit {
				t.Errorf("%s: %q, exit %d, %q; want %q, exit %d", tt.script, r.Stdout, r.Exit, r.Stderr, tt.want, tt.exit)
			}
		})
	}
}

func TestARebootKeepsTheDiskAndChangesTheBootID(t *testing.T) {
	t.Parallel()
	l := start(t, lab.Config{Droplets: []lab.DropletSpec{{Name: "web-1", Image: &lab.ImageSpec{System: system}}}})
	before := l.State().Droplet("web-1").Machine
	_, _ = dial(t, l, "203.0.113.2", "root").Run(t.Context(), "touch /root/here; reboot; sleep 1", nil)
	until(t, "it booted", func() bool { return l.State().Droplet("web-1").Machine.BootID != before.BootID })
	conn := dial(t, l, "203.0.113.2", "root")
	if r := sh(t, conn, "test -e /root/here", ""); r.Exit != 0 {
		t.Error("the file is gone")
	}
	if after := l.State().Droplet("web-1").Machine; !slices.Equal(after.HostKeys, before.HostKeys) {
		t.Errorf("host keys %v; want those of before, %v", after.HostKeys, before.HostKeys)
	}
}
