package activate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/steps"
)

func TestASwitchIsConfirmedOverANewConnectionAndThenKept(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.before = func(command string) {
		if strings.Contains(command, "decide confirmed; fi") && b.resolved("nix/var/nix/profiles/system") != oldSystem {
			t.Error("the profile names the new system before it was confirmed")
		}
	}
	out, err := b.run(t.Context(), In{})
	if err != nil {
		t.Fatal(err)
	}
	if out.Former != oldSystem || out.System != newSystem {
		t.Errorf("former %s, now %s", out.Former, out.System)
	}
	if n := b.Accepted(); n < 2 {
		t.Errorf("%d connections: the confirmation is to come over a new one", n)
	}
	if len(out.Said) == 0 || out.Said[0] != "activating the configuration..." {
		t.Errorf("said: %q", out.Said)
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestAMachineThatIsNotReachedGoesBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.second = 10 * tick
	b.dialer.refuse = func(n int) error {
		if n > 1 && b.resolved("run/current-system") == newSystem {
			return &remote.DialError{Target: "web-1", Doing: "log in as root on", Kind: remote.ErrAuth}
		}
		return nil
	}
	_, err := b.run(t.Context(), In{Confirm: time.Minute})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack || failed.Exit != 0 {
		t.Fatalf("%+v", err)
	}
	if !errors.Is(err, remote.ErrAuth) {
		t.Errorf("it does not say why the machine was not reached: %v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestAMachineWhoseHostKeyChangesGoesBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.second = 10 * tick
	b.dialer.refuse = func(n int) error {
		if n > 1 {
			b.SetHostKeys(sshtest.NewKey(t))
		}
		return nil
	}
	_, err := b.run(t.Context(), In{Confirm: time.Minute})
	var failed *FailedError
	var key *remote.HostKeyError
	if !errors.As(err, &failed) || !failed.WentBack || !errors.As(err, &key) {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestAConnectionThatIsLostDuringTheActivationIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `$sleep 0.3`)
	cut := false
	b.before = func(command string) {
		if !cut && strings.Contains(command, "Tells how the switch stands") {
			cut = true
			b.Drop()
		}
	}
	if _, err := b.run(t.Context(), In{}); err != nil {
		t.Fatal(err)
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestAClientThatDiesIsNotNeededToGoBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `$sleep 0.2`)
	ctx, cancel := context.WithCancel(t.Context())
	// It hears nothing more, and can say nothing more.
	b.before = func(command string) {
		if strings.Contains(command, "Tells how the switch stands") {
			cancel()
			b.Drop()
		}
	}
	_, err := b.run(ctx, In{Confirm: 5 * time.Second})
	var failed *FailedError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || failed.WentBack {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestARunThatIsCancelledTellsTheMachineToGoBackAtOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.dialer.refuse = func(n int) error {
		if n > 1 && b.resolved("run/current-system") == newSystem {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	// An hour would be longer than the test waits for the unit to end.
	_, err := b.run(ctx, In{Confirm: time.Hour})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestARunThatIsCancelledAfterItConfirmedKnowsThatTheSystemStays(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/boot", `while [ ! -e "$root/cancelled" ]; do $sleep 0.01; done`)
	ctx, cancel := context.WithCancel(t.Context())
	b.before = func(string) {
		if _, err := os.Readlink(filepath.Join(b.root, "nix/var/nix/profiles/system-8-link")); err == nil {
			cancel()
			b.write("cancelled", "")
		}
	}
	_, err := b.run(ctx, In{})
	var failed *FailedError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &failed) || !failed.Kept || failed.WentBack {
		t.Fatalf("%+v", err)
	}
	if text := err.Error(); !strings.Contains(text, "the new system was confirmed") || strings.Contains(text, "by itself") {
		t.Errorf("%s", text)
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestFailedUnitsAreNamedAndTheConfirmedSystemStays(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `echo "warning: the following units failed: web.service, db.service" >&2; code=4`)
	out, err := b.run(t.Context(), In{})
	var failed *FailedError
	if !errors.As(err, &failed) || failed.Exit != 4 || failed.WentBack {
		t.Fatalf("%v", err)
	}
	var names []string
	for _, u := range failed.Units {
		names = append(names, u.Name)
	}
	if strings.Join(names, " ") != "web.service db.service" || out.System != newSystem {
		t.Errorf("units %v, system %s", names, out.System)
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestAnActivationThatFailsGoesBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		exit   int
		text   string
	}{
		"the activation script": {`echo "Activation script snippet 'users' failed (1)" >&2; code=2`, 2, "a part of the activation script failed"},
		"the reload":            {`code=3`, 3, "could not reload"},
		"it is killed":          {`ln -sfn "$root$SYSTEM" "$root/run/current-system"; kill -9 $$`, 137, "killed"},
		"it hangs":              {`ln -sfn "$root$SYSTEM" "$root/run/current-system"; $sleep 60`, 124, "killed, after 3s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.write(newSystem+"/test", c.script)
			in := In{}
			if c.exit == 124 { // the machine's timeout counts real seconds
				in.Timeout = 3 * time.Second
			}
			_, err := b.run(t.Context(), in)
			var failed *FailedError
			if !errors.As(err, &failed) || !failed.WentBack || failed.Exit != c.exit {
				t.Fatalf("%+v", err)
			}
			for _, want := range []string{c.text, "it went back: it runs and boots " + oldSystem} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
			b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
		})
	}
}

func TestWhatTouchedNothingIsNotTakenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, text string }{
		"another init":    {`exit 100`, "snowdrop switch --boot"},
		"somebody's lock": {`echo "Could not acquire lock" >&2; exit 11`, "another switch-to-configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.write(newSystem+"/test", c.script)
			_, err := b.run(t.Context(), In{})
			var failed *FailedError
			if !errors.As(err, &failed) || !failed.WentBack || !strings.Contains(err.Error(), c.text) {
				t.Fatalf("%+v", err)
			}
			b.expect(oldSystem, oldSystem, "new test")
		})
	}
}

func TestAUnitThatIsKilledGoesBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.dialer.refuse = func(n int) error {
		if n == 2 {
			if err := kill(b); err != nil {
				t.Error(err)
			}
			return errors.New("not yet")
		}
		return nil
	}
	_, err := b.run(t.Context(), In{Confirm: time.Hour})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestAWayBackThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `code=3`)
	b.write(oldSystem+"/test", `if mkdir "$root/tried" 2>/dev/null; then echo "Could not acquire lock" >&2; exit 11; fi`)
	_, err := b.run(t.Context(), In{})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked", "old test unchecked")
}

func TestAMachineThatCannotGoBackIsSaidTo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `code=3`)
	b.write(oldSystem+"/test", `exit 1`)
	_, err := b.run(t.Context(), In{})
	var failed *FailedError
	if !errors.As(err, &failed) || failed.WentBack {
		t.Fatalf("%v", err)
	}
	if want := "it could not go back: it runs " + newSystem + ", and boots " + oldSystem; !strings.Contains(err.Error(), want) {
		t.Errorf("no %q in: %v", want, err)
	}
}

func TestABootLoaderThatFailsPutsTheProfileBack(t *testing.T) {
	t.Parallel()
	for verb, calls := range map[Verb][]string{
		Switch: {"new test", "new boot", "old boot"},
		Boot:   {"new boot", "old boot"},
	} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			b := newBox(t)
			b.write(newSystem+"/boot", `echo "/boot: No space left on device" >&2; exit 1`)
			_, err := b.run(t.Context(), In{Verb: verb})
			var failed *FailedError
			if !errors.As(err, &failed) || failed.Exit != 1 || failed.WentBack != (verb == Boot) {
				t.Fatalf("%+v", err)
			}
			if !strings.Contains(err.Error(), "No space left on device") {
				t.Errorf("%v", err)
			}
			runs := newSystem
			if verb == Boot {
				runs = oldSystem
			}
			b.expect(runs, oldSystem, calls...)
			if _, err := os.Lstat(filepath.Join(b.root, "nix/var/nix/profiles/system-8-link")); !os.IsNotExist(err) {
				t.Errorf("the generation that failed is still there: %v", err)
			}
		})
	}
}

func TestAProfileThatCannotBeSetIsLeftAsItWas(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write("nix-env-fails", "")
	_, err := b.run(t.Context(), In{})
	if err == nil || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "it runs "+newSystem+", and boots "+oldSystem) {
		t.Fatalf("%v", err)
	}
	b.expect(newSystem, oldSystem, "new test", "old boot")
}

func TestBootActivatesNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	out, err := b.run(t.Context(), In{Verb: Boot})
	if err != nil || out.System != oldSystem {
		t.Fatalf("%+v, %v", out, err)
	}
	b.expect(oldSystem, newSystem, "new boot")
}

func TestTestKeepsNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if _, err := b.run(t.Context(), In{Verb: Test}); err != nil {
		t.Fatal(err)
	}
	b.expect(newSystem, oldSystem, "new test")
}

func TestADryActivationChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	out, err := b.run(t.Context(), In{Verb: DryActivate})
	if err != nil || len(out.Said) != 1 || out.Said[0] != "would start web.service" {
		t.Fatalf("%+v, %v", out, err)
	}
	b.expect(oldSystem, oldSystem, "new dry-activate")
}

func TestWhatRunsAndBootsAlreadyIsSkipped(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	var skip *steps.SkipError
	_, err := b.runIn(t.Context(), In{Target: b.target(), System: oldSystem, Verb: Switch})
	if !errors.As(err, &skip) {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem)
}

func TestWhatRunsButDoesNotBootIsSwitchedTo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if _, err := b.run(t.Context(), In{Verb: Test}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.run(t.Context(), In{Verb: Switch}); err != nil {
		t.Fatal(err)
	}
	b.expect(newSystem, newSystem, "new test", "new test", "new boot")
}

func TestAUnitThatIsKilledWithAllOfItIsStartedAgainToGoBack(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	// What runs after the main process is killed as well.
	b.program("fakes/systemd-run", strings.Replace(programs["systemd-run"], "  $after\n", `  if [ -n "$after" ]; then :; fi`+"\n", 1))
	b.dialer.refuse = func(n int) error {
		if n == 2 {
			if err := kill(b); err != nil {
				t.Error(err)
			}
			b.wait()
			return errors.New("not yet")
		}
		return nil
	}
	_, err := b.run(t.Context(), In{Confirm: time.Hour})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}

func TestAMachineThatBootedMeanwhileIsSaidTo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.dialer.refuse = func(n int) error {
		if n == 2 { // all that lies in /run is gone, and the former system came up
			if err := kill(b); err != nil {
				t.Error(err)
			}
			b.wait()
			b.remove("run/snowdrop-switch")
			b.remove("run/current-system")
			b.link(filepath.Join(b.root, oldSystem), "run/current-system")
		}
		return nil
	}
	_, err := b.run(t.Context(), In{Confirm: time.Hour})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack || !strings.Contains(err.Error(), "it booted in the middle of the switch") {
		t.Fatalf("%v", err)
	}
}

func TestUnitsThatFailOnTheWayBackAreStartedOnceMore(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `code=3`)
	b.write(oldSystem+"/test", `code=4`)
	_, err := b.run(t.Context(), In{})
	var failed *FailedError
	if !errors.As(err, &failed) || !failed.WentBack || !strings.Contains(err.Error(), "whose own activation ended with 4") {
		t.Fatalf("%v", err)
	}
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked", "old test unchecked")
}

func TestASwitchThatBeganAndWasNotHeardOfIsFollowed(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.mute = func(command string) bool { return strings.Contains(command, "starts the unit that does it") }
	out, err := b.run(t.Context(), In{})
	if err != nil || out.Former != oldSystem {
		t.Fatalf("%+v, %v", out, err)
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestAUnitThatHasNotBegunYetIsNotTakenForOneThatWasKilled(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.program("fakes/systemd-run", strings.Replace(programs["systemd-run"], `if ! mkdir "$root/unit" 2>/dev/null; then`,
		`if [ -z "$LATER" ]; then ($sleep 0.1; LATER=yes "$0" --description="$description" -p "ExecStopPost=$after" "$@") >/dev/null 2>&1 </dev/null & exit 0; fi
if ! mkdir "$root/unit" 2>/dev/null; then`, 1))
	if _, err := b.run(t.Context(), In{}); err != nil {
		t.Fatal(err)
	}
	for _, e := range b.events {
		if strings.Contains(e, "killed") {
			t.Error(e)
		}
	}
	b.expect(newSystem, newSystem, "new test", "new boot")
}

func TestWhatBootsButDoesNotRunIsSwitchedTo(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	if _, err := b.run(t.Context(), In{Verb: Boot}); err != nil {
		t.Fatal(err)
	}
	var skip *steps.SkipError
	if _, err := b.run(t.Context(), In{Verb: Boot}); !errors.As(err, &skip) {
		t.Fatalf("boot again: %v", err)
	}
	if _, err := b.run(t.Context(), In{Verb: Switch}); err != nil {
		t.Fatal(err)
	}
	b.expect(newSystem, newSystem, "new boot", "new test", "new boot")
}

func TestWhatIsNotActivatedYetCannotBeConfirmed(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.write(newSystem+"/test", `while [ ! -e "$root/go" ]; do $sleep 0.01; done; code=3`)
	conn, err := b.dialer.Dial(t.Context(), b.target())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // its end is known
	m, w := machine{conn: conn, target: b.target()}, words{root: b.root, id: "0"}
	for _, script := range []string{w.start(In{System: newSystem, Verb: Switch}), w.confirm()} {
		if a, err := m.ask(t.Context(), time.Minute, script); err != nil || a.values["decision"] != "" {
			t.Fatalf("%v, %v", a, err)
		}
	}
	b.write("go", "")
	b.expect(oldSystem, oldSystem, "new test", "old test unchecked")
}
