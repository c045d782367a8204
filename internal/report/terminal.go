package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// drawEvery is how often the live view is drawn at most.
const drawEvery = 100 * time.Millisecond

// Terminal is the live view: a line a server, drawn anew as things happen, with
// warnings above it, and the closing table at the end.
//
// Emit only takes notes, so that a slow terminal holds nobody up; one goroutine
// draws. It ends in Close, which must be called.
type Terminal struct {
	out  io.Writer
	opts Options

	mu    sync.Mutex
	state *state
	above []string // lines that are to be printed above the view

	drawn  []string // the view as it stands on the screen; the drawing goroutine's
	hidden bool     // the cursor is

	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

// NewTerminal starts a live view on w, which should be a terminal that knows
// ANSI's sequences (see Detect).
func NewTerminal(w io.Writer, opts Options) *Terminal {
	t := &Terminal{
		out: w, opts: opts.withDefaults(), state: newState(),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	ticks, stopTicks := t.opts.Tick(drawEvery)
	go t.run(ticks, stopTicks)
	return t
}

// Emit takes in an event. It is safe for concurrent use.
func (t *Terminal) Emit(e event.Event) {
	now := t.opts.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state.apply(e, now)
	switch e := e.(type) {
	case event.Warning:
		t.above = append(t.above, t.warning(e)...)
	case event.Log:
		if t.opts.Verbose {
			t.above = append(t.above, t.logged(e))
		}
	}
}

// Close takes the live view off the screen, writes the closing table and ends
// the goroutine. Further calls do nothing.
func (t *Terminal) Close() {
	t.once.Do(func() {
		close(t.stop)
		<-t.stopped
		t.last()
	})
}

func (t *Terminal) run(ticks <-chan time.Time, stopTicks func()) {
	defer close(t.stopped)
	defer stopTicks()
	for {
		select {
		case <-t.stop:
			return
		case <-ticks:
			t.draw()
		}
	}
}

// draw puts the view on the screen as it is now. Only the goroutine calls it.
func (t *Terminal) draw() {
	l := t.live()
	now := t.opts.Now()
	t.mu.Lock()
	above := t.above
	t.above = nil
	lines := frame(t.state, l, now)
	t.mu.Unlock()
	if len(above) == 0 && equal(lines, t.drawn) {
		return
	}
	var b strings.Builder
	if !t.hidden {
		b.WriteString("\x1b[?25l")
		t.hidden = true
	}
	t.redraw(&b, l.width+1, append(above, lines...))
	t.drawn = lines
	put(t.out, b.String())
}

// last replaces the view by what stays. The goroutine has ended by then.
func (t *Terminal) last() {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.opts.look()
	lines := t.above
	if t.state.end != nil {
		lines = append(lines, closing(t.state, l, t.opts.Verbose)...)
	} else {
		lines = append(lines, frame(t.state, t.live(), t.opts.Now())...)
	}
	var b strings.Builder
	t.redraw(&b, l.width, lines)
	if t.hidden {
		b.WriteString("\x1b[?25h")
	}
	put(t.out, b.String())
}

// live is the look for the view: one column is left free, because in the last
// one terminals differ in when they go to the next line.
func (t *Terminal) live() look {
	l := t.opts.look()
	if l.width > 1 {
		l.width--
	}
	return l
}

// redraw writes lines over the view that stands there. All of it goes out as
// one update, so that terminals that can do so show no half of it.
func (t *Terminal) redraw(b *strings.Builder, columns int, lines []string) {
	if len(lines) == 0 && len(t.drawn) == 0 {
		return
	}
	b.WriteString("\x1b[?2026h\r")
	if n := heightOf(t.drawn, columns); n > 0 {
		fmt.Fprintf(b, "\x1b[%dA", n)
	}
	for _, line := range lines {
		b.WriteString(line + "\x1b[K\n")
	}
	b.WriteString("\x1b[J\x1b[?2026l")
}

// heightOf is how many rows lines take on a screen that has become as narrow as
// columns: terminals wrap what was wider.
func heightOf(lines []string, columns int) int {
	n := 0
	for _, line := range lines {
		n++
		if columns > 0 {
			n += max(width(clean(line))-1, 0) / columns
		}
	}
	return n
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// warning is wrapped at words: a person reads it, and it may be long.
func (t *Terminal) warning(e event.Warning) []string {
	l := t.opts.look()
	name := about(e.Subject, e.Step)
	lines := cleanLines(e.Text)
	var out []string
	for i, line := range lines {
		if i > 0 {
			out = append(out, indented(line))
			continue
		}
		wrapped := []string{name + " " + line}
		if l.width > 0 {
			wrapped = wrap(wrapped[0], l.width-2)
		}
		if rest, ok := strings.CutPrefix(wrapped[0], name); ok {
			wrapped[0] = l.dye(dim, name) + rest
		}
		out = append(out, l.dye(warn, l.symbols().warn)+" "+wrapped[0])
		out = append(out, wrapped[1:]...)
	}
	return out
}

func (t *Terminal) logged(e event.Log) string {
	l := t.opts.look()
	return l.dye(dim, about(e.Subject, e.Step)+" "+l.symbols().bar) + " " + clean(e.Line)
}

// about is "web/web-1 verify".
func about(s event.Subject, step string) string {
	return strings.TrimSpace(clean(s.String()) + " " + step)
}
