package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

// inactiveGrace is how long a wanted unit may be inactive although the system
// has finished starting: a user's manager starts its units a little later.
const inactiveGrace = 15 * time.Second

// verdict is what one look lets one conclude.
type verdict int

const (
	good verdict = iota
	wait
	bad
)

// settle looks until the droplet is as it should be or cannot become so. The
// checks of the last look are the evidence.
func (v *verification) settle(ctx context.Context) (systemd.State, bool, error) {
	p := poll{clock: v.clock, deadline: v.deadline}
	var startedAt time.Time // when the system was first seen to have finished starting
	for {
		s, err := v.look(ctx, v.request())
		if ctx.Err() != nil {
			return s.State, false, fmt.Errorf("look at the droplet: %w", context.Cause(ctx))
		}
		var result verdict
		if err != nil {
			result = v.unseen(err)
		} else {
			if !isStarting(s.Word) && startedAt.IsZero() {
				startedAt = v.clock.Now()
			}
			patient := isStarting(s.Word) || v.clock.Now().Sub(startedAt) < inactiveGrace
			result = v.judge(s, patient)
		}
		if result != wait {
			return s.State, result == good, nil
		}
		more, err := p.wait(ctx)
		if err != nil {
			return s.State, false, err
		}
		if !more {
			return s.State, false, nil
		}
	}
}

// unseen is the evidence of a droplet that cannot be looked at.
func (v *verification) unseen(err error) verdict {
	v.cause = err
	v.evidence.Checks = []release.Check{{Name: "boot", Want: "an answer over SSH", Got: err.Error()}}
	v.tell.Phase("waiting for SSH (%s)", short(err))
	if v.final(err) {
		return bad
	}
	return wait
}

// judge makes the checks of one look, in the order in which they matter.
func (v *verification) judge(s seen, patient bool) verdict {
	v.cause = nil
	v.saw(s.State, s.keys)
	v.evidence.Checks = nil

	fresh, want, got := isNew(s.State, v.in.FormerBootID, v.in.RebuiltAt, v.clock.Now())
	if !fresh {
		got = "still the boot from before the rebuild: " + got
	}
	v.check("boot", fresh, want, got)
	if !fresh {
		v.tell.Phase("not rebooted yet")
		return wait
	}
	v.pin(s)
	known := v.checkSystem(s.State)
	if claimed := v.checkClaim(s.State); !known || !claimed {
		return bad
	}
	worst := max(v.checkState(s.State), v.checkUnits(s.State, patient), v.checkFailed(s.State))
	if worst == wait || isStarting(s.Word) && worst == bad {
		v.tell.Phase("%s", v.waitingFor(s.State))
		return wait
	}
	return worst
}

func (v *verification) check(name string, ok bool, want, got string) {
	v.evidence.Checks = append(v.evidence.Checks, release.Check{Name: name, OK: ok, Want: want, Got: got})
}

func (v *verification) checkSystem(s systemd.State) bool {
	got := s.System
	if got == "" {
		got = "no /run/current-system"
	}
	if v.in.ExpectSystem == "" {
		v.check("system", true, "not known", "saw "+got)
		return true
	}
	ok := s.System == v.in.ExpectSystem
	v.check("system", ok, v.in.ExpectSystem, got)
	return ok
}

func isStarting(word string) bool { return word == "initializing" || word == "starting" }

func unexpected(failed []release.Unit) []release.Unit {
	return slices.DeleteFunc(slices.Clone(failed), func(u release.Unit) bool { return u.Allowed })
}

func (v *verification) checkState(s systemd.State) verdict {
	const want = "running"
	switch s.Word {
	case "running":
		v.check("state", true, want, s.Word)
		return good
	case "degraded":
		var system []release.Unit
		for _, u := range unexpected(s.Failed) {
			if u.User == "" {
				system = append(system, u)
			}
		}
		// Degraded without a failed unit is one that has just been reset.
		v.check("state", len(system) == 0, want, "degraded, by "+orNone(names(s.Failed)))
		if len(system) == 0 {
			return good
		}
		return bad
	case "maintenance":
		v.check("state", false, want, "maintenance: the machine is in rescue or emergency mode")
		return bad
	default:
		got := s.Word
		if len(s.Jobs) > 0 {
			got += "; jobs: " + strings.Join(s.Jobs[:min(len(s.Jobs), 5)], ", ")
		}
		v.check("state", false, want, got)
		return wait
	}
}

func (v *verification) checkUnits(s systemd.State, patient bool) verdict {
	worst := good
	for _, u := range s.Units {
		result := bad
		switch {
		case u.Active == "active":
			result = good
		case u.Active == "activating", u.Active == "reloading", u.Active == "deactivating":
			result = wait
		case u.Active != "failed" && u.Load == "" && patient:
			result = wait
		}
		got := describe(u)
		if systemd.NotFound(u) {
			got = "there is no such unit"
			if near := systemd.Nearest(u.Name, s.Loaded); near != "" {
				got += "; did you mean " + near + "?"
			}
		}
		v.check("unit "+fullName(u), result == good, "active", got)
		if result != good {
			v.blame(u)
		}
		worst = max(worst, result)
	}
	return worst
}

func (v *verification) checkFailed(s systemd.State) verdict {
	failed := unexpected(s.Failed)
	if len(s.Failed) == 0 {
		v.check("failed units", true, "none", "none")
		return good
	}
	v.check("failed units", len(failed) == 0, "none but allowed ones", strings.Join(names(s.Failed), ", "))
	if len(failed) > 0 {
		return bad
	}
	return good
}

func (v *verification) waitingFor(s systemd.State) string {
	text := "the system is " + s.Word
	if len(s.Jobs) > 0 {
		return text + ", waiting for " + strings.Join(s.Jobs[:min(len(s.Jobs), 3)], ", ")
	}
	for _, u := range s.Units {
		if u.Active != "active" {
			return text + ", " + fullName(u) + " is " + describe(u)
		}
	}
	return text
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
		text += fmt.Sprintf(", exit status %d", u.ExitStatus)
	}
	if u.Restarts > 0 {
		text += fmt.Sprintf(", restarted %d times", u.Restarts)
	}
	return text
}

func fullName(u release.Unit) string {
	if u.User == "" {
		return u.Name
	}
	return u.User + "/" + u.Name
}

func names(units []release.Unit) []string {
	var out []string
	for _, u := range units {
		name := fullName(u)
		if u.Allowed {
			name += " (allowed)"
		}
		out = append(out, name)
	}
	return out
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "no unit that is failed now"
	}
	return strings.Join(names, ", ")
}

// short is an error in the two or three words of a phase.
func short(err error) string {
	var key *remote.HostKeyError
	if errors.As(err, &key) {
		return "another host key"
	}
	for _, kind := range []error{
		remote.ErrRefused, remote.ErrTimeout, remote.ErrUnreachable, remote.ErrAuth,
		remote.ErrHandshake, remote.ErrIdentity, remote.ErrJump, remote.ErrLost, systemd.ErrIncomplete,
	} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return err.Error()
}
