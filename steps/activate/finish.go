package activate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/systemd"
)

// saidLines is how many of switch-to-configuration's last lines are shown.
const saidLines = 20

// unitsFailed is switch-to-configuration's exit status for "activated, and units failed".
const unitsFailed = 4

// finish sees a switch that was started to its end, and tells what came of it.
func (f *follower) finish(ctx context.Context) (Out, error) {
	err := f.follow(ctx)
	if err != nil && ctx.Err() != nil {
		f.part(ctx)
	}
	a := f.last
	e := &FailedError{
		Target: f.in.Target, Verb: f.in.Verb, System: f.in.System, Former: f.former,
		Exit: a.exit("exit"), Said: lastOf(a.logs["log"], saidLines),
		outcome: a.outcome(), confirm: f.in.Confirm, timeout: f.in.Timeout,
		current: a.current(), boots: a.values["profile"], rebooted: a.gone(), backExit: a.exit("back-exit"), Err: err,
	}
	e.WentBack = e.outcome == outcomeWentBack || e.outcome == outcomeUnchanged ||
		err == nil && a.gone() && a.current() == f.former
	e.Kept = err != nil && a.values["decision"] == "confirmed" && (e.outcome == "" || e.outcome == outcomeKept || e.outcome == outcomeConfirmed)
	if err == nil && e.outcome == outcomeWentBack && (e.Exit == 0 || e.Exit == unitsFailed) {
		e.Err = f.unreached
	}
	switch {
	case err != nil:
		return Out{}, e
	case e.outcome == outcomeNotKept:
		e.Exit, e.Said = a.exit("keep-exit"), lastOf(a.logs["keep-log"], saidLines)
		e.restored = a.values["restored"] != ""
		e.WentBack = f.in.Verb == Boot && e.restored
		return Out{}, e
	case e.outcome != outcomeKept && e.outcome != outcomeConfirmed:
		return Out{}, e
	case f.in.Verb != Boot && a.current() != f.in.System:
		e.Err = fmt.Errorf("it runs %s", orNone(a.current()))
		return Out{}, e
	}
	running := f.in.System
	if f.in.Verb == Boot {
		running = f.former
	}
	out, units := f.lookAtUnits(ctx, running)
	if e.Exit != unitsFailed {
		return out, nil
	}
	e.Units = units
	return out, e
}

// out is the result where nothing is to be said of units.
func (f *follower) out(ctx context.Context, running string) Out {
	out, _ := f.lookAtUnits(ctx, running)
	return out
}

// lookAtUnits fills the result, and brings the failed units, those that
// switch-to-configuration named first, each with its last lines.
func (f *follower) lookAtUnits(ctx context.Context, running string) (Out, []release.Unit) {
	out := Out{Former: f.former, System: running, Said: lastOf(f.last.logs["log"], saidLines)}
	if f.in.Verb == Boot {
		out.Said = lastOf(f.last.logs["keep-log"], saidLines)
	}
	named := failedUnits(f.last.logs["log"])
	state, err := f.lookOnce(ctx, systemd.Request{Units: named})
	if err != nil {
		f.tell.Warn("%s: its units and host keys could not be looked at: %v", f.target, err)
	}
	var units []release.Unit
	for _, name := range named {
		if i := slices.IndexFunc(state.Units, func(u release.Unit) bool { return u.Name == name }); i >= 0 {
			units = append(units, state.Units[i])
		} else {
			units = append(units, release.Unit{Name: name, Active: "failed"})
		}
	}
	for _, u := range state.Failed {
		if i := slices.IndexFunc(units, func(o release.Unit) bool { return o.Name == u.Name && o.User == u.User }); i >= 0 {
			units[i] = u
		} else {
			units = append(units, u)
		}
	}
	presented := ""
	if f.conn != nil {
		presented = f.conn.HostKey()
	}
	out.HostKeys = hostKeys(presented, state.HostKeys)
	return out, units
}

func (f *follower) lookOnce(ctx context.Context, req systemd.Request) (systemd.State, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if f.conn == nil {
		if err := f.dial(ctx); err != nil {
			return systemd.State{}, err
		}
	}
	return systemd.Look(ctx, machine{f.conn, f.target, f.sudo}, req) //nolint:wrapcheck // says what was tried
}

// dryActivate asks the new system what its activation would do.
func (f *follower) dryActivate(ctx context.Context) (Out, error) {
	f.tell.Phase("asking what would be done")
	a, err := f.askWithin(ctx, f.in.Timeout+killGrace, f.words.dryActivate(f.in))
	if err != nil {
		return Out{}, fmt.Errorf("dry-activate: %w", err)
	}
	f.former = a.values["former"]
	f.last = a
	exit := -1
	if lines := a.logs["log"]; len(lines) > 0 {
		last := lines[len(lines)-1]
		a.logs["log"] = lines[:len(lines)-1]
		if _, err := fmt.Sscanf(last, "exit %d", &exit); err != nil {
			exit = -1
		}
	}
	for _, line := range a.logs["log"] {
		f.tell.Log(line)
	}
	if exit != 0 {
		return Out{}, &FailedError{
			Target: f.in.Target, Verb: DryActivate, System: f.in.System, Former: f.former, WentBack: true,
			Exit: exit, Said: lastOf(a.logs["log"], saidLines), outcome: outcomeUnchanged, timeout: f.in.Timeout,
		}
	}
	out := f.out(ctx, f.former)
	out.Said = a.logs["log"] // what a dry activation says is its result
	return out, nil
}

// failedUnits are those that switch-to-configuration names: "warning: the following
// units failed: a.service, b.service".
func failedUnits(log []string) []string {
	var names []string
	for _, line := range log {
		_, list, ok := strings.Cut(line, "the following units failed: ")
		if !ok {
			continue
		}
		for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ' ' }) {
			if isUnitName(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func isUnitName(name string) bool {
	const characters = `abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.\@-`
	return strings.Trim(name, characters) == "" && strings.Contains(name, ".") && !strings.HasPrefix(name, "-") && len(name) < 256
}

// hostKeys are the key that was presented and all that the machine says it has,
// without comments.
func hostKeys(presented string, all []string) []string {
	var out []string
	for _, line := range append([]string{presented}, all...) {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			continue
		}
		if plain := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))); !slices.Contains(out, plain) {
			out = append(out, plain)
		}
	}
	return out
}

func lastOf(lines []string, n int) []string {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return l == "" })
	return lines[max(0, len(lines)-n):]
}

func orNone(system string) string {
	if system == "" {
		return "no system that could be seen"
	}
	return system
}
