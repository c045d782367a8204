// Package report turns the events of a run into words: a live view for a
// terminal, plain lines for a log, JSON for programs, and the closing table.
//
// A report never changes the outcome of a run: what cannot be written is lost.
package report

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// Options say how a reader writes. The zero value writes ASCII without colours,
// 80 columns wide, by the real clock.
type Options struct {
	// Colour turns on ANSI colours.
	Colour bool
	// Unicode allows ✓ and the like; without it there is only ASCII.
	Unicode bool
	// Verbose shows every line of the programs that are run. Without it their
	// last lines are shown where a step failed.
	Verbose bool
	// Size is the terminal's size now; it is asked again for every frame. A
	// width of 0 means that lines may be as long as they like.
	Size func() (width, height int)
	// Now is the clock.
	Now func() time.Time
	// Tick starts a ticker and returns its channel and how to stop it.
	Tick func(time.Duration) (<-chan time.Time, func())
}

// Detect finds out what w can show, by the environment that getenv reads (as
// os.Getenv) and by asking the terminal. live says whether w is a terminal that
// a live view can be drawn on.
//
// Colours are off with NO_COLOR, with TERM=dumb and where w is no terminal.
// The locale (LC_ALL, LC_CTYPE, LANG) decides about Unicode.
func Detect(w io.Writer, getenv func(string) string) (o Options, live bool) {
	o.Unicode = isUTF8(getenv)
	file, ok := w.(*os.File)
	if !ok {
		o.Size = func() (int, int) { return 0, 0 }
		return o, false
	}
	fd := int(file.Fd()) //nolint:gosec // a file descriptor is a small number
	if !term.IsTerminal(fd) {
		o.Size = func() (int, int) { return 0, 0 }
		return o, false
	}
	live = getenv("TERM") != "dumb"
	o.Colour = live && getenv("NO_COLOR") == ""
	o.Size = func() (int, int) {
		width, height, err := term.GetSize(fd)
		if err != nil || width <= 0 || height <= 0 {
			return fallbackWidth, fallbackHeight
		}
		return width, height
	}
	return o, live
}

const (
	fallbackWidth  = 80
	fallbackHeight = 24
)

func isUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(strings.ReplaceAll(v, "-", ""))
			return strings.Contains(v, "utf8")
		}
	}
	return false
}

func (o Options) withDefaults() Options {
	if o.Size == nil {
		o.Size = func() (int, int) { return fallbackWidth, fallbackHeight }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tick == nil {
		o.Tick = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return o
}

func (o Options) look() look {
	width, height := o.Size()
	return look{width: width, height: height, colour: o.Colour, unicode: o.Unicode}
}

// put writes as much as can be written; see the package's comment.
func put(w io.Writer, text string) {
	_, _ = io.WriteString(w, text)
}

// putLines writes lines, each with its end, in one go so that the lines of
// other writers do not come between.
func putLines(w io.Writer, lines []string) {
	if len(lines) > 0 {
		put(w, strings.Join(lines, "\n")+"\n")
	}
}
