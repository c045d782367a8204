package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

const (
	firstPoll = time.Second
	lastPoll  = 5 * time.Second
	// lookTimeout bounds one look; a machine that is busy starting is slow.
	lookTimeout = time.Minute
	// authGrace is how long a login may be refused: a droplet fetches its
	// authorized keys from the metadata service some time after sshd started.
	authGrace = 90 * time.Second
)

// watcher looks at one droplet again and again.
type watcher struct {
	dialer  Dialer
	clock   Clock
	tell    event.Teller
	target  remote.Target
	refused time.Time // when a login was first refused
}

// seen is what one look saw, and with whom it spoke.
type seen struct {
	systemd.State
	keys  []string
	trust remote.Trust
}

func (s seen) identity() Identity {
	return Identity{BootID: s.BootID, System: s.System, HostKeys: s.keys, Trust: s.trust}
}

func (w *watcher) look(ctx context.Context, req systemd.Request) (seen, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("%w after %s", remote.ErrTimeout, lookTimeout))
	defer cancel()
	conn, err := w.dialer.Dial(ctx, w.target)
	if err != nil {
		return seen{}, err //nolint:wrapcheck // says whom and why
	}
	defer conn.Close() //nolint:errcheck // all was seen
	state, err := systemd.Look(ctx, conn, req)
	if err != nil {
		return seen{}, fmt.Errorf("%s: %w", w.target, err)
	}
	return seen{State: state, keys: hostKeys(conn.HostKey(), state.HostKeys), trust: conn.Trust()}, nil
}

// hostKeys are the key that was presented and all that the machine has, without
// their comments. What is no key is left out: a droplet may have written it.
func hostKeys(presented string, all []string) []string {
	var out []string
	for _, line := range append([]string{presented}, all...) {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			continue
		}
		plain := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
		if !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	return out
}

// pin makes the keys of the new boot the only ones that are accepted from now on.
func (w *watcher) pin(s seen) {
	if s.trust == remote.FirstContact && w.target.Keys.Known == nil {
		w.tell.Warn("%s: its host key was accepted on first contact; nothing but the network vouches for it", w.target)
	}
	if s.trust != remote.Authority {
		w.target.Keys.Known = s.keys
	}
	w.target.Keys.AcceptNewSet = false
}

// final says whether trying again cannot help.
func (w *watcher) final(err error) bool {
	var key *remote.HostKeyError
	if errors.As(err, &key) || errors.Is(err, remote.ErrIdentity) || errors.Is(err, remote.ErrJump) {
		return true
	}
	if !errors.Is(err, remote.ErrAuth) {
		w.refused = time.Time{}
		return false
	}
	if w.refused.IsZero() {
		w.refused = w.clock.Now()
	}
	return w.clock.Now().Sub(w.refused) >= authGrace
}

// poll gives growing pauses that end at the deadline. False means that the time
// is up.
type poll struct {
	clock    Clock
	deadline time.Time
	pause    time.Duration
}

func (p *poll) wait(ctx context.Context) (bool, error) {
	left := p.deadline.Sub(p.clock.Now())
	if left <= 0 {
		return false, nil
	}
	p.pause = min(max(p.pause*3/2, firstPoll), lastPoll)
	if err := p.clock.Sleep(ctx, min(p.pause, left)); err != nil {
		return false, fmt.Errorf("wait for the next look: %w", err)
	}
	return true, nil
}

// isNew says whether a boot is that after the rebuild, and how that is known.
func isNew(s systemd.State, former string, rebuiltAt, now time.Time) (fresh bool, want, got string) {
	switch {
	case former != "":
		return s.BootID != former, "a boot other than " + former, s.BootID
	case !rebuiltAt.IsZero():
		booted := now.Add(-s.Uptime)
		return !booted.Before(rebuiltAt),
			"a boot after " + rebuiltAt.UTC().Format(time.TimeOnly) + " UTC (the boot id from before is not known)",
			s.BootID + ", booted at " + booted.UTC().Format(time.TimeOnly) + " UTC by its uptime"
	default:
		return true, "", s.BootID
	}
}
