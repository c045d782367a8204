package droplet

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func (p *process) journalctl() int {
	options, operands := p.flags("u", "unit", "user-unit", "n", "lines", "o", "output", "output-fields", "p", "b", "since", "t")
	units := map[string][]string{} // by user
	for _, name := range append(slices.Clone(options["u"]), options["unit"]...) {
		if !strings.Contains(name, ".") {
			name += ".service"
		}
		units[""] = append(units[""], name)
	}
	units[p.user] = append(units[p.user], options["user-unit"]...)
	p.matches(operands, units)
	maps.DeleteFunc(units, func(_ string, names []string) bool { return len(names) == 0 })
	p.m.mu.Lock()
	found := p.boot.lines(time.Now(), func(e entry) bool {
		return len(units) == 0 || slices.Contains(units[e.user], e.unit)
	})
	p.m.mu.Unlock()
	if text := last(options, "n", "lines"); text != "" && text != "all" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return p.fail(err)
		}
		found = found[len(found)-min(n, len(found)):]
	}
	for _, e := range found {
		p.entry(e, last(options, "o", "output"))
	}
	return 0
}

// matches reads FIELD=VALUE operands: USER_UNIT and _SYSTEMD_USER_UNIT with _UID.
func (p *process) matches(operands []string, units map[string][]string) {
	user, name := "", ""
	for _, o := range operands {
		field, value, _ := strings.Cut(o, "=")
		switch field {
		case "_UID":
			for u, uid := range known(p.boot) {
				if strconv.Itoa(uid) == value {
					user = u
				}
			}
		case "USER_UNIT", "_SYSTEMD_USER_UNIT":
			name = value
		case "UNIT", "_SYSTEMD_UNIT":
			units[""] = append(units[""], value)
		}
	}
	if name != "" {
		units[user] = append(units[user], name)
	}
}

func (p *process) entry(e entry, format string) {
	switch format {
	case "json":
		fields := map[string]any{
			"__REALTIME_TIMESTAMP": strconv.FormatInt(e.at.UnixMicro(), 10), "PRIORITY": strconv.Itoa(e.priority),
			"SYSLOG_IDENTIFIER": e.who, "_BOOT_ID": strings.ReplaceAll(p.boot.id, "-", ""), "MESSAGE": e.message, "UNIT": e.unit,
		}
		if !utf8.ValidString(e.message) || strings.ContainsRune(e.message, 0x1b) {
			// What is not plain text comes as an array of bytes.
			var numbers []int
			for _, b := range []byte(e.message) {
				numbers = append(numbers, int(b))
			}
			fields["MESSAGE"] = numbers
		}
		text, _ := json.Marshal(fields) //nolint:errchkjson // strings and numbers
		p.printf("%s\n", text)
	case "cat":
		p.printf("%s\n", e.message)
	default:
		p.printf("%s %s %s[1]: %s\n", e.at.Format("Jan 02 15:04:05"), p.m.cfg.Name, e.who, e.message)
	}
}
