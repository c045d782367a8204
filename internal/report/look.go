package report

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/versatus/snowdrop/internal/event"
)

// look is what lines are drawn for: the size of the surface and what it can show.
type look struct {
	width, height int // 0: no limit
	colour        bool
	unicode       bool
}

// style is how a piece of text stands out.
type style string

// The styles, as the parameters of ANSI's "select graphic rendition".
const (
	normal style = ""
	dim    style = "2"
	bold   style = "1"
	good   style = "32"
	bad    style = "31"
	warn   style = "33"
	busy   style = "36"
)

// span is a piece of a line in one style.
type span struct {
	text  string
	style style
}

// row is a line: spans from the left, and one that stands at the right end.
type row struct {
	left  []span
	right span
}

func (r *row) add(st style, text string) { r.left = append(r.left, span{text, st}) }

// symbols are the few signs that the views use.
type symbols struct {
	good, bad, idle, back, warn, arrow, dots, bar, sep string
	full, tip, empty, rest, about                      string
	spin                                               []string
}

func (l look) symbols() symbols {
	if l.unicode {
		return symbols{
			good: "✓", bad: "✗", idle: "•", back: "↻", warn: "!", arrow: "→", dots: "…", bar: "│", sep: "·",
			full: "━", tip: "╸", empty: "─", rest: "·", about: "≈ ",
			spin: []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"},
		}
	}
	return symbols{
		good: "+", bad: "x", idle: "-", back: "<", warn: "!", arrow: "->", dots: "...", bar: "|", sep: "-",
		full: "=", tip: ">", empty: ".", rest: ".", about: "about ",
		spin: []string{"|", "/", "-", `\`},
	}
}

// glyph is the sign and the style of an outcome.
func (l look) glyph(o event.Outcome) (string, style) {
	sym := l.symbols()
	switch o {
	case event.Verified, event.Built, event.Prepared, event.Begun, event.Pruned, event.Evaluated:
		return sym.good, good
	case event.Unchanged:
		return sym.good, dim
	case event.Failed:
		return sym.bad, bad
	case event.RolledBack:
		return sym.back, bad
	case event.Cancelled, event.WouldDo, event.WouldVerify:
		return sym.idle, warn
	default:
		return sym.idle, dim
	}
}

// paint draws a row on the look's width: cut where it is too long, never
// wrapped, with the right span at the right end.
func (l look) paint(r row) string {
	var b strings.Builder
	room := -1
	if l.width > 0 {
		if l.width < 2*width(r.right.text)+2 {
			r.right.text = ""
		}
		room = l.width - width(r.right.text)
		if r.right.text != "" {
			room -= 2
		}
		room = max(room, 0)
	}
	used := 0
	for _, s := range r.left {
		text := s.text
		if room >= 0 {
			text = l.cut(text, room-used)
		}
		used += width(text)
		b.WriteString(l.dye(s.style, text))
		if room >= 0 && used >= room {
			break
		}
	}
	if r.right.text != "" {
		gap := 2
		if room >= 0 {
			gap = room - used + 2
		}
		b.WriteString(strings.Repeat(" ", max(gap, 0)))
		b.WriteString(l.dye(r.right.style, r.right.text))
	}
	return strings.TrimRight(b.String(), " ")
}

func (l look) dye(st style, text string) string {
	if !l.colour || st == normal || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + string(st) + "m" + text + "\x1b[0m"
}

// cut shortens text to n columns; 0 or less of an unlimited look is no limit.
func (l look) cut(text string, n int) string {
	if l.width <= 0 || width(text) <= n {
		return text
	}
	dots := l.symbols().dots
	if n <= len(dots) {
		return condition().Truncate(text, max(n, 0), "")
	}
	return condition().Truncate(text, n, dots)
}

// width is how many columns a terminal needs for text without escapes.
func width(text string) int { return condition().StringWidth(text) }

// condition does not look at the locale: the signs that we draw are narrow.
func condition() *runewidth.Condition { return &runewidth.Condition{StrictEmojiNeutral: true} }

// pad fills text with spaces up to n columns.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(n-width(text), 0))
}
