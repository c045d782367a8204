package activate

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/event"
)

func TestWhatIsMissingIsSaidBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(b *box)
		kind    error
		want    string
	}{
		"not NixOS":                      {func(b *box) { b.remove("run/current-system") }, ErrNotNixOS, "does not run NixOS"},
		"a former that lost its program": {func(b *box) { b.remove(oldSystem + "/bin/switch-to-configuration") }, ErrNotNixOS, "does not run NixOS"},
		"systemd is not the init":        {func(b *box) { b.remove("run/systemd/system") }, ErrNotNixOS, "systemd"},
		"the system is not copied":       {func(b *box) { b.remove(newSystem) }, ErrNoSystem, "is not in the machine's store; copy it first"},
		"it is not a system":             {func(b *box) { b.remove(newSystem + "/bin") }, ErrNoSystem, "has to be a toplevel"},
		"the user is not root":           {func(b *box) { b.program("fakes/id", "echo 1000") }, ErrRoot, "log in as root, or use --sudo"},
		"another one is under way": {func(b *box) {
			b.mkdir("unit")
			b.write("unit/description", "snowdrop: switch "+oldSystem)
		}, ErrBusy, "since Tue 2025-11-25 12:00:00 UTC (switch " + oldSystem + "); wait for it"},
		"systemd refuses": {func(b *box) { b.program("fakes/systemd-run", `echo "Access denied" >&2; exit 1`) }, ErrNotNixOS, "Access denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			c.prepare(b)
			before := b.resolved("run/current-system")
			_, err := b.run(t.Context(), In{})
			var refused *RefusedError
			if !errors.As(err, &refused) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			b.remove("unit")
			b.expect(before, oldSystem)
			if left, _ := filepath.Glob(filepath.Join(b.root, "run/snowdrop-switch/*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestSudoIsExplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ password, said, want string }{
		"none given":          {"", "sudo: a password is required", "--ask-sudo-password"},
		"none given, sudo-rs": {"", "sudo: interactive authentication is required", "--ask-sudo-password"},
		"wrong":               {"correct-horse", "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt", "does not accept the password of deploy"},
		"not a sudoer":        {"correct-horse", "deploy is not in the sudoers file.", "wheel"},
		"a terminal":          {"", "sudo: sorry, you must have a tty to run sudo", "requiretty"},
		"something else":      {"", "sudo: unable to stat /etc/sudoers", "unable to stat"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.write("sudo", c.said)
			target := b.target()
			target.User = "deploy"
			_, err := b.runIn(t.Context(), In{Target: target, System: newSystem, Verb: Switch, Sudo: Sudo{Use: true, Password: c.password}})
			if !errors.Is(err, ErrRoot) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			for _, command := range b.asked {
				if strings.Contains(command, "correct-horse") {
					t.Error("the password stands in a command line")
				}
			}
			if strings.Contains(err.Error()+strings.Join(b.events, "\n"), "correct-horse") {
				t.Error("the password is told")
			}
		})
	}
}

func TestThePasswordGoesToSudosInputAlone(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	// sudo reads its line; what it runs must find nothing more to read.
	b.program("fakes/sudo", `[ "$1 $2" = "-S -p" ] || exit 1
shift 3
IFS= read -r line; echo "$line" >>"$root/password"; exec "$@"`)
	target := b.target()
	target.User = "deploy"
	in := In{Target: target, System: newSystem, Verb: Switch, Sudo: Sudo{Use: true, Password: "correct horse's"}}
	if _, err := b.runIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.read("password")) {
		if strings.TrimSpace(line) != in.Sudo.Password {
			t.Errorf("sudo read %q", line)
		}
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestWhatIsNoSystemIsNotSent(t *testing.T) {
	t.Parallel()
	for _, system := range []string{"", "/run/current-system", "/nix/store/", "/nix/store/a'b", "/nix/store/a b", "/nix/store/a/../b", "/nix/store/$(id)"} {
		if _, err := (Step{Clock: newClock(tick)}).Run(t.Context(), event.Teller{}, In{System: system, Verb: Switch}); err == nil || !strings.Contains(err.Error(), "not a path in the Nix store") {
			t.Errorf("%q: %v", system, err)
		}
	}
	if _, err := (Step{}).Run(t.Context(), event.Teller{}, In{System: newSystem, Verb: "reboot"}); err == nil || !strings.Contains(err.Error(), "no verb") {
		t.Errorf("%v", err)
	}
}

func TestTheFailedUnitsAreThoseThatAreNamed(t *testing.T) {
	t.Parallel()
	got := failedUnits([]string{
		"restarting the following units: a.service", "warning: the following units failed: web.service, getty@tty1.service",
		"× web.service - web", "warning: the following units failed: web.service, --bad, nodot, /x.service",
	})
	if strings.Join(got, " ") != "web.service getty@tty1.service" {
		t.Errorf("%q", got)
	}
}

func (b *box) remove(path string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.root, path)); err != nil {
		b.t.Fatal(err)
	}
}
