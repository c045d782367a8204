package droplet

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
)

// transient is a unit that systemd-run started. It belongs to the machine and not to
// a session: it goes on when the session ends, and ends with the boot.
type transient struct {
	name, description string
	since             time.Time
	end               context.CancelFunc
}

// systemdRun starts a command as a unit of its own and does not wait for it. A unit
// that runs already is refused.
func (p *process) systemdRun() int {
	options, operands := p.flags("p", "property", "E", "setenv", "unit", "description")
	if p.user != "root" {
		return p.fail(fmt.Errorf("Failed to start transient service unit: Interactive authentication required")) //nolint:revive,staticcheck // systemd's own words
	}
	if len(operands) == 0 {
		return p.fail(fmt.Errorf("command line to execute required"))
	}
	unit := &transient{name: or(last(options, "unit"), "run-lab"), description: last(options, "description"), since: time.Now()}
	if !strings.Contains(unit.name, ".") {
		unit.name += ".service"
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(p.ctx))
	unit.end = cancel
	p.m.mu.Lock()
	_, busy := p.m.transients[unit.name]
	gone := p.m.boot == nil || p.m.boot.id != p.boot.id
	if !busy && !gone {
		p.m.transients[unit.name] = unit
	}
	p.m.mu.Unlock()
	if busy || gone {
		cancel()
		_, _ = fmt.Fprintf(p.stderr, "Failed to start transient service unit: Unit %s was already loaded or has a fragment file.\n", unit.name)
		return 1
	}
	q := *p
	q.ctx, q.stdin, q.stdout, q.stderr = ctx, strings.NewReader(""), io.Discard, io.Discard
	q.environ = expand.ListEnviron(append(p.session.environment(), append(options["setenv"], options["E"]...)...)...)
	var after []string
	for _, property := range append(options["p"], options["property"]...) {
		if command, ok := strings.CutPrefix(property, "ExecStopPost="); ok {
			after = strings.Fields(command)
		}
	}
	p.m.later(func() {
		defer cancel()
		q.exec(operands)
		if len(after) > 0 && ctx.Err() == nil {
			q.stdin = strings.NewReader("") // the other one's may still be read
			q.exec(after)
		}
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		if p.m.transients[unit.name] == unit {
			delete(p.m.transients, unit.name)
		}
	})
	return 0
}

// properties are what systemctl show says of it.
func (t *transient) properties() map[string]string {
	return map[string]string{
		"Id": t.name, "Names": t.name, "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Result": "success",
		"ExecMainStatus": "0", "NRestarts": "0", "Description": t.description, "UnitFileState": "transient",
		"ExecMainStartTimestamp": t.since.UTC().Format("Mon 2006-01-02 15:04:05 MST"),
	}
}
