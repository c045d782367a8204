//go:build linux && e2e

package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab/nspawn"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// tree is the Debian with Nix that e2e/run makes.
func tree() string {
	if dir := os.Getenv("SNOWDROP_E2E_NIX_TREE"); dir != "" {
		return dir
	}
	return "/var/cache/snowdrop-e2e/trixie-nix"
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// realClock is the time as it is.
type realClock struct{}

func (realClock) Now() time.Time { return time.Now() }

func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// real is a machine with a real systemd and a real Nix.
type real struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // of one test
	dialer  *remote.Dialer
	address string
	events  []string
}

func (r *real) Emit(e event.Event) { r.events = append(r.events, fmt.Sprintf("%T %+v", e, e)) }

func (r *real) target(user string) remote.Target {
	return remote.Target{Name: "web-1", Address: r.address, User: user, Keys: remote.HostKeys{Policy: fleet.AcceptNew}}
}

// on runs a script as root.
func (r *real) on(script string) string {
	r.t.Helper()
	var conn *remote.Conn
	var err error
	for range 100 {
		if conn, err = r.dialer.Dial(r.ctx, r.target("")); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	must(r.t, err)
	defer conn.Close() //nolint:errcheck // its end is known
	res, err := conn.Run(r.ctx, "sh -eu", strings.NewReader(script))
	must(r.t, err)
	if res.Exit != 0 {
		r.t.Fatalf("%s\nended with %d: %s%s", script, res.Exit, res.Stdout, res.Stderr)
	}
	return strings.TrimSpace(string(res.Stdout))
}

// system puts a system into the store: its files by their paths.
func (r *real) system(digit, name string, files map[string]string) string {
	r.t.Helper()
	path := "/nix/store/" + strings.Repeat(digit, 32) + "-nixos-system-" + name + "-25.05"
	program, err := os.ReadFile("../../e2e/flake/switch.sh")
	must(r.t, err)
	all := map[string]string{"bin/switch-to-configuration": strings.ReplaceAll(string(program), "@toplevel@", path), "nixos-version": "25.05"}
	for file, text := range files {
		all[file] = text
	}
	var script strings.Builder
	for file, text := range all {
		fmt.Fprintf(&script, "mkdir -p %s\ncat > %[2]s <<'END'\n%s\nEND\n", filepath.Dir(path+"/"+file), path+"/"+file, text)
	}
	fmt.Fprintf(&script, "chmod +x %s/bin/*\nmkdir -p %[1]s/sw\nln -s /usr/bin %[1]s/sw/bin\nprintf '%%s\\n\\n0\\n' %[1]s | nix-store --register-validity", path)
	r.on(script.String())
	return path
}

func (r *real) run(in In) (Out, error) {
	if in.Target.Address == "" {
		in.Target = r.target("")
	}
	if in.Verb == "" {
		in.Verb = Switch
	}
	step := Step{Dialer: r.dialer, Clock: realClock{}}
	start := time.Now()
	out, err := step.Run(r.ctx, event.NewTeller(r, event.Subject{}, step.Name()), in)
	r.t.Logf("%s %s: %+v after %s\n%v", in.Verb, in.System, out, time.Since(start).Round(time.Millisecond), err)
	return out, err //nolint:wrapcheck // as it is
}

// is compares what the machine runs and boots, and whether anything is left.
func (r *real) is(current, boots string) {
	r.t.Helper()
	got := r.on("readlink -f /run/current-system /nix/var/nix/profiles/system; systemctl is-active snowdrop-switch || true")
	if want := current + "\n" + boots + "\ninactive"; got != want {
		r.t.Errorf("it runs and boots\n%s\ninstead of\n%s\n%s", got, want, r.on("journalctl -b -u snowdrop-switch --no-pager | tail -n 60"))
	}
}

const webUnit = "[Unit]\nDescription=web %s\n[Service]\nExecStart=/bin/sh -c '%s'\n[Install]\nWantedBy=multi-user.target\n"

// TestOnRealSystemd drives the step against a booted machine.
func TestOnRealSystemd(t *testing.T) {
	must(t, nspawn.Check())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	dir := t.TempDir()
	image := filepath.Join(dir, "image.raw")
	must(t, nspawn.BaseImage(ctx, tree(), image))
	signer, key := sshtest.NewPrivateKey(t)
	public := sshtest.Line(signer.PublicKey())
	host, err := nspawn.NewHost(ctx, nspawn.Config{StateDir: dir, AuthorizedKeys: []string{public}})
	must(t, err)
	t.Cleanup(func() { must(t, host.Close()) })
	m, err := host.Machine("web-1")
	must(t, err)
	must(t, m.BootFile(ctx, image, nspawn.BootOptions{}))
	dialer, err := remote.New(remote.Config{Env: func(name string) string {
		return map[string]string{remote.EnvPrivateKey: key}[name]
	}})
	must(t, err)
	t.Cleanup(func() { must(t, dialer.Close()) })
	r := &real{t: t, ctx: ctx, dialer: dialer, address: m.Address()}

	good := func(version string) map[string]string {
		return map[string]string{"etc/systemd/system/web.service": fmt.Sprintf(webUnit, version, "exec sleep 1000")}
	}
	old := r.system("a", "old", good("1"))
	next := r.system("b", "next", good("2"))
	noSSH := r.system("c", "nossh", map[string]string{"etc/ssh/sshd_config.d/web.conf": "NoSuchDirective yes"})
	failing := r.system("d", "failing", map[string]string{"etc/systemd/system/web.service": fmt.Sprintf(webUnit, "3", "echo directive listn is not known; exit 3")})
	r.on("nix-env -p /nix/var/nix/profiles/system --set " + old + "; " + old + "/bin/switch-to-configuration switch")
	r.on("useradd -m -s /bin/bash guest; echo deploy:correct-horse | chpasswd; echo 'deploy ALL=(ALL) ALL' > /etc/sudoers.d/deploy" +
		"; for u in deploy guest; do mkdir /home/$u/.ssh; cp /root/.ssh/authorized_keys /home/$u/.ssh/; chown -R $u: /home/$u; done")

	for _, part := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"a switch is kept", func(t *testing.T) {
			out, err := r.run(In{System: next})
			must(t, err)
			if out.Former != old || out.System != next || len(out.HostKeys) == 0 {
				t.Errorf("%+v", out)
			}
			r.is(next, next)
			if text := r.on("systemctl show --value -p Description -p ActiveState web.service"); text != "web 2\nactive" && text != "active\nweb 2" {
				t.Errorf("web.service: %s", text)
			}
		}},
		{"the same again is skipped", func(t *testing.T) {
			if _, err := r.run(In{System: next}); err == nil || !strings.Contains(err.Error(), "skipped") {
				t.Error(err)
			}
		}},
		{"a system without sshd goes back by itself", func(t *testing.T) {
			_, err := r.run(In{System: noSSH, Confirm: 4 * time.Second})
			var failed *FailedError
			if !errors.As(err, &failed) || !failed.WentBack || !errors.Is(err, remote.ErrRefused) {
				t.Errorf("%v", err)
			}
			r.is(next, next)
		}},
		{"a unit that fails is named, and what it said", func(t *testing.T) {
			out, err := r.run(In{System: failing})
			var failed *FailedError
			if !errors.As(err, &failed) || failed.Exit != 4 || failed.WentBack || len(failed.Units) != 1 || out.System != failing {
				t.Fatalf("%v", err)
			}
			if u := failed.Units[0]; u.Name != "web.service" || u.ExitStatus != 3 || !slices.Contains(u.Journal, "directive listn is not known") {
				t.Errorf("%+v", u)
			}
			r.is(failing, failing)
			_, err = r.run(In{System: next})
			must(t, err)
			r.is(next, next)
		}},
		{"what a unit is ended by, it goes back", func(t *testing.T) {
			for _, by := range []string{"systemctl stop snowdrop-switch", "systemctl kill --kill-whom=main -s KILL snowdrop-switch"} {
				hold := &held{Dialer: r.dialer, until: func() { r.on(by) }}
				step := Step{Dialer: hold, Clock: realClock{}}
				_, err := step.Run(ctx, event.NewTeller(r, event.Subject{}, "activate"), In{Target: r.target(""), System: old, Verb: Switch})
				var failed *FailedError
				if !errors.As(err, &failed) || !failed.WentBack {
					t.Errorf("%s: %v", by, err)
				}
				r.is(next, next)
			}
		}},
		{"what is killed with all of its unit, and was confirmed, is kept", func(t *testing.T) {
			hold := &held{Dialer: r.dialer, until: func() { r.on("systemctl kill --kill-whom=all -s KILL snowdrop-switch") }}
			step := Step{Dialer: hold, Clock: realClock{}}
			_, err := step.Run(ctx, event.NewTeller(r, event.Subject{}, "activate"), In{Target: r.target(""), System: old, Verb: Switch})
			must(t, err)
			r.is(old, old)
			_, err = r.run(In{System: next})
			must(t, err)
		}},
		{"a machine that loses its power before it is confirmed comes up with the former system", func(t *testing.T) {
			hold := &held{Dialer: r.dialer, until: func() {
				must(t, m.Stop(ctx))
				must(t, m.Start(ctx))
			}}
			step := Step{Dialer: hold, Clock: realClock{}}
			_, err := step.Run(ctx, event.NewTeller(r, event.Subject{}, "activate"), In{Target: r.target(""), System: old, Verb: Switch})
			var failed *FailedError
			if !errors.As(err, &failed) || !failed.WentBack || !strings.Contains(err.Error(), "it booted in the middle of the switch") {
				t.Errorf("%v", err)
			}
			r.is(next, next)
		}},
		{"a second one is refused while one is under way", func(t *testing.T) {
			hold := &held{Dialer: r.dialer, until: func() {
				_, err := r.run(In{System: failing})
				if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), " since ") || !strings.Contains(err.Error(), old) {
					t.Error(err)
				}
			}}
			step := Step{Dialer: hold, Clock: realClock{}}
			_, err := step.Run(ctx, event.NewTeller(r, event.Subject{}, "activate"), In{Target: r.target(""), System: old, Verb: Test})
			must(t, err)
			r.is(old, next)
			_, err = r.run(In{System: next})
			must(t, err)
		}},
		{"a user with sudo", func(t *testing.T) {
			for _, c := range []struct {
				user string
				sudo Sudo
				want string
			}{
				{"deploy", Sudo{}, "use --sudo"},
				{"deploy", Sudo{Use: true}, "--ask-sudo-password"},
				{"deploy", Sudo{Use: true, Password: "wrong-horse"}, "does not accept the password"},
				{"guest", Sudo{Use: true}, ""},
				{"guest", Sudo{Use: true, Password: "x"}, ""},
			} {
				_, err := r.run(In{Target: r.target(c.user), System: old, Sudo: c.sudo})
				if !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "wrong-horse") {
					t.Errorf("%+v: %v", c, err)
				}
			}
			_, err := r.run(In{Target: r.target("deploy"), System: old, Sudo: Sudo{Use: true, Password: "correct-horse"}})
			must(t, err)
			r.is(old, old)
			r.on("echo 'deploy ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/deploy")
			_, err = r.run(In{Target: r.target("deploy"), System: next, Sudo: Sudo{Use: true}})
			must(t, err)
			// A password that sudo does not ask for is read by nobody.
			_, err = r.run(In{Target: r.target("deploy"), System: old, Sudo: Sudo{Use: true, Password: "touch /tmp/read"}})
			must(t, err)
			r.is(old, old)
			r.on("! test -e /tmp/read; ! journalctl -b | grep correct-horse")
		}},
		{"boot, and a dry activation", func(t *testing.T) {
			out, err := r.run(In{System: next, Verb: DryActivate})
			must(t, err)
			if !strings.Contains(strings.Join(out.Said, "\n"), "web.service") {
				t.Errorf("%q", out.Said)
			}
			r.is(old, old)
			_, err = r.run(In{System: next, Verb: Boot})
			must(t, err)
			r.is(old, next)
			r.on("test -z \"$(ls -A /run/snowdrop-switch | tail -n +2)\"")
		}},
	} {
		if !t.Run(part.name, func(t *testing.T) { r.t = t; part.run(t) }) {
			t.FailNow()
		}
	}
}

// held does something before the connection that would confirm is made.
type held struct {
	Dialer
	until func()
	dials int
}

func (h *held) Dial(ctx context.Context, t remote.Target) (*remote.Conn, error) {
	if h.dials++; h.dials == 2 {
		h.until()
	}
	return h.Dialer.Dial(ctx, t) //nolint:wrapcheck // as it is
}
