package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/systemd"
)

// soakGrace is how long the look after the soak may take to come about: a
// network may hiccup.
const soakGrace = 30 * time.Second

// soak waits and compares: a crash-looping unit reads as active in most single
// looks, but its restarts are counted.
func (v *verification) soak(ctx context.Context, before systemd.State) error {
	length := time.Duration(v.in.Verify.Soak)
	if length <= 0 {
		return nil
	}
	// The checks from outside may have taken long: the soak has its own beginning.
	if len(v.probes()) > 0 {
		s, err := v.lookSoon(ctx)
		if err != nil {
			return v.soakUnseen(ctx, length, err)
		}
		before = s.State
	}
	v.tell.Phase("soak for %s", length)
	if err := v.clock.Sleep(ctx, length); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	s, err := v.lookSoon(ctx)
	if err != nil {
		return v.soakUnseen(ctx, length, err)
	}
	v.saw(s.State, s.keys)
	faults := v.compare(before, s.State, length)
	if len(faults) == 0 {
		v.check("soak", true, soakWant(length), "steady")
	} else {
		v.check("soak", false, soakWant(length), strings.Join(faults, "; "))
	}
	return nil
}

func soakWant(length time.Duration) string { return "steady for " + length.String() }

func (v *verification) soakUnseen(ctx context.Context, length time.Duration, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("soak: %w", context.Cause(ctx))
	}
	v.cause = err
	v.check("soak", false, soakWant(length), "it answers no longer: "+err.Error())
	return nil
}

// lookSoon looks, again for a short while if need be.
func (v *verification) lookSoon(ctx context.Context) (seen, error) {
	p := poll{clock: v.clock, deadline: v.clock.Now().Add(soakGrace)}
	for {
		s, err := v.look(ctx, v.request())
		if err == nil || ctx.Err() != nil || v.final(err) {
			return s, err
		}
		more, waitErr := p.wait(ctx)
		if waitErr != nil {
			return s, waitErr
		}
		if !more {
			return s, err
		}
	}
}

// compare says what became worse, and blames the units. Units that nobody asked for count when they
// restarted more than once: a single restart is what Restart= is for.
func (v *verification) compare(before, after systemd.State, length time.Duration) []string {
	if before.BootID != after.BootID {
		return []string{fmt.Sprintf("it booted again (boot id %s, then %s)", before.BootID, after.BootID)}
	}
	var faults []string
	was := map[string]release.Unit{}
	for _, u := range before.Units {
		was[fullName(u)] = u
	}
	wanted := map[string]bool{}
	for _, u := range after.Units {
		name := fullName(u)
		wanted[name] = true
		n := u.Restarts - was[name].Restarts
		if n > 0 || u.Active != "active" {
			v.blame(u)
		}
		if n > 0 {
			faults = append(faults, fmt.Sprintf("%s restarted %s in %s and is %s", name, times(n), length, u.Active))
		} else if u.Active != "active" {
			faults = append(faults, fmt.Sprintf("%s is no longer active: %s", name, describe(u)))
		}
	}
	for _, u := range after.Restarted {
		if n := u.Restarts - restartsOf(before.Restarted, u); n > 1 && !wanted[fullName(u)] && !u.Allowed {
			faults = append(faults, fmt.Sprintf("%s restarted %s in %s", fullName(u), times(n), length))
			v.blame(u)
		}
	}
	failedBefore := map[string]bool{}
	for _, u := range before.Failed {
		failedBefore[fullName(u)] = true
	}
	for _, u := range unexpected(after.Failed) {
		if !failedBefore[fullName(u)] && !wanted[fullName(u)] {
			faults = append(faults, fmt.Sprintf("%s failed: %s", fullName(u), describe(u)))
		}
	}
	return faults
}

func restartsOf(list []release.Unit, unit release.Unit) int {
	for _, u := range list {
		if u.Name == unit.Name && u.User == unit.User {
			return u.Restarts
		}
	}
	return 0
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
