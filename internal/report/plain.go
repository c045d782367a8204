package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/versatus/snowdrop/internal/event"
)

// Plain writes lines for a log that nobody draws in: one for each beginning and
// end of a step, some on the way, and the closing table.
//
//	12:04:05 web      upload     18.2 MB of 40 MB (3.1 MB/s)
//
// The times are those of the clock in the options, in its own time zone.
type Plain struct {
	out  io.Writer
	opts Options

	mu     sync.Mutex
	state  *state
	said   map[voice]saying
	names  int
	closed bool
}

// voice is who speaks: a step on a subject.
type voice struct {
	subject event.Subject
	step    string
}

// saying is what a voice said last.
type saying struct {
	at    time.Time
	done  int64
	phase string
}

const (
	// progressGap is the least time between two lines about a step's progress,
	// progressRest the time after which there is one however little was done.
	progressGap  = 3 * time.Second
	progressRest = 15 * time.Second
)

// NewPlain writes to w. Close must be called at the end.
func NewPlain(w io.Writer, opts Options) *Plain {
	return &Plain{out: w, opts: opts.withDefaults(), state: newState(), said: map[voice]saying{}}
}

// Emit takes in an event and writes what is worth a line. It is safe for
// concurrent use.
func (p *Plain) Emit(e event.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.opts.Now()
	p.state.apply(e, now)
	if p.closed {
		return
	}
	switch e := e.(type) {
	case event.RunStarted:
		p.names = p.nameColumn()
		p.say(now, event.Subject{}, e.Verb, p.opening(e))
	case event.StepStarted:
		p.said[voice{e.Subject, e.Step}] = saying{at: now}
		p.say(now, e.Subject, e.Step, "started")
	case event.Progress:
		p.progress(e, now)
	case event.Phase:
		p.phase(e, now)
	case event.Log:
		if p.opts.Verbose {
			p.say(now, e.Subject, e.Step, p.opts.look().symbols().bar+" "+clean(e.Line))
		}
	case event.Warning:
		lines := cleanLines(e.Text)
		p.say(now, e.Subject, e.Step, p.opts.look().dye(warn, "warning:")+" "+lines[0], lines[1:]...)
	case event.StepFinished:
		delete(p.said, voice{e.Subject, e.Step})
		p.say(now, e.Subject, e.Step, p.finished(e))
	case event.DropletFinished:
		p.ended(now, e.Subject, e.Outcome, e.State)
	case event.ServerFinished:
		p.ended(now, e.Subject, e.Outcome, e.Detail)
	}
}

// Close writes the closing table. Further events and calls do nothing.
func (p *Plain) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.closed = true
	if lines := closing(p.state, p.opts.look(), p.opts.Verbose); len(lines) > 0 {
		putLines(p.out, append([]string{""}, lines...))
	}
}

func (p *Plain) nameColumn() int {
	n := len("fleet")
	for _, server := range p.state.servers {
		n = max(n, width(server.subject.String()))
		for _, d := range server.droplets {
			n = max(n, width(d.subject.String()))
		}
	}
	return min(n, 40)
}

// say writes one line, and further ones indented below it. They are clean already.
func (p *Plain) say(now time.Time, s event.Subject, step, text string, further ...string) {
	l := p.opts.look()
	head := now.Format(time.TimeOnly) + " " + pad(clean(s.String()), p.names) + "  "
	out := []string{strings.TrimRight(l.dye(dim, head)+pad(step, len("provision"))+"  "+text, " ")}
	for _, line := range further {
		out = append(out, strings.Repeat(" ", width(head))+indented(line))
	}
	putLines(p.out, out)
}

func (p *Plain) opening(e event.RunStarted) string {
	text := plural(len(e.Servers), "server")
	if e.Revision != "" {
		text += " at " + Short(e.Revision)
	}
	if e.DryRun {
		text += " (dry run, nothing will be changed)"
	}
	return text
}

func (p *Plain) progress(e event.Progress, now time.Time) {
	key := voice{e.Subject, e.Step}
	last := p.said[key]
	if last.at.IsZero() {
		last.at = now
		p.said[key] = last
	}
	quiet := now.Sub(last.at)
	enough := e.Total > 0 && (e.Done-last.done)*10 >= e.Total
	if e.Total > 0 && e.Done >= e.Total {
		return // the step's end is told soon
	}
	if quiet < progressGap || (!enough && quiet < progressRest) {
		return
	}
	t := p.state.line(e.Subject, now).task(e.Step, now)
	last.at, last.done = now, e.Done
	p.said[key] = last
	p.say(now, e.Subject, e.Step, t.plainFacts(now))
}

// plainFacts is "18.2 MB of 40 MB (3.1 MB/s)".
func (t *task) plainFacts(now time.Time) string {
	if t.unit != "bytes" {
		return strings.Join(t.facts(now), " ")
	}
	text := Bytes(t.done)
	if t.total > 0 {
		text += " of " + Bytes(t.total)
	}
	if speed := t.speed.perSecond(now); speed >= 1 {
		text += " (" + Bytes(int64(speed)) + "/s)"
	}
	return text
}

// phase writes a phase that differs from the one before in more than numbers,
// such as a count of seconds; with other numbers it is written now and then.
func (p *Plain) phase(e event.Phase, now time.Time) {
	key := voice{e.Subject, e.Step}
	last := p.said[key]
	words := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, e.Text)
	if words == last.phase && now.Sub(last.at) < progressRest {
		return
	}
	last.at, last.phase = now, words
	p.said[key] = last
	p.say(now, e.Subject, e.Step, clean(e.Text))
}

func (p *Plain) finished(e event.StepFinished) string {
	l := p.opts.look()
	sym := l.symbols()
	took := " (" + Duration(e.Took) + ")"
	switch {
	case errors.Is(e.Err, context.Canceled):
		return l.dye(warn, sym.idle+" cancelled") + took
	case e.Err != nil:
		return l.dye(bad, sym.bad+" failed") + took + ": " + firstLine(reason(e.Err, e.Subject, e.Step))
	case e.Skipped != "":
		return l.dye(dim, sym.idle+" skipped") + ": " + firstLine(e.Skipped)
	case e.Result != "":
		return l.dye(good, sym.good) + " " + firstLine(e.Result) + took
	default:
		return l.dye(good, sym.good) + " done" + took
	}
}

func (p *Plain) ended(now time.Time, s event.Subject, o event.Outcome, detail string) {
	l := p.opts.look()
	sign, st := l.glyph(o)
	text := l.dye(st, sign+" "+string(o))
	if detail = firstLine(detail); detail != "" {
		text += fmt.Sprintf(": %s", detail)
	}
	p.say(now, s, "", text)
}
