package activate

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
)

// FailedError says that a switch did not succeed, or that units failed in it, and
// which system the machine runs now.
type FailedError struct {
	Target         remote.Target
	Verb           Verb
	System, Former string
	// Exit is the exit status of switch-to-configuration, or of nix-env where that
	// could not set the profile; -1 where it is not known.
	Exit int
	// Units are those that are failed, with their last lines; only with Exit 4.
	Units []release.Unit
	// Said are the last lines of what failed.
	Said []string
	// WentBack says that the machine runs Former, again or still.
	WentBack bool
	// Kept says that System was confirmed and stays, though it was not seen to the end.
	Kept bool
	// Err is why the machine was not reached, or nil.
	Err error

	outcome, current, boots string
	rebooted, restored      bool
	backExit                int
	confirm, timeout        time.Duration
}

// Unwrap is why the machine was not reached.
func (e *FailedError) Unwrap() error { return e.Err }

// Error says what failed, what the machine runs now, and what to do; it has several
// lines.
func (e *FailedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Target, e.what())
	b.WriteString("\n  " + e.now())
	for _, u := range e.Units {
		b.WriteString("\n  " + fullName(u) + ": " + describe(u))
		for _, line := range u.Journal {
			b.WriteString("\n    | " + line)
		}
	}
	if len(e.Units) == 0 && len(e.Said) > 0 {
		b.WriteString("\n  its last lines:")
		for _, line := range e.Said {
			b.WriteString("\n    | " + line)
		}
	}
	if next := e.Next(); next != "" {
		b.WriteString("\nlook closer: " + next)
	}
	return b.String()
}

// what failed.
func (e *FailedError) what() string {
	switch {
	case e.Err != nil && e.outcome == outcomeWentBack:
		return fmt.Sprintf("the new system was activated, and could not be reached over a new SSH connection within %s: %v", e.confirm, e.Err)
	case e.Err != nil && e.outcome == "":
		return fmt.Sprintf("the %s was not seen to its end: %v", e.Verb, e.Err)
	case e.Err != nil:
		return fmt.Sprintf("the %s did not end as it should: %v", e.Verb, e.Err)
	case e.outcome == outcomeNotKept:
		return e.notKept()
	case e.rebooted:
		return fmt.Sprintf("it booted in the middle of the %s", e.Verb)
	case e.outcome == "":
		return "snowdrop-switch.service was killed, and could not be started again to go back"
	case e.outcome == outcomeWentBack && (e.Exit == 0 || e.Exit == unitsFailed):
		return fmt.Sprintf("the new system was activated, and not confirmed within %s", e.confirm)
	}
	return exitWords(e.Exit, e.Verb, e.timeout)
}

// exitWords explain an exit status of switch-to-configuration
// (pkgs/by-name/sw/switch-to-configuration-ng in nixpkgs, and its forerunner in Perl).
func exitWords(exit int, verb Verb, timeout time.Duration) string {
	var why string
	switch exit {
	case -1:
		return "the activation was cut off on the machine (systemctl stop snowdrop-switch, a want of memory, a shutdown)"
	case 1:
		why = "it refused or broke off: a pre-switch check, the boot loader, D-Bus, or a fault of its own"
	case 2:
		why = "a part of the activation script failed"
	case 3:
		why = "systemd could not reload its units"
	case unitsFailed:
		why = "the system was activated, and units failed"
	case 11:
		why = "another switch-to-configuration holds the lock"
	case 100:
		why = "the new system's init is not compatible with the one that runs, so it can only be booted"
	case 124, 137:
		why = "it was killed, after " + timeout.String() + " or for want of memory"
	case 126, 127:
		why = "it could not be run"
	default:
		why = "see its last lines"
	}
	return fmt.Sprintf("switch-to-configuration %s ended with %d: %s", verbRun(verb), exit, why)
}

// verbRun is the word that switch-to-configuration was called with.
func verbRun(verb Verb) string {
	if verb == Switch {
		return string(Test)
	}
	return string(verb)
}

func (e *FailedError) notKept() string {
	text := "the system profile or the boot loader could not be set (exit status " + strconv.Itoa(e.Exit) + ")"
	if !e.restored {
		text += ", and the profile could not be put back"
	}
	return text
}

// now says which system the machine runs, and what comes up at the next boot.
func (e *FailedError) now() string {
	switch {
	case e.outcome == outcomeUnchanged:
		text := "nothing was changed: " + e.runs(e.Former)
		if e.Exit == 100 {
			text += "; make the new system the one that boots, and boot: snowdrop switch --boot"
		}
		return text
	case e.outcome == outcomeWentBack:
		text := "it went back: " + e.runs(e.Former)
		if e.backExit > 0 {
			text += fmt.Sprintf(" (whose own activation ended with %d: see systemctl --failed there)", e.backExit)
		}
		return text
	case e.outcome == outcomeStuck:
		return "it could not go back: " + e.runs(orNone(e.current))
	case e.outcome == outcomeNotKept && !e.restored:
		return "it runs " + orNone(e.current) + ", and what the next boot brings is not certain: look at /nix/var/nix/profiles/system before you boot it"
	case e.outcome == outcomeNotKept && e.Verb == Boot:
		return "the profile is as it was: " + e.runs(e.Former)
	case e.outcome == outcomeNotKept:
		return "the new system is confirmed: " + e.runs(e.System)
	case e.outcome == outcomeKept && e.Exit == unitsFailed:
		return "the new system was confirmed: " + e.runs(e.System) + "; before it ran " + e.Former
	case e.outcome == outcomeConfirmed && e.Exit == unitsFailed:
		return "the new system was confirmed: " + e.runs(e.System) + "; before it ran " + e.Former
	case e.rebooted, e.outcome == "" && e.Err == nil:
		return e.runs(orNone(e.current))
	case e.Kept:
		return "the new system was confirmed: it runs " + e.System + ", and the machine makes it the one that boots; before it ran " + e.Former
	case e.Verb == Boot:
		return "it runs " + e.Former + "; look at what its next boot brings: readlink -f /nix/var/nix/profiles/system"
	default:
		return fmt.Sprintf("unless it was confirmed before, it goes back to %s by itself, within %s of the activation's end; a reboot brings that too", e.Former, e.confirm)
	}
}

// runs says what runs, and what the next boot brings.
func (e *FailedError) runs(system string) string {
	if e.boots == "" || e.boots == system {
		return "it runs and boots " + system
	}
	return "it runs " + system + ", and boots " + e.boots
}

// Next is a command worth typing now, or empty where there is none.
func (e *FailedError) Next() string {
	ssh := "ssh"
	if p := e.Target.Port; p != 0 && p != 22 {
		ssh += " -p " + strconv.Itoa(p)
	}
	if j := e.Target.Jump; j != nil {
		host := j.Host
		if j.Port != 0 && j.Port != 22 {
			host = net.JoinHostPort(host, strconv.Itoa(j.Port))
		}
		if j.User != "" {
			host = j.User + "@" + host
		}
		ssh += " -J " + host
	}
	ssh += " " + userOf(e.Target) + "@" + e.Target.Address + " "
	if len(e.Units) > 0 {
		return ssh + "journalctl -b -n 100 -u " + e.Units[0].Name
	}
	if e.Verb == DryActivate {
		return ""
	}
	return ssh + "journalctl -b -n 200 -u snowdrop-switch"
}

func fullName(u release.Unit) string {
	if u.User == "" {
		return u.Name
	}
	return u.User + "/" + u.Name
}

// describe is a unit's state in a few words.
func describe(u release.Unit) string {
	text := u.Active
	if u.Sub != "" && u.Sub != u.Active {
		text += " (" + u.Sub + ")"
	}
	if u.Load != "" {
		text += ", " + u.Load
	}
	if u.Result != "" && u.Result != "success" {
		text += ", " + u.Result
	}
	if u.ExitStatus != 0 {
		text += ", exit status " + strconv.Itoa(u.ExitStatus)
	}
	return text
}
