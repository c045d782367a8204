package systemd

import (
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/versatus/snowdrop/internal/release"
)

// showProperties are what is asked of systemctl show.
const showProperties = "LoadState,ActiveState,SubState,Result,ExecMainStatus,NRestarts"

func properties(u release.Unit) []string {
	load := u.Load
	if load == "" {
		load = "loaded"
	}
	return []string{
		"LoadState=" + load,
		"ActiveState=" + u.Active,
		"SubState=" + u.Sub,
		"Result=" + u.Result,
		"ExecMainStatus=" + strconv.Itoa(u.ExitStatus),
		"NRestarts=" + strconv.Itoa(u.Restarts),
	}
}

// appendUnit reads a unit's section and returns a pointer to where it now is.
func appendUnit(list []release.Unit, names string, body, allowed []string) ([]release.Unit, *release.Unit, error) {
	user, name, ok := strings.Cut(names, " ")
	if !ok || user == "" || name == "" {
		return list, nil, fmt.Errorf("%q is not a user and a unit", names)
	}
	u := release.Unit{Name: name}
	if user != noUser {
		u.User = user
	}
	for _, line := range body {
		key, value, _ := strings.Cut(line, "=")
		var err error
		switch key {
		case "LoadState":
			if value != "loaded" {
				u.Load = value
			}
		case "ActiveState":
			u.Active = value
		case "SubState":
			u.Sub = value
		case "Result":
			u.Result = value
		case "ExecMainStatus":
			u.ExitStatus, err = number(value)
		case "NRestarts":
			u.Restarts, err = number(value)
		}
		if err != nil {
			return list, nil, fmt.Errorf("%s of unit %s: %w", key, name, err)
		}
	}
	u.Allowed = isAllowed(u, allowed)
	list = append(list, u)
	return list, &list[len(list)-1], nil
}

func restarted(body, allowed []string) ([]release.Unit, error) {
	var out []release.Unit
	for _, line := range body {
		name, count, _ := strings.Cut(line, " ")
		n, err := number(strings.TrimSpace(count))
		if err != nil {
			return nil, fmt.Errorf("restarts of unit %s: %w", name, err)
		}
		u := release.Unit{Name: name, Restarts: n}
		u.Allowed = isAllowed(u, allowed)
		out = append(out, u)
	}
	return out, nil
}

// number reads systemd's numbers; a unit without a process has none.
func number(value string) (int, error) {
	if value == "" || value == "[not set]" {
		return 0, nil
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number: %w", value, err)
	}
	return n, nil
}

// isAllowed says whether one of the globs names the unit. A name without its
// suffix is that of a service, as for systemctl.
func isAllowed(u release.Unit, globs []string) bool {
	name := u.Name
	if u.User != "" {
		name = u.User + "/" + u.Name
	}
	for _, glob := range globs {
		for _, g := range []string{glob, glob + ".service"} {
			if ok, err := path.Match(g, name); err == nil && ok {
				return true
			}
			// A plain glob holds for users' units as well.
			if ok, err := path.Match(g, u.Name); err == nil && ok {
				return true
			}
		}
	}
	return false
}

func journalLines(lines []string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		text, err := json.Marshal(map[string]string{"MESSAGE": l})
		if err != nil { // a map of strings can be marshalled
			continue
		}
		out[i] = string(text)
	}
	return out
}

// messages takes the texts out of lines of journalctl -o json. MESSAGE is a
// string, an array of bytes where it is not valid UTF-8, or null where it is too
// long (https://systemd.io/JOURNAL_EXPORT_FORMATS/); a field that occurs several times is
// an array of those.
func messages(body []string) []string {
	var out []string
	for _, line := range body {
		var entry struct {
			Message json.RawMessage `json:"MESSAGE"`
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			out = append(out, printable(line)) // journalctl's own complaint
			continue
		}
		for text := range strings.SplitSeq(message(entry.Message), "\n") {
			if text = printable(text); text != "" {
				out = append(out, text)
			}
		}
	}
	return out
}

func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && string(raw) != "null" {
		return text
	}
	var numbers []byte
	if ints := []int(nil); json.Unmarshal(raw, &ints) == nil {
		for _, n := range ints {
			numbers = append(numbers, byte(n)) //nolint:gosec // the journal's bytes are bytes
		}
	}
	if len(numbers) > 0 {
		return string(numbers)
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return message(several[0])
	}
	return "(a message that the journal does not show)"
}

// printable removes what would disturb a terminal or a log: escape sequences'
// control characters, and bytes that are not text.
func printable(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0):
			return -1
		case r == utf8.RuneError:
			return '?'
		}
		return r
	}, text))
}
