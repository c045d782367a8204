package systemd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/release"
)

// The answer is made of sections. A header stands at the start of its line and
// begins with "== "; every line of a section's body begins with a space, so that
// nothing that a machine prints can be taken for a header:
//
//	== snowdrop-look v1
//	== boot-id                    one line
//	== uptime                     the line of /proc/uptime
//	== system                     one line, or none
//	== release                    the lines of /etc/snowdrop/release.json, if it is there
//	== state                      one word
//	== unit USER NAME             a wanted unit; USER is "-" for a system unit;
//	                              lines KEY=VALUE as systemctl show prints them
//	== failed USER NAME           a failed unit, likewise
//	== journal                    of the unit before it: lines of journalctl -o json
//	== restarted                  lines NAME COUNT: services that were restarted
//	== jobs, loaded, host-keys, note      lines
//	== end
//
// Without the last header the answer is incomplete. Headers that are not known
// are passed over with their bodies.
const (
	headerPrefix = "== "
	firstHeader  = "snowdrop-look v1"
	lastHeader   = "end"
	noUser       = "-"
)

// ErrIncomplete says that the answer's first or last line is missing: the script
// did not run, or not to its end.
var ErrIncomplete = errors.New("incomplete answer")

// ParseRequest finds the Request in a look's script; false where the text is not
// such a script.
func ParseRequest(script string) (Request, bool) {
	var req Request
	rest, ok := strings.CutPrefix(script, Marker+"\n"+RequestPrefix)
	if !ok {
		return req, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	if err := json.Unmarshal([]byte(line), &req); err != nil {
		return Request{}, false
	}
	return req, true
}

// Render writes a State in the format that Parse reads.
func Render(s State) []byte {
	var b bytes.Buffer
	section := func(header string, lines ...string) {
		b.WriteString(headerPrefix + header + "\n")
		for _, l := range lines {
			b.WriteString(" " + strings.ReplaceAll(l, "\n", " ") + "\n")
		}
	}
	section(firstHeader)
	section("boot-id", s.BootID)
	section("uptime", strconv.FormatFloat(s.Uptime.Seconds(), 'f', 3, 64))
	section("system", s.System)
	if s.Claim != nil {
		section("release", s.Claim.line())
	}
	section("state", s.Word)
	units := func(header string, list []release.Unit) {
		for _, u := range list {
			section(header+" "+userWord(u.User)+" "+u.Name, properties(u)...)
			if len(u.Journal) > 0 {
				section("journal", journalLines(u.Journal)...)
			}
		}
	}
	units("unit", s.Units)
	units("failed", s.Failed)
	if len(s.Restarted) > 0 {
		var lines []string
		for _, u := range s.Restarted {
			lines = append(lines, u.Name+" "+strconv.Itoa(u.Restarts))
		}
		section("restarted", lines...)
	}
	lists := []struct {
		header string
		lines  []string
	}{{"jobs", s.Jobs}, {"loaded", s.Loaded}, {"host-keys", s.HostKeys}, {"note", s.Notes}}
	for _, l := range lists {
		if len(l.lines) > 0 {
			section(l.header, l.lines...)
		}
	}
	section(lastHeader)
	return b.Bytes()
}

// Parse reads an answer. Of the Request it uses AllowFailed alone.
func Parse(answer []byte, req Request) (State, error) {
	var s State
	sections, err := split(answer)
	if err != nil {
		return s, err
	}
	var last *release.Unit // the unit that a journal belongs to
	for _, sec := range sections {
		word, rest, _ := strings.Cut(sec.header, " ")
		switch word {
		case "boot-id":
			s.BootID = first(sec.body)
		case "uptime":
			s.Uptime, err = parseUptime(first(sec.body))
		case "system":
			s.System = first(sec.body)
		case "release":
			s.claimed(sec.body)
		case "state":
			s.Word = first(sec.body)
		case "unit":
			s.Units, last, err = appendUnit(s.Units, rest, sec.body, nil)
		case "failed":
			s.Failed, last, err = appendUnit(s.Failed, rest, sec.body, req.AllowFailed)
		case "journal":
			if last != nil {
				last.Journal = messages(sec.body)
			}
		case "restarted":
			s.Restarted, err = restarted(sec.body, req.AllowFailed)
		case "jobs":
			s.Jobs = sec.body
		case "loaded":
			s.Loaded = append(s.Loaded, sec.body...)
		case "host-keys":
			s.HostKeys = sec.body
		case "note":
			s.Notes = append(s.Notes, sec.body...)
		}
		if err != nil {
			return State{}, fmt.Errorf("read section %q: %w", sec.header, err)
		}
	}
	return s, nil
}

type section struct {
	header string
	body   []string // without empty lines, trimmed
}

func split(answer []byte) ([]section, error) {
	var (
		out     []section
		started bool
	)
	for line := range strings.SplitSeq(string(answer), "\n") {
		header, isHeader := strings.CutPrefix(line, headerPrefix)
		header = strings.TrimSpace(header)
		switch {
		case !started:
			// What a login shell prints before the script is none of ours.
			started = isHeader && header == firstHeader
		case isHeader && header == lastHeader:
			return out, nil
		case isHeader:
			out = append(out, section{header: header})
		case strings.HasPrefix(line, " ") && len(out) > 0:
			if text := strings.TrimSpace(line); text != "" {
				out[len(out)-1].body = append(out[len(out)-1].body, text)
			}
		}
	}
	if !started {
		return nil, fmt.Errorf("%w: no line %q in it", ErrIncomplete, headerPrefix+firstHeader)
	}
	return nil, fmt.Errorf("%w: it ends before the line %q", ErrIncomplete, headerPrefix+lastHeader)
}

func first(body []string) string {
	if len(body) == 0 {
		return ""
	}
	return body[0]
}

func parseUptime(text string) (time.Duration, error) {
	number, _, _ := strings.Cut(text, " ")
	seconds, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("uptime %q is not a number of seconds: %w", text, err)
	}
	const century = 100 * 365 * 24 * 3600
	if !(seconds >= 0 && seconds < century) { // written so that NaN fails too
		return 0, fmt.Errorf("uptime of %q seconds cannot be", number)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Millisecond), nil
}

func userWord(user string) string {
	if user == "" {
		return noUser
	}
	return user
}
