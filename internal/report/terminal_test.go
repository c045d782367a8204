package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
)

// screen is a terminal as far as the live view uses one: it wraps long lines,
// moves the cursor up, and erases.
type screen struct {
	width  int
	rows   []string // what stands there, escapes for colours left out
	y, x   int
	hidden bool
}

var sequence = regexp.MustCompile(`^\x1b\[(\??)(\d*)([A-Za-z])`)

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for len(text) > 0 {
		if m := sequence.FindStringSubmatch(text); m != nil {
			s.control(m[1]+m[3], m[2])
			text = text[len(m[0]):]
			continue
		}
		for _, r := range text {
			s.char(r)
			text = text[len(string(r)):]
			break
		}
	}
	return len(p), nil
}

func (s *screen) control(what, number string) {
	n, _ := strconv.Atoi(number)
	switch what {
	case "A":
		s.y = max(s.y-n, 0)
	case "K":
		s.row()
		s.rows[s.y] = string([]rune(s.rows[s.y])[:s.x])
	case "J":
		s.row()
		s.rows = s.rows[:s.y+1]
		s.rows[s.y] = string([]rune(s.rows[s.y])[:s.x])
	case "?h", "?l":
		if n == 25 {
			s.hidden = what == "?l"
		}
	}
}

func (s *screen) char(r rune) {
	switch r {
	case '\r':
		s.x = 0
		return
	case '\n':
		s.y, s.x = s.y+1, 0
		s.row()
		return
	}
	if s.width > 0 && s.x == s.width {
		s.y, s.x = s.y+1, 0
	}
	s.row()
	line := []rune(s.rows[s.y])
	for len(line) <= s.x {
		line = append(line, ' ')
	}
	line[s.x] = r
	s.rows[s.y] = string(line)
	s.x++
}

func (s *screen) row() {
	for len(s.rows) <= s.y {
		s.rows = append(s.rows, "")
	}
}

// narrow makes the screen narrower, as terminals do it: what is too wide wraps.
func (s *screen) narrow(columns int) {
	var rows []string
	for _, r := range s.rows {
		line := []rune(r)
		for len(line) > columns {
			rows = append(rows, string(line[:columns]))
			line = line[columns:]
		}
		rows = append(rows, string(line))
	}
	s.rows, s.width = rows, columns
	s.y = len(rows) - 1
}

func (s *screen) text() string {
	lines := make([]string, len(s.rows))
	for i, r := range s.rows {
		lines[i] = strings.TrimRight(r, " ")
	}
	return strings.Join(lines, "\n")
}

// stage is a live view on a screen whose frames are drawn on demand.
type stage struct {
	*Terminal
	screen *screen
	clock  *clock
	height int
	ticks  chan time.Time
	halted bool
}

func newStage(t *testing.T, columns int, verbose bool) *stage {
	t.Helper()
	s := &stage{screen: &screen{width: columns}, clock: &clock{now: began()}, height: 30, ticks: make(chan time.Time)}
	s.Terminal = NewTerminal(s.screen, Options{
		Unicode: true, Colour: true, Verbose: verbose, Now: s.clock.read,
		Size: func() (int, int) { return s.screen.width, s.height },
		Tick: func(time.Duration) (<-chan time.Time, func()) {
			return s.ticks, func() { s.halted = true }
		},
	})
	t.Cleanup(s.Close)
	return s
}

// tick lets the view be drawn, and comes back when it is.
func (s *stage) tick() {
	s.ticks <- s.clock.now
	synctest.Wait()
}

// onStage runs a test of a live view in a bubble, where it is known when the view
// has been drawn.
func onStage(t *testing.T, columns int, verbose bool, test func(t *testing.T, s *stage)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { test(t, newStage(t, columns, verbose)) })
}

func (s *stage) until(run []at, after time.Duration) {
	for _, e := range run {
		if e.after > after {
			continue
		}
		s.clock.now = began().Add(e.after)
		s.Emit(e.event)
	}
	s.tick()
}

func TestTerminalDrawsOverItsFormerFrame(t *testing.T) {
	onStage(t, 100, false, func(t *testing.T, s *stage) {
		run := goodRun()
		for i, e := range run {
			if e.after > 85*time.Second {
				break
			}
			s.clock.now = began().Add(e.after)
			s.Emit(e.event)
			if i%2 == 0 {
				s.tick()
			}
		}
		s.clock.now = began().Add(85 * time.Second)
		s.tick()
		if !s.screen.hidden {
			t.Error("the cursor blinks in the live view")
		}
		golden(t, "screen-droplets.txt", s.screen.text())
	})
}

func TestTerminalLeavesWarningsAndTheClosingTable(t *testing.T) {
	t.Parallel()
	for name, run := range scenarios() {
		t.Run(name, func(t *testing.T) {
			onStage(t, 100, false, func(t *testing.T, s *stage) {
				for _, e := range run {
					s.clock.now = began().Add(e.after)
					s.Emit(e.event)
					s.tick()
				}
				s.Close()
				s.Close()
				s.Emit(event.Warning{Text: "after the end"})
				if s.screen.hidden {
					t.Error("the cursor is gone")
				}
				if !s.halted {
					t.Error("the ticker runs on")
				}
				want := strings.Join(closing(stateAt(run, time.Hour), look{width: 100, unicode: true}, false), "\n") + "\n"
				if name == "good" {
					want = "! db build the flake is dirty:\n    the revision does not say what is built\n" + want
				}
				wide := &screen{width: 100}
				fmt.Fprint(wide, want)
				if diff := cmp.Diff(wide.text(), s.screen.text()); diff != "" {
					t.Errorf("the screen differs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestTerminalStaysCleanWhenItBecomesNarrow(t *testing.T) {
	onStage(t, 100, false, func(t *testing.T, s *stage) {
		s.until(goodRun(), 17*time.Second)
		for _, columns := range []int{61, 40, 33} {
			s.screen.narrow(columns)
			s.clock.now = s.clock.now.Add(time.Second)
			s.tick()
			if n := strings.Count(s.screen.text(), "snowdrop deploy"); n != 1 {
				t.Errorf("at %d columns the head stands there %d times:\n%s", columns, n, s.screen.text())
			}
		}
		golden(t, "screen-narrowed.txt", s.screen.text())
	})
}

func TestTerminalShowsLogLinesAboveTheViewWhenVerbose(t *testing.T) {
	onStage(t, 100, true, func(t *testing.T, s *stage) {
		s.until(goodRun(), 2*time.Second)
		golden(t, "screen-verbose.txt", s.screen.text())
	})
}

func TestTerminalWrapsALongWarningAtWords(t *testing.T) {
	onStage(t, 50, false, func(t *testing.T, s *stage) {
		s.Emit(event.Warning{Subject: on("web", "web-1"), Step: "plan", Text: "has never run a custom image, it runs a base image; rebuild one such droplet alone first"})
		s.tick()
		want := `! web/web-1 plan has never run a custom image, it
  runs a base image; rebuild one such droplet
  alone first
`
		if diff := cmp.Diff(want, s.screen.text()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestTerminalWritesNothingWhileNothingChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ticks := make(chan time.Time)
		c := &clock{now: began()}
		term := NewTerminal(&out, Options{Now: c.read, Tick: func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }})
		defer term.Close()
		tick := func() {
			ticks <- c.now
			synctest.Wait()
		}
		tick()
		term.Emit(planned())
		tick()
		n := out.Len()
		for range 5 {
			tick()
		}
		if out.Len() != n {
			t.Error("the same frame was written again")
		}
	})
}

// TestReadersTakeEventsFromManyAtOnce is for the race detector.
func TestReadersTakeEventsFromManyAtOnce(t *testing.T) {
	t.Parallel()
	term := NewTerminal(io.Discard, Options{Verbose: true})
	plain := NewPlain(io.Discard, Options{Verbose: true})
	sink := event.Tee(term, plain, NewJSON(io.Discard, nil))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for _, run := range scenarios() {
				for _, e := range run {
					sink.Emit(e.event)
				}
			}
			if i%2 == 0 {
				term.Close()
				plain.Close()
			}
		})
	}
	wg.Wait()
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestAWriteErrorStopsNothing(t *testing.T) {
	t.Parallel()
	c := &clock{}
	term := NewTerminal(broken{}, Options{Now: time.Now})
	plain := NewPlain(broken{}, Options{Now: c.read})
	play(goodRun(), c, event.Tee(term, plain, NewJSON(broken{}, c.read)))
	term.Close()
	plain.Close()
	Table(broken{}, []string{"A"}, [][]string{{"b"}}, Options{})
}

func TestDetect(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		env     map[string]string
		unicode bool
	}{
		{"nothing is said", nil, false},
		{"a UTF-8 locale", map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{"spelt otherwise", map[string]string{"LC_CTYPE": "C.utf8"}, true},
		{"LC_ALL wins", map[string]string{"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, live := Detect(io.Discard, func(name string) string { return tt.env[name] })
			if live || o.Colour {
				t.Error("a live view where there is no terminal")
			}
			if o.Unicode != tt.unicode {
				t.Errorf("Unicode %v, want %v", o.Unicode, tt.unicode)
			}
			if columns, _ := o.Size(); columns != 0 {
				t.Errorf("a width of %d without a terminal", columns)
			}
		})
	}
}
