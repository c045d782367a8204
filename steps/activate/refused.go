package activate

import (
	"errors"
	"strings"

	"github.com/versatus/snowdrop/internal/remote"
)

// Why a machine was not switched.
var (
	// ErrBusy says that another switch is under way there.
	ErrBusy = errors.New("another switch is under way")
	// ErrRoot says that the user may not become root in the way that was tried.
	ErrRoot = errors.New("this needs root")
	// ErrNotNixOS says that there is no NixOS, or not all of it that is needed.
	ErrNotNixOS = errors.New("this machine cannot be switched")
	// ErrNoSystem says that the new system is not there.
	ErrNoSystem = errors.New("the new system is not usable")
)

// RefusedError says that a precondition does not hold. Nothing was changed.
type RefusedError struct {
	Target remote.Target
	// Kind is one of the package's Err values.
	Kind error
	// Why says what was found, Advice what to do.
	Why, Advice string
}

// Error is one line.
func (e *RefusedError) Error() string {
	text := e.Target.String() + " was not switched, nothing was changed: " + e.Kind.Error() + ": " + e.Why
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

// Unwrap is the Kind.
func (e *RefusedError) Unwrap() error { return e.Kind }

// refusal is the error of an answer that refuses, or nil.
func refusal(t remote.Target, sudo Sudo, a answer) error {
	detail := a.values["detail"]
	r := &RefusedError{Target: t, Kind: ErrNotNixOS}
	switch a.values["refused"] {
	case "":
		return nil
	case "not-root":
		r.Kind, r.Why, r.Advice = ErrRoot, "user "+userOf(t)+" is not root there", "log in as root, or use --sudo"
		if sudo.Use {
			r.Why, r.Advice = "sudo does not make "+userOf(t)+" root there", "look at sudo -l there"
		}
	case "not-nixos":
		r.Why = "it has no /run/current-system with bin/switch-to-configuration, so it does not run NixOS"
		r.Advice = "put NixOS on it first: snowdrop install, or an image by snowdrop deploy"
	case "no-systemd":
		r.Why, r.Advice = "there is no systemd-run, or systemd does not run", "the way back needs systemd: switch it by hand"
	case "no-nix-env":
		r.Why, r.Advice = "there is no nix-env to set the system profile with", "NixOS has it unless nix.enable = false"
	case "no-folder":
		r.Why, r.Advice = detail+" could not be made", "is /run full or read-only? (df -h /run)"
	case "absent":
		r.Kind, r.Why, r.Advice = ErrNoSystem, detail+" is not in the machine's store", "copy it first: nix copy --to ssh-ng://… "+detail
	case "not-a-system":
		r.Kind, r.Why, r.Advice = ErrNoSystem, detail+" has no bin/switch-to-configuration",
			"the server's system has to be a toplevel (…config.system.build.toplevel, with system.switch.enable)"
	case "busy":
		r.Kind = ErrBusy
		r.Why = "snowdrop-switch.service runs there"
		if since := a.values["busy"]; since != "" {
			r.Why += " since " + since
		}
		if what, ok := strings.CutPrefix(detail, "snowdrop: "); ok {
			r.Why += " (" + what + ")"
		}
		r.Advice = "wait for it, or end it, which makes the machine go back: systemctl stop snowdrop-switch"
	default:
		r.Why, r.Advice = "systemd-run answered: "+detail, "look at systemctl status there"
	}
	return r
}

func userOf(t remote.Target) string {
	if t.User == "" {
		return "root"
	}
	return t.User
}
