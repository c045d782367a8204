package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

// Boot waits until a rebuilt droplet answers from its new boot.
type Boot struct {
	Dialer Dialer
	Clock  Clock
}

// BootIn says which boot is waited for, as In does.
type BootIn struct {
	Target       remote.Target
	FormerBootID string
	RebuiltAt    time.Time
	// Timeout bounds the wait; 0 means DefaultTimeout.
	Timeout time.Duration
}

// BootOut is who answered. Its HostKeys are what is to be demanded from now on.
type BootOut struct{ Identity }

// String implements fmt.Stringer.
func (o BootOut) String() string { return "boot " + o.BootID }

// Name implements steps.Step.
func (Boot) Name() string { return "boot" }

// Run polls until the new boot answers over SSH. Its errors say what answered
// last; errors.As finds a *remote.HostKeyError, errors.Is those of remote.
func (b Boot) Run(ctx context.Context, tell event.Teller, in BootIn) (BootOut, error) {
	w := watcher{dialer: b.Dialer, clock: b.Clock, tell: tell, target: in.Target}
	timeout := in.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	p := poll{clock: b.Clock, deadline: b.Clock.Now().Add(timeout)}
	for {
		s, err := w.look(ctx, systemd.Request{})
		switch fresh, want, got := isNew(s.State, in.FormerBootID, in.RebuiltAt, b.Clock.Now()); {
		case err == nil && fresh:
			w.pin(s)
			return BootOut{s.identity()}, nil
		case ctx.Err() != nil:
			return BootOut{}, fmt.Errorf("wait for %s to boot: %w", in.Target, context.Cause(ctx))
		case err == nil:
			tell.Phase("not rebooted yet")
			err = fmt.Errorf("%s still runs the boot from before the rebuild: expected %s, saw %s", in.Target, want, got)
		case w.final(err):
			return BootOut{}, fmt.Errorf("wait for %s to boot: %w", in.Target, err)
		default:
			tell.Phase("waiting for SSH (%s)", short(err))
		}
		more, waitErr := p.wait(ctx)
		if waitErr != nil {
			return BootOut{}, waitErr
		}
		if !more {
			return BootOut{}, fmt.Errorf("no new boot of %s within %s: %w", in.Target, timeout, err)
		}
	}
}
