// Package install is the step that puts NixOS on a machine that SSH reaches, with
// nixos-anywhere, and the look at the machine before.
package install

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
)

// DefaultTimeout bounds an installation. nixos-anywhere itself waits for ever for a
// machine that does not come back.
const DefaultTimeout = time.Hour

// Dialer reaches hosts, and lets OpenSSH reach them. *remote.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, t remote.Target) (*remote.Conn, error)
	OpenSSH(ctx context.Context, targets ...remote.Target) (*remote.OpenSSH, error)
}

var _ Dialer = (*remote.Dialer)(nil)

// Anywhere runs nixos-anywhere. *anywhere.Client is one.
type Anywhere interface {
	Run(ctx context.Context, j anywhere.Job, p anywhere.Progress) error
}

var _ Anywhere = (*anywhere.Client)(nil)

// Step installs NixOS on one host.
type Step struct {
	Dialer   Dialer
	Anywhere Anywhere
	Now      func() time.Time
}

// In says what to install where.
type In struct {
	// Target is the host as the first contact reaches it. Its known host keys are
	// demanded all the time: the installer takes those of the former system over.
	Target remote.Target
	// Job is what to do; the step fills in the way to the host.
	Job anywhere.Job
	// Timeout bounds it; 0 means DefaultTimeout.
	Timeout time.Duration
	// At is told when another stage begins, and when that was.
	At func(stage anywhere.Stage, at time.Time)
}

// Out is how it ended.
type Out struct {
	// RebootedAt is when the host was told to boot the new system; zero if it was not.
	RebootedAt time.Time
}

// Name implements steps.Step.
func (Step) Name() string { return "install" }

// Run does the phases of the job. Its errors are those of packages remote and
// anywhere: an *anywhere.FailedError says how far the host got. A host whose
// formatting has begun has lost its former system.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	var out Out
	timeout := in.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: it was not done after %s", remote.ErrTimeout, timeout))
	defer cancel()
	if len(in.Target.Keys.Known) == 0 && len(in.Target.Keys.Authorities) == 0 {
		return out, fmt.Errorf("install NixOS on %s: no host key of it is known", in.Target)
	}
	in.Target.Keys.AcceptNewSet = false
	ssh, err := s.Dialer.OpenSSH(ctx, in.Target)
	if err != nil {
		return out, fmt.Errorf("prepare OpenSSH: %w", err)
	}
	defer func() {
		if err := ssh.Close(); err != nil {
			tell.Warn("%v", err)
		}
	}()
	in.Job.SSH = anywhere.SSH{Config: ssh.Config(), Host: ssh.Host(in.Target), User: in.Target.User, Port: in.Target.Port}
	err = s.Anywhere.Run(ctx, in.Job, anywhere.Progress{
		Stage: func(stage anywhere.Stage) {
			at := s.Now()
			if stage == anywhere.Rebooting {
				out.RebootedAt = at
			}
			in.At(stage, at)
		},
		Step: func(text string) { tell.Phase("%s", text) },
		Log:  tell.Log,
	})
	return out, advise(err, in.Target)
}

// advise says of a refused host key what to do about it.
func advise(err error, host remote.Target) error {
	failed := (*anywhere.FailedError)(nil)
	if !errors.Is(err, anywhere.ErrHostKey) || !errors.As(err, &failed) {
		return err //nolint:wrapcheck // it says in which step
	}
	if failed.Stage == anywhere.Leaving {
		return fmt.Errorf("%w\nAfter the kexec %s shows host keys other than those of its former system, which the installer takes over from /etc/ssh: "+
			"either they are kept elsewhere, or another machine answers", err, host)
	}
	return fmt.Errorf("%w\n%s showed other host keys than a moment ago: somebody may stand in between", err, host)
}
