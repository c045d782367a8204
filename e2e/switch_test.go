//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSwitch brings droplets to other systems over SSH, and lets that fail in every
// way that could lock somebody out. Each part goes on from where the one before it
// ended, so a failure ends it all.
func TestSwitch(t *testing.T) {
	ctx := testContext(t)
	w := newSwitchWorld(ctx, t)
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *switchWorld)
	}{
		{"two servers are deployed with Nix in them", deployed},
		{"both get another system in batches, and boot nothing", switched},
		{"a system without sshd goes back by itself, and its batch is the last", lockedOut},
		{"a unit that fails is named with its journal, and taken back", unitFailed},
		{"when the program is killed in the middle, the server goes back by itself", killed},
		{"a user with sudo, and with sudo's password", withSudo},
		{"a server builds for itself", onServer},
		{"the next deploy replaces what was switched", replaced},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, w) }) {
			t.FailNow()
		}
	}
}

func deployed(ctx context.Context, t *testing.T, w *switchWorld) {
	w.project.release(ctx, t, 1)
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	w.all(ctx, t, "web, release 1")
}

func switched(ctx context.Context, t *testing.T, w *switchWorld) {
	before := w.lookAt(ctx, t)
	w.project.release(ctx, t, 2)
	run := w.snowdrop(ctx, t, "switch", "web")
	run.demand(t, 0)
	t.Logf("what a person sees at the end:\n%s", tail(run.text, 30))
	after := w.all(ctx, t, "web, release 2")
	for name, was := range before {
		is := after[name]
		if is.boot != was.boot || is.hostKey != was.hostKey || is.system == was.system || is.boots != is.system {
			t.Errorf("%s: %+v, before: %+v", name, is, was)
		}
	}
	status := w.snowdrop(ctx, t, "status")
	status.demand(t, 0, "switched", "next deploy")
	t.Logf("status:\n%s", status.text)
	plan := w.snowdrop(ctx, t, "plan")
	plan.demand(t, 0, "switched")
	t.Logf("plan:\n%s", plan.text)
	w.snowdrop(ctx, t, "verify").demand(t, 0)
}

func lockedOut(ctx context.Context, t *testing.T, w *switchWorld) {
	before, untouched := w.lookAt(ctx, t), w.switches(ctx, t, "web-2")
	w.project.release(ctx, t, 3, packages, packages+`
    files."ssh/sshd_config.d/50-web.conf" = "NoSuchDirective yes";`)
	run := w.snowdrop(ctx, t, "switch", "web")
	t.Logf("what a person sees at the end:\n%s", tail(run.text, 40))
	run.demand(t, 3, "web-1", "connection refused", "went back")
	if after := w.lookAt(ctx, t); !maps.Equal(before, after) {
		t.Errorf("after: %+v\nbefore: %+v", after, before)
	}
	if n := w.switches(ctx, t, "web-2"); n != untouched {
		t.Errorf("web-2 was switched %s times, before: %s", n, untouched)
	}
}

func unitFailed(ctx context.Context, t *testing.T, w *switchWorld) {
	before := w.lookAt(ctx, t)
	w.project.release(ctx, t, 2, goodUnit, brokenUnit)
	run := w.snowdrop(ctx, t, "switch", "web")
	t.Logf("what a person sees at the end:\n%s", tail(run.text, 40))
	run.demand(t, 3, "web.conf:14: unknown directive listn", "web.service")
	if after := w.lookAt(ctx, t); !maps.Equal(before, after) {
		t.Errorf("after: %+v\nbefore: %+v", after, before)
	}
}

func killed(ctx context.Context, t *testing.T, w *switchWorld) {
	before := w.lookAt(ctx, t)
	w.project.release(ctx, t, 4, start, "ExecStartPre=/bin/sleep 4\n      "+start)
	run := w.start(ctx, t, "switch", "web")
	until(ctx, t, "the activation is under way on web-1", func() error {
		state, _ := w.on(ctx, t, "web-1", "systemctl show --value -p SubState web.service; systemctl is-active snowdrop-switch || true")
		if state != "start-pre\nactive" {
			return fmt.Errorf("it is %q", state)
		}
		return nil
	})
	check(t, run.cmd.Process.Signal(syscall.SIGKILL))
	_ = run.cmd.Wait()
	since := time.Now()
	until(ctx, t, "web-1 has gone back", func() error {
		if after := w.lookAt(ctx, t); !maps.Equal(before, after) || after["web-1"].switching != "inactive" {
			return fmt.Errorf("%+v", after["web-1"])
		}
		return nil
	})
	t.Logf("it went back %s after the program was killed", time.Since(since).Round(100*time.Millisecond))
	journal, _ := w.on(ctx, t, "web-1", "journalctl -b -u snowdrop-switch -o cat")
	if !strings.Contains(journal, "went-back") {
		t.Errorf("snowdrop-switch.service said:\n%s", journal)
	}
	w.snowdrop(ctx, t, "verify").demand(t, 0)
}

func withSudo(ctx context.Context, t *testing.T, w *switchWorld) {
	const password = "correct horse's battery"
	for _, name := range machines() {
		w.on(ctx, t, name, `mkdir -p /home/deploy/.ssh; cp /root/.ssh/authorized_keys /home/deploy/.ssh/; chown -R deploy: /home/deploy/.ssh
echo "deploy:`+password+`" | chpasswd; echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy`)
	}
	asDeploy := []string{"switch", "web", "--config", "deploy.yaml"}
	w.project.release(ctx, t, 5)
	w.snowdrop(ctx, t, asDeploy...).demand(t, 1, "user deploy is not root there", "--sudo")
	w.all(ctx, t, "web, release 2")
	w.snowdrop(ctx, t, append(asDeploy, "--sudo")...).demand(t, 0)
	w.all(ctx, t, "web, release 5")

	for _, name := range machines() {
		w.on(ctx, t, name, "echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy")
	}
	w.project.release(ctx, t, 6)
	w.snowdrop(ctx, t, append(asDeploy, "--sudo")...).demand(t, 1, "--ask-sudo-password")
	w.all(ctx, t, "web, release 5")
	w.typing(ctx, t, password, append(asDeploy, "--ask-sudo-password")...).demand(t, 0)
	w.all(ctx, t, "web, release 6")
	for _, name := range machines() {
		w.on(ctx, t, name, `! journalctl -b | grep -F "`+password+`"`)
	}
}

func onServer(ctx context.Context, t *testing.T, w *switchWorld) {
	w.project.release(ctx, t, 7)
	w.snowdrop(ctx, t, "switch", "web", "--on-server", "--flake", w.serveGit(ctx, t)).demand(t, 0)
	w.all(ctx, t, "web, release 7")
}

func replaced(ctx context.Context, t *testing.T, w *switchWorld) {
	before := w.lookAt(ctx, t)
	plan := w.snowdrop(ctx, t, "plan")
	plan.demand(t, 0, "switched")
	w.snowdrop(ctx, t, "deploy", "--yes").demand(t, 0)
	after := w.all(ctx, t, "web, release 7")
	for name, was := range before {
		if after[name].boot == was.boot {
			t.Errorf("%s was not rebuilt", name)
		}
	}
	status := w.snowdrop(ctx, t, "status")
	status.demand(t, 0)
	if strings.Contains(status.text, "switched") {
		t.Errorf("it is still said to be switched:\n%s", status.text)
	}
}
