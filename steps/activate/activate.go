// Package activate is the step system in a machine's store → system that runs
// there, so that nobody is locked out: the machine goes back to its former system
// by itself unless it is reached over a new SSH connection in time.
package activate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
)

// The defaults of In.
const (
	DefaultConfirm = time.Minute
	DefaultTimeout = 10 * time.Minute
)

// Verb is what is done with a system, in the words of nixos-rebuild.
type Verb string

// The verbs.
const (
	// Switch activates the system and makes it the one that the machine boots.
	Switch Verb = "switch"
	// Boot makes it the one that the machine boots, and activates nothing.
	Boot Verb = "boot"
	// Test activates it; the next boot brings the former one.
	Test Verb = "test"
	// DryActivate says what an activation would do.
	DryActivate Verb = "dry-activate"
)

// Dialer reaches machines. *remote.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, t remote.Target) (*remote.Conn, error)
}

var _ Dialer = (*remote.Dialer)(nil)

// Clock is the time, so that tests do not wait for it.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Sudo says how the user becomes root; the zero Sudo is for root.
type Sudo struct {
	Use bool
	// Password is asked of sudo's standard input; empty where sudo needs none.
	Password string
}

// Step activates a system on one machine.
type Step struct {
	Dialer Dialer
	Clock  Clock
	// root is a folder in the place of / in tests.
	root string
}

// In is what to activate where.
type In struct {
	Target remote.Target
	// System is the toplevel; the target's store holds it already.
	System string
	Verb   Verb
	Sudo   Sudo
	// Confirm is how long the machine waits, once the system is activated, to be
	// reached over a new connection; 0 means DefaultConfirm.
	Confirm time.Duration
	// Timeout bounds the activation, and the way back; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Out is what came of it.
type Out struct {
	// Former is the system that ran before, System the one that runs now: after Boot
	// and DryActivate they are the same.
	Former, System string
	// HostKeys are the machine's, in authorized_keys form; they are to be demanded
	// from now on.
	HostKeys []string
	// Said are the last lines of switch-to-configuration.
	Said []string
}

// String implements fmt.Stringer.
func (o Out) String() string {
	if o.System == o.Former {
		return o.System
	}
	return o.System + ", before: " + o.Former
}

// Name implements steps.Step.
func (Step) Name() string { return "activate" }

var _ steps.DryRunner[In, Out] = Step{}

// DryRun implements steps.DryRunner; it does not look at the machine.
func (Step) DryRun(_ context.Context, in In) (Out, string, error) {
	return Out{}, fmt.Sprintf("would %s %s on %s", in.Verb, in.System, in.Target), nil
}

// Run carries the verb out. A system that runs already and is the one that the
// machine boots is skipped. Errors are
//   - *RefusedError: a precondition does not hold, and nothing was changed;
//   - *FailedError, which says which system the machine runs now. With exit status 4
//     (activated, and units failed) the new system was confirmed and kept, and Out is
//     valid: who called decides whether to activate the former one again. Where ctx
//     ended, the machine was told to go back, and does so by itself if it did not hear;
//   - those of package remote, before anything was begun.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	if in.Confirm <= 0 {
		in.Confirm = DefaultConfirm
	}
	if in.Timeout <= 0 {
		in.Timeout = DefaultTimeout
	}
	if err := check(in); err != nil {
		return Out{}, err
	}
	id, err := newID()
	if err != nil {
		return Out{}, err
	}
	f := &follower{dialer: s.Dialer, clock: s.Clock, tell: tell, in: in, target: in.Target, sudo: in.Sudo, words: words{root: s.root, id: id}}
	defer f.close()
	if err := f.dial(ctx); err != nil {
		return Out{}, err
	}
	if in.Verb == DryActivate {
		return f.dryActivate(ctx)
	}
	if err := f.start(ctx); err != nil {
		var skip *steps.SkipError
		if errors.As(err, &skip) {
			return f.out(ctx, in.System), err
		}
		return Out{}, err
	}
	return f.finish(ctx)
}

// check refuses what could not be a system, before anything is sent: the path is a
// word of scripts.
func check(in In) error {
	path, ok := strings.CutPrefix(in.System, "/nix/store/")
	if !ok || path == "" || strings.Trim(path, nameCharacters) != "" || strings.HasPrefix(path, ".") {
		return fmt.Errorf("activate a system on %s: %q is not a path in the Nix store", in.Target, in.System)
	}
	switch in.Verb {
	case Switch, Boot, Test, DryActivate:
		return nil
	}
	return fmt.Errorf("activate a system on %s: there is no verb %q: %s, %s, %s, %s", in.Target, in.Verb, Switch, Boot, Test, DryActivate)
}

// nameCharacters are those of names in the store (nix.dev: "Store Path").
const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._?="

// newID names one run on the machine.
func newID() (string, error) {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("choose a name for the switch: %w", err)
	}
	return hex.EncodeToString(id[:]), nil
}
