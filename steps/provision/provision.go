// Package provision is the step that writes the files that a rebuild wiped and
// that may not be in an image: secrets, host keys.
package provision

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
)

// Dialer reaches droplets. *remote.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, t remote.Target) (*remote.Conn, error)
}

var _ Dialer = (*remote.Dialer)(nil)

// Step writes one droplet's files.
type Step struct {
	Dialer Dialer
	// Getenv reads the secrets that files come from; nil means os.Getenv.
	Getenv func(string) string
	// Learn, if set, takes in each content before anything is done with it.
	Learn func(secret string)
}

// In is what is written where. The target answers already, from its new boot.
type In struct {
	Target remote.Target
	// Files need a Path; where Mode is empty it is 0400, and the Owner root.
	Files []fleet.File
}

// Out says what was done.
type Out struct {
	// Written are the paths that were written, Unchanged those that had the wanted
	// content, mode and owner already.
	Written, Unchanged []string
	// Restarted are the units that were restarted.
	Restarted []string
	// HostKeys are the public host keys that are demanded from now on, in
	// authorized_keys form; empty where no host key was among the files.
	HostKeys []string
}

// String implements fmt.Stringer.
func (o Out) String() string {
	var parts []string
	if len(o.Written) > 0 {
		parts = append(parts, "wrote "+strings.Join(o.Written, ", "))
	}
	if len(o.Unchanged) > 0 {
		parts = append(parts, "unchanged: "+strings.Join(o.Unchanged, ", "))
	}
	if len(o.Restarted) > 0 {
		parts = append(parts, "restarted "+strings.Join(o.Restarted, ", "))
	}
	return strings.Join(parts, "; ")
}

// Name implements steps.Step.
func (Step) Name() string { return "provision" }

// DryRun implements steps.DryRunner: it reads no secret and writes nothing.
func (Step) DryRun(_ context.Context, in In) (Out, string, error) {
	var paths []string
	for _, f := range in.Files {
		paths = append(paths, f.Path)
	}
	return Out{}, "would write " + strings.Join(paths, ", "), nil
}

// Run reads all contents before it writes anything, writes each file atomically,
// and restarts the units of those that changed, each once. On failure the files
// that were written by then stay; each is either as before or whole. Neither
// errors nor events hold anything of the contents.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	env := s.Getenv
	if env == nil {
		env = os.Getenv
	}
	files, err := resolve(ctx, in, env)
	if err != nil {
		return Out{}, err
	}
	for _, f := range files {
		if s.Learn != nil {
			s.Learn(string(f.content))
		}
	}
	conn, err := s.Dialer.Dial(ctx, in.Target)
	if err != nil {
		return Out{}, fmt.Errorf("write files: %w", err)
	}
	defer conn.Close() //nolint:errcheck // all was said

	m := machine{Runner: conn, target: in.Target}
	if err := m.prepare(ctx); err != nil {
		return Out{}, err
	}
	var (
		out     Out
		restart []string
	)
	for _, f := range files {
		tell.Phase("writing %s", f.Path)
		changed, err := m.write(ctx, f)
		if err != nil {
			return out, err
		}
		if f.hostKey != "" {
			out.HostKeys = append(out.HostKeys, f.hostKey)
		}
		if !changed {
			out.Unchanged = append(out.Unchanged, f.Path)
			continue
		}
		out.Written = append(out.Written, f.Path)
		for _, unit := range f.Restart {
			if !slices.Contains(restart, unit) {
				restart = append(restart, unit)
			}
		}
	}
	if changedHostKey(files, out.Written) {
		tell.Phase("sshd takes its host key")
		if err := m.reloadSSH(ctx); err != nil {
			return out, err
		}
	}
	for _, unit := range restart {
		tell.Phase("restarting %s", unit)
		if err := m.restart(ctx, unit); err != nil {
			return out, err
		}
		out.Restarted = append(out.Restarted, unit)
	}
	return out, nil
}

func changedHostKey(files []file, written []string) bool {
	return slices.ContainsFunc(files, func(f file) bool {
		return f.hostKey != "" && slices.Contains(written, f.Path)
	})
}
