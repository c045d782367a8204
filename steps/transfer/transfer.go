// Package transfer is the step that brings a server's system to a machine's Nix
// store: from the store here, from a build host's, or by building it on the machine.
package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
)

// Nix is what the step needs of the nix program; *nix.Client is one.
type Nix interface {
	// Copy copies a path with all that it needs, and returns how many paths that took.
	Copy(ctx context.Context, c nix.Copy, p nix.Progress) (int, error)
}

// SSH lets nix, which runs OpenSSH's program, reach machines. *remote.Dialer is one.
type SSH interface {
	OpenSSH(ctx context.Context, targets ...remote.Target) (*remote.OpenSSH, error)
}

// Step copies a system to one machine.
type Step struct {
	Nix Nix
	SSH SSH
}

var _ steps.Step[In, Out] = Step{}

// In says what is copied to where.
type In struct {
	Target remote.Target
	// System is a path in the store here, or in that of BuildHost.
	System string
	// BuildHost is what the user's own ssh calls the machine that built it; empty: it
	// was built here.
	BuildHost string
	// Substitute lets the machine fetch from its own caches what they have.
	Substitute bool
}

// Out is what was copied, and the host keys that are to be demanded from now on.
type Out struct {
	Paths    int
	HostKeys []string
}

// String implements fmt.Stringer.
func (o Out) String() string { return fmt.Sprintf("%d paths copied", o.Paths) }

// Name is the word that nix has for it.
func (Step) Name() string { return "copy" }

// Run copies what the machine does not have yet; it skips, with the result, where it
// has all. It errors with *nix.CopyError, or as remote.Dialer does. What got there
// before it failed stays there, unused.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (out Out, err error) {
	tell.Phase("connecting")
	way, err := s.SSH.OpenSSH(ctx, in.Target)
	if err != nil {
		return Out{}, fmt.Errorf("prepare ssh for nix: %w", err)
	}
	defer func() { err = errors.Join(err, way.Close()) }()
	if out.HostKeys, err = way.HostKeys(in.Target); err != nil {
		return out, fmt.Errorf("prepare ssh for nix: %w", err)
	}
	copying := nix.Copy{
		SSH: nix.SSH{Config: way.Config()}, Path: in.System, From: in.BuildHost, To: way.Host(in.Target), Substitute: in.Substitute,
	}
	if in.BuildHost != "" {
		if copying.Config, err = WithOwn(way.Config(), in.BuildHost); err != nil {
			return out, err
		}
	}
	out.Paths, err = s.Nix.Copy(ctx, copying, Progress(tell))
	switch {
	case err != nil:
		return out, fmt.Errorf("nix: %w", err)
	case out.Paths == 0:
		return out, steps.Skip("the machine has it already")
	}
	return out, nil
}

// Progress passes on what nix tells of a copy, or of a build elsewhere.
func Progress(tell event.Teller) nix.Progress {
	return nix.Progress{
		Count: func(done, total int64) { tell.Progress(done, total, "") },
		Phase: func(text string) { tell.Phase("%s", text) },
		Log:   tell.Log,
	}
}
