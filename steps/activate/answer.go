package activate

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/versatus/snowdrop/internal/remote"
)

// errNoAnswer says that the script did not run, or not to its end.
var errNoAnswer = errors.New("incomplete answer")

// answer is what one script said.
type answer struct {
	values map[string]string
	logs   map[string][]string
}

// parse reads lines "key=value" and "log:text" between the first and the last line;
// what a login shell prints before is none of ours.
func parse(stdout []byte) (answer, error) {
	a := answer{values: map[string]string{}, logs: map[string][]string{}}
	started := false
	for line := range strings.SplitSeq(string(stdout), "\n") {
		switch {
		case !started:
			started = line == firstLine
		case line == lastLine:
			return a, nil
		default:
			at := strings.IndexAny(line, "=:")
			if at < 0 {
				continue
			}
			key, value := line[:at], printable(line[at+1:])
			if line[at] == '=' {
				a.values[key] = value
			} else {
				a.logs[key] = append(a.logs[key], value)
			}
		}
	}
	return a, errNoAnswer
}

// How a switch stands.
const (
	stateWaiting = "waiting"

	outcomeKept      = "kept"      // it runs, or with Boot will run at the next boot
	outcomeConfirmed = "confirmed" // Test: it runs until the next boot
	outcomeUnchanged = "unchanged"
	outcomeWentBack  = "went-back"
	outcomeNotKept   = "not-kept" // the profile or the boot loader could not be set
	outcomeStuck     = "stuck"
)

func (a answer) outcome() string { return a.values["outcome"] }
func (a answer) state() string   { return a.values["state"] }
func (a answer) current() string { return a.values["current"] }

// gone says that the machine knows nothing of the switch: it booted since.
func (a answer) gone() bool { return a.values["gone"] != "" }

// over says that nothing more will happen.
func (a answer) over() bool {
	if a.outcome() != "" || a.gone() {
		return true
	}
	unit := a.values["unit"]
	return unit == "inactive" || unit == "failed"
}

// dead says that the unit has ended and left nothing decided.
func (a answer) dead() bool { return a.over() && a.outcome() == "" && !a.gone() }

// exit is an exit status, or -1 where there is none.
func (a answer) exit(name string) int {
	var n int
	if _, err := fmt.Sscanf(a.values[name], "%d", &n); err != nil {
		return -1
	}
	return n
}

// said is what a script complained of.
func said(res remote.Result) string {
	text := strings.Join(strings.Fields(printable(string(res.Stderr))), " ")
	const enough = 300
	if len(text) > enough {
		text = "…" + strings.ToValidUTF8(text[len(text)-enough:], "")
	}
	if text == "" {
		return "it said nothing"
	}
	return text
}

// printable removes what would disturb a terminal or a log.
func printable(text string) string {
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return -1
		case r == utf8.RuneError:
			return '?'
		}
		return r
	}, text), " ")
}
