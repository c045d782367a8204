package workflow

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// Log tells a run in the step's log: a line for each beginning and end as it comes,
// and for each server, when it is done, a group with all that was printed on its
// behalf and what its verifications saw.
type Log struct {
	commands *Commands
	plain    *report.Plain

	mu       sync.Mutex
	printed  map[string]*printed // by server; "" is the run's own
	warnings int
}

// printed is what programs and servers printed. Its beginning is dropped where it
// grows large.
type printed struct {
	lines   []string
	dropped int
}

// maxLines is how many lines of a server are kept for its group.
const maxLines = 5000

// NewLog writes to commands, with times by now. Close must be called at the end.
func NewLog(commands *Commands, now func() time.Time) *Log {
	options := report.Options{
		Colour: true, Unicode: true, Now: now,
		Size: func() (int, int) { return 0, 0 }, // the page scrolls
	}
	return &Log{commands: commands, plain: report.NewPlain(commands, options), printed: map[string]*printed{}}
}

// maxWarnings is how many warnings of a step GitHub shows as annotations; all of
// them stand in the log.
const maxWarnings = 10

// Emit takes in an event. It is safe for concurrent use.
func (l *Log) Emit(e event.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if warning, ok := e.(event.Warning); ok && l.warnings < maxWarnings {
		l.warnings++
		l.commands.Warning("snowdrop: "+warning.String(), warning.Text) // the runner shows it in the log too
		return
	}
	if end, ok := e.(event.RunFinished); ok {
		end.Next = nil // commands for a terminal, which nobody sits at
		e = end
	}
	l.plain.Emit(e)
	switch e := e.(type) {
	case event.Log:
		l.keep(e.Server, lead(e.Droplet, e.Step)+e.Line)
	case event.Evidence:
		l.evidence(e)
	case event.StepFinished:
		if e.Server == "" {
			l.group("", "all that was printed by: "+e.Step)
		}
	case event.ServerFinished:
		l.group(e.Server, fmt.Sprintf("%s: %s, %s; all that was printed and seen", e.Server, e.Outcome, report.Duration(e.Took)))
	}
}

// lead names who printed a line.
func lead(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		if name != "" {
			b.WriteString(name + " ")
		}
	}
	return b.String() + "│ "
}

func (l *Log) evidence(e event.Evidence) {
	for _, check := range e.Evidence.Checks {
		sign := "✓"
		if !check.OK {
			sign = "✗"
		}
		l.keep(e.Server, fmt.Sprintf("%s%s %s: wanted %s, got %s", lead(e.Droplet, "verify"), sign, check.Name, orNone(check.Want), orNone(check.Got)))
	}
	for _, unit := range e.Evidence.Failed {
		for _, line := range unit.Journal {
			l.keep(e.Server, lead(e.Droplet, unit.Name)+line)
		}
	}
}

func orNone(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}

func (l *Log) keep(server, line string) {
	p := l.printed[server]
	if p == nil {
		p = &printed{}
		l.printed[server] = p
	}
	p.lines = append(p.lines, strings.Split(strings.TrimRight(line, "\r\n"), "\n")...)
	if over := len(p.lines) - maxLines; over > maxLines/10 { // now and then, not at every line
		p.lines = append(p.lines[:0:0], p.lines[over:]...)
		p.dropped += over
	}
}

// group writes and forgets what was printed; nothing where nothing was.
func (l *Log) group(server, title string) {
	p := l.printed[server]
	if p == nil {
		return
	}
	delete(l.printed, server)
	if p.dropped > 0 {
		title += fmt.Sprintf(" (without the first %d lines)", p.dropped)
	}
	l.commands.Group(title, p.lines)
}

// Close writes the closing table, and what was printed for servers whose end
// nobody told.
func (l *Log) Close() {
	l.mu.Lock()
	for server := range l.printed {
		l.group(server, "all that was printed until the run broke off: "+event.Subject{Server: server}.String())
	}
	l.mu.Unlock()
	l.plain.Close()
}
