package activate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/steps"
)

const (
	firstPause = 500 * time.Millisecond
	lastPause  = 3 * time.Second
	// killGrace is how long an activation that took too long may take to end.
	killGrace = 30 * time.Second
	// slack is what a machine that is busy may take for everything else.
	slack = 2 * time.Minute
	// idleLooks is how many looks a unit has to begin: about a minute.
	idleLooks = 20
	// partingTime is what is left to tell the machine to go back when ctx has ended.
	partingTime = 5 * time.Second
)

var (
	errOverdue = errors.New("not heard of its end in time")
	errNoEnd   = errors.New("the machine answers, and snowdrop-switch.service still runs there")
)

// follower sees one switch through, over as many connections as that takes.
type follower struct {
	dialer Dialer
	clock  Clock
	tell   event.Teller
	in     In
	target remote.Target // with the host keys that are demanded by now
	sudo   Sudo
	words  words

	// conn is the connection in use, or nil.
	conn *remote.Conn
	// former is the system from before.
	former string
	// last is the last answer, doubt why the machine could not be asked since then.
	last  answer
	doubt error
	// unreached is why it could not be confirmed over a new connection when that
	// was tried last.
	unreached error
	// idle is how many looks saw neither the unit nor anything of it.
	idle int
	// revived says that the unit was started again after it had been killed.
	revived bool
	told    int // lines of the activation's log that were passed on
}

func (f *follower) close() {
	if f.conn != nil {
		_ = f.conn.Close() //nolint:errcheck // its end is all that is wanted
		f.conn = nil
	}
}

// dial makes a new connection and, when that is there, lets the one in use go. What
// host key was accepted first is demanded from then on.
func (f *follower) dial(ctx context.Context) error {
	conn, err := f.dialer.Dial(ctx, f.target)
	if err != nil {
		return err //nolint:wrapcheck // says whom and why
	}
	f.close()
	f.conn = conn
	if conn.Trust() == remote.FirstContact && f.target.Keys.Known == nil {
		f.tell.Warn("%s: its host key was accepted on first contact; nothing but the network vouches for it", f.target)
	}
	if t := conn.Trust(); t == remote.FirstContact || t == remote.NewSet {
		f.target.Keys.Known = []string{conn.HostKey()}
	}
	f.target.Keys.AcceptNewSet = false
	return nil
}

// ask runs a script over the connection in use; one that is lost is let go.
func (f *follower) ask(ctx context.Context, script string) (answer, error) {
	return f.askWithin(ctx, askTimeout, script)
}

func (f *follower) askWithin(ctx context.Context, within time.Duration, script string) (answer, error) {
	a, err := machine{f.conn, f.target, f.sudo}.ask(ctx, within, script)
	if errors.Is(err, remote.ErrLost) || errors.Is(err, remote.ErrTimeout) {
		f.close()
	}
	return a, err
}

// start begins the switch. Where the connection is lost meanwhile, it is found out
// whether it began.
func (f *follower) start(ctx context.Context) error {
	f.tell.Phase("starting %s", f.in.Verb)
	a, err := f.ask(ctx, f.words.start(f.in))
	if f.conn == nil && ctx.Err() == nil && f.dial(ctx) == nil {
		if found, lookErr := f.ask(ctx, f.words.look()); lookErr == nil && !found.gone() {
			f.last, f.former = found, found.values["former"]
			return nil
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("start the switch: %w", err)
	case a.values["skipped"] != "":
		f.former = a.current()
		if f.in.Verb == Boot {
			return steps.Skip("it boots %s already", f.in.System)
		}
		return steps.Skip("it runs and boots %s already", f.in.System)
	case a.values["started"] == "":
		return fmt.Errorf("start the switch on %s: %w", f.target, errNoAnswer)
	}
	f.former = a.values["former"]
	return nil
}

// follow waits until the switch is over, and confirms it in time. Its error is that
// of ctx, or says that the machine was not heard of until the deadline.
func (f *follower) follow(ctx context.Context) error {
	begun := f.clock.Now()
	// A machine that cannot be reached any more does not say when it began to wait.
	deadline := begun.Add(f.in.Timeout + killGrace + f.in.Confirm + slack)
	waiting := false
	for pause := firstPause; ; pause = min(pause*3/2, lastPause) {
		f.step(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("cut off: %w", context.Cause(ctx))
		}
		now := f.clock.Now()
		if f.doubt == nil && f.last.over() && !f.queued() {
			if !f.last.dead() || f.revived {
				return nil
			}
			f.revived = true
			f.tell.Warn("%s: snowdrop-switch.service was killed with all that belongs to it; it is started again, to end the switch", f.target)
			if _, err := f.ask(ctx, f.words.revive()); err != nil {
				f.doubt = err
			}
		}
		if !waiting && f.last.state() == stateWaiting {
			// Going back takes about as long as getting there.
			waiting, deadline = true, now.Add(f.in.Confirm+2*now.Sub(begun)+slack)
			pause = firstPause
		}
		if !now.Before(deadline) {
			return fmt.Errorf("%w: %w", errOverdue, cmp.Or(f.doubt, f.unreached, errNoEnd))
		}
		if err := f.clock.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("cut off: %w", err)
		}
	}
}

// queued says that the unit may not have begun yet: its manager takes jobs one after
// the other, and a machine that is still booting does other things first.
func (f *follower) queued() bool {
	if !f.last.dead() || f.last.state() != "" || f.idle >= idleLooks {
		return false
	}
	f.idle++
	return true
}

// step asks the machine once how the switch stands; while it waits to be confirmed,
// over a new connection.
func (f *follower) step(ctx context.Context) {
	script := f.words.look()
	f.doubt = nil
	confirming := f.last.state() == stateWaiting && f.last.values["decision"] == ""
	if confirming || f.conn == nil {
		if err := f.dial(ctx); err != nil {
			f.missed(err, confirming)
			f.tell.Phase("waiting for SSH (%s)", short(err))
			if f.conn == nil {
				f.doubt = err
				return
			}
		} else if confirming {
			script = f.words.confirm()
		}
	}
	a, err := f.ask(ctx, script)
	if err != nil {
		f.missed(err, confirming)
		f.doubt = err
		return
	}
	f.last = a
	f.pass(a)
}

// missed keeps why the machine could not be confirmed.
func (f *follower) missed(err error, confirming bool) {
	if confirming {
		f.unreached = err
	}
}

// pass tells what is new.
func (f *follower) pass(a answer) {
	if lines := a.logs["log"]; len(lines) > f.told {
		for _, line := range lines[f.told:] {
			f.tell.Log(line)
		}
		// Once there are more lines than are brought, they are not to be told apart.
		f.told = len(lines)
	}
	if text, ok := map[string]string{
		"activating": "activating",
		stateWaiting: "activated, waiting to be confirmed",
		"keeping":    "making it the system that boots",
		"going-back": "going back to " + f.former,
		"":           "starting",
	}[a.state()]; ok && a.outcome() == "" {
		f.tell.Phase("%s", text)
	}
}

// part tells the machine to go back when ctx has ended. That it does so in any case
// makes a failure here none.
func (f *follower) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), partingTime)
	defer cancel()
	if f.conn == nil && f.dial(ctx) != nil {
		return
	}
	if a, err := f.askWithin(ctx, partingTime, f.words.abandon()); err == nil {
		f.last = a
	}
}

// short is an error in the two or three words of a phase.
func short(err error) string {
	var key *remote.HostKeyError
	if errors.As(err, &key) {
		return "another host key"
	}
	for _, kind := range []error{
		remote.ErrRefused, remote.ErrTimeout, remote.ErrUnreachable, remote.ErrAuth,
		remote.ErrHandshake, remote.ErrIdentity, remote.ErrJump, remote.ErrLost, ErrRoot,
	} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return err.Error()
}
