package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/versatus/snowdrop/internal/event"
)

// Bytes writes a size in decimal units, as DigitalOcean bills them: "18.2 MB".
func Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	value, unit := float64(n), 0
	for math.Abs(rounded(value)) >= 1000 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	return strconv.FormatFloat(rounded(value), 'f', -1, 64) + " " + units[unit]
}

// rounded keeps three digits at most: one after the point, none from 100 on.
func rounded(v float64) float64 {
	if math.Abs(v) >= 99.95 {
		return math.Round(v)
	}
	return math.Round(v*10) / 10
}

// Duration writes a time span in few characters: "0.4s", "12s", "1m20s", "2h05m".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < 9950*time.Millisecond:
		return strconv.FormatFloat(math.Round(d.Seconds()*10)/10, 'f', -1, 64) + "s"
	}
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	default:
		return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
	}
}

// elapsed is Duration in whole seconds, for numbers that change while one looks.
func elapsed(d time.Duration) string {
	return Duration(max(d, 0).Truncate(time.Second))
}

// Short is a git revision as git shortens it, a "-dirty" at its end kept.
func Short(revision string) string {
	hash, dirty := strings.CutSuffix(revision, "-dirty")
	if len(hash) <= 7 || strings.Trim(hash, "0123456789abcdef") != "" {
		return revision
	}
	if dirty {
		return hash[:7] + "-dirty"
	}
	return hash[:7]
}

// storeHash finds Nix's 32 characters, which have no e, o, t and u.
var storeHash = regexp.MustCompile(`(?:^|[/-])([0-9a-df-np-sv-z]{32})(?:-|$)`)

// ShortImage is the beginning of the hash in an image's name or store path, or
// the text as it is where there is none.
func ShortImage(image string) string {
	if m := storeHash.FindStringSubmatch(image); m != nil {
		return m[1][:8]
	}
	return image
}

// plural is "1 server" or "3 servers".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// escapes are the sequences that programs colour their output with or move the
// cursor by. Those of a foreign program must not reach our terminal.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\^_])")

// clean makes one line of text that shows as it is: no escapes, no control
// characters, tabs as spaces.
func clean(s string) string {
	s = strings.TrimRight(s, "\r\n")
	if i := strings.LastIndexByte(s, '\r'); i >= 0 {
		s = s[i+1:] // a progress line that was written over
	}
	s = escapes.ReplaceAllString(s, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r):
			return -1
		default:
			return r
		}
	}, s)
}

// cleanLines splits text of several lines and cleans each of them.
func cleanLines(text string) []string {
	lines := strings.Split(strings.TrimRight(text, " \t\r\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(clean(strings.ReplaceAll(l, "\t", "    ")), " ")
	}
	return lines
}

// firstLine is the first line of a text that has something on it.
func firstLine(text string) string {
	for _, l := range cleanLines(text) {
		if l = strings.TrimSpace(l); l != "" {
			return l
		}
	}
	return ""
}

// reason is an error's text for a place that names the subject and the step
// already: without the beginning that names them too.
func reason(err error, s event.Subject, step string) string {
	text := err.Error()
	for _, prefix := range []string{step + " " + s.String(), step, s.String()} {
		if rest, ok := strings.CutPrefix(text, prefix+": "); ok && prefix != "" {
			return rest
		}
	}
	return text
}
