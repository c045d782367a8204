// Package verify is the step droplet → evidence that the right system runs, and
// runs well.
package verify

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

// DefaultTimeout bounds a verification, its soak excluded, that names no timeout.
const DefaultTimeout = 10 * time.Minute

// Dialer reaches droplets. *remote.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, t remote.Target) (*remote.Conn, error)
	// DialTCP goes through the target's jump host where it has one.
	DialTCP(ctx context.Context, t remote.Target, network, address string) (net.Conn, error)
}

var _ Dialer = (*remote.Dialer)(nil)

// Clock is the time, so that tests do not wait for it.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Step verifies one droplet.
type Step struct {
	Dialer Dialer
	Clock  Clock
}

// In is what a droplet should be like.
type In struct {
	Target remote.Target
	Verify fleet.Verify
	// ExpectSystem is the toplevel that must run; empty where it is not known: what
	// runs is recorded then.
	ExpectSystem string
	// Server and Revision are what the system may not contradict, should it say what it
	// is; empty where they are not known.
	Server, Revision string
	// FormerBootID is the boot before the rebuild. Where it is empty and RebuiltAt
	// is not zero, the uptime has to show a boot after RebuiltAt; where both are
	// empty there was no rebuild, and the boot is recorded.
	FormerBootID string
	RebuiltAt    time.Time
	// Droplet fills the templates of http checks.
	Droplet ocean.Droplet
}

// Name implements steps.Step.
func (Step) Name() string { return "verify" }

// Run waits until everything that is asked for holds, or cannot hold any more, or
// the time is up; then it waits for the soak and looks again. The evidence is
// returned in any case, on failure inside the *FailedError as well. Another error
// is that of a cancelled ctx. Nothing on the droplet is changed.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (release.Evidence, error) {
	v := &verification{
		watcher: watcher{dialer: s.Dialer, clock: s.Clock, tell: tell, target: in.Target},
		in:      in,
		started: s.Clock.Now(),
	}
	timeout := time.Duration(in.Verify.Timeout)
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	v.deadline = v.started.Add(timeout)
	err := v.run(ctx)
	v.evidence.At = s.Clock.Now()
	v.evidence.Took = v.evidence.At.Sub(v.started)
	if err != nil {
		return v.evidence, fmt.Errorf("verification of %s was cut off: %w", in.Target, err)
	}
	if !v.evidence.OK() {
		return v.evidence, &FailedError{Target: in.Target, Evidence: v.evidence, Notes: v.notes, Err: v.cause}
	}
	return v.evidence, nil
}

// verification is one run of the step.
type verification struct {
	watcher
	in                In
	started, deadline time.Time
	evidence          release.Evidence
	notes             []string
	// cause is the error of a droplet that could not be looked at.
	cause error
}

// run fills the evidence; its error is ctx's alone.
func (v *verification) run(ctx context.Context) error {
	state, good, err := v.settle(ctx)
	if err != nil || !good {
		return err
	}
	if good, err = v.probe(ctx); err != nil || !good {
		return err
	}
	return v.soak(ctx, state)
}

func (v *verification) request() systemd.Request {
	return systemd.Request{
		Units: v.in.Verify.Units, UserUnits: v.in.Verify.UserUnits,
		AllowFailed: v.in.Verify.AllowFailed, JournalLines: journalLines,
	}
}

// journalLines is how many of a unit's last lines go into the evidence.
const journalLines = 10

func (v *verification) saw(state systemd.State, keys []string) {
	v.evidence.BootID, v.evidence.System, v.evidence.State = state.BootID, state.System, state.Word
	v.evidence.Failed, v.evidence.HostKeys = slices.Clone(state.Failed), keys
	v.notes = state.Notes
}

// blame adds a unit to those that are not as they should be.
func (v *verification) blame(u release.Unit) {
	if !slices.ContainsFunc(v.evidence.Failed, func(f release.Unit) bool { return fullName(f) == fullName(u) }) {
		v.evidence.Failed = append(v.evidence.Failed, u)
	}
}

// Identity is who a droplet is at this moment.
type Identity struct {
	BootID string
	// System is the path of the running system; empty where it is not NixOS.
	System string
	// HostKeys are all its public host keys, in authorized_keys form.
	HostKeys []string
	// Trust is why its host key was accepted.
	Trust remote.Trust
}

// Identify is one quick look, without waiting, as before a rebuild. A droplet
// that does not answer is an error of package remote.
func Identify(ctx context.Context, d Dialer, t remote.Target) (Identity, error) {
	w := watcher{dialer: d, target: t}
	seen, err := w.look(ctx, systemd.Request{})
	if err != nil {
		return Identity{}, fmt.Errorf("identify %s: %w", t, err)
	}
	return seen.identity(), nil
}
