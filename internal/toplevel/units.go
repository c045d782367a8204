package toplevel

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// maxUnits is how many units of a kind are read; a large NixOS has five hundred.
const maxUnits = 10_000

// drawer is a folder of links by which units are wanted: its name's suffix, and the
// key that says the same in the [Install] section of a unit.
type drawer struct{ suffix, key, word string }

func drawers() []drawer {
	return []drawer{
		{".wants", "WantedBy=", "wanted by"},
		{".requires", "RequiredBy=", "required by"},
		{".upholds", "UpheldBy=", "upheld by"},
	}
}

// units reads the units below etc/systemd/KIND. generateUnits of nixpkgs'
// nixos/lib/systemd-lib.nix lays them out: a link for each unit, a folder NAME.d for
// its drop-ins, folders of links for what wants it.
func (t *taker) units(kind, suffix string) {
	dir, entries, err := t.store.list(t.top + "/etc/systemd/" + kind)
	if errors.Is(err, fs.ErrNotExist) && kind == "user" {
		return // A system needs no units for users' managers.
	}
	if err != nil {
		t.unknown("%s units are not known: etc/systemd/%[1]s %s", kind, reason(err))
		return
	}
	if t.out.Units == nil {
		t.out.Units = map[string]Unit{}
	}
	if len(entries) > maxUnits {
		t.unknown("only %d of the %d %s units were looked at", maxUnits, len(entries), kind)
		entries = entries[:maxUnits]
	}
	// The units first, then what is added to them.
	for _, e := range entries {
		if isUnit(e.Name()) {
			t.unit(path.Join(dir, e.Name()), e.Name()+suffix)
		}
	}
	for _, e := range entries {
		name := e.Name()
		if unit, ok := strings.CutSuffix(name, ".d"); ok {
			t.dropIns(path.Join(dir, name), unit+suffix)
		}
		for _, d := range drawers() {
			if by, ok := strings.CutSuffix(name, d.suffix); ok {
				t.wanted(path.Join(dir, name), by, d, suffix)
			}
		}
	}
}

func isUnit(name string) bool {
	return !strings.HasSuffix(name, ".d") && !slices.ContainsFunc(drawers(), func(d drawer) bool { return strings.HasSuffix(name, d.suffix) })
}

// unit reads one unit. What is no text of its own is said as a comment: there is no
// other line in a snapshot's text that begins with "#".
func (t *taker) unit(at, name string) {
	if target, err := t.store.root.Readlink(at); err == nil && !strings.Contains(target, "/") {
		t.out.Units[name] = Unit{Text: "# alias of " + target}
		return
	}
	text, err := t.unitText(at)
	if errors.Is(err, errNull) {
		t.out.Units[name] = Unit{Text: "# masked"}
		return
	}
	if err != nil {
		t.out.Units[name] = Unit{Unread: true}
		t.unknown("the unit %s is not compared: it %s", name, reason(err))
		return
	}
	t.out.Units[name] = Unit{Text: text}
}

func (t *taker) unitText(at string) (string, error) {
	text, err := t.store.text(at, maxFile)
	if err != nil {
		return "", err
	}
	lines := unitLines(text)
	for i, line := range lines {
		lines[i] = t.short(masked(t.triggers(line)), "")
	}
	return strings.Join(lines, "\n"), nil
}

// triggers puts the files of a list into a line that names the list. nixpkgs keeps
// what restartTriggers and reloadTriggers have in a file of its own, so the line would
// only say that one of them changed. A list of anything but store paths stays as it
// is: a trigger can be a text, with anything in it.
func (t *taker) triggers(line string) string {
	key, value, _ := strings.Cut(line, "=")
	m := t.paths.FindStringSubmatch(value)
	if key != "X-Restart-Triggers" && key != "X-Reload-Triggers" || m == nil || m[0] != value {
		return line
	}
	list, err := t.store.text(m[1]+"-"+m[2]+m[3], maxMarked)
	if err != nil {
		return line
	}
	for _, file := range strings.Fields(list) {
		if t.paths.FindString(file) != file {
			return line
		}
	}
	return key + "=" + strings.Join(strings.Fields(list), " ")
}

// reason is an error as the end of a sentence about what could not be read.
func reason(err error) string {
	for _, known := range []error{errOutside, errNull, errNoText, errLoop, errLarge} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "is not in the store"
	}
	return "cannot be read (" + err.Error() + ")"
}

// unspaced is a setting without spaces around its "=", where they mean nothing.
func unspaced(line string) string {
	key, value, ok := strings.Cut(line, "=")
	if !ok {
		return line
	}
	return strings.TrimRight(key, " \t") + "=" + strings.TrimLeft(value, " \t")
}

// unitLines are a unit's lines without comments and empty ones. A line that ends with
// a backslash goes on in the next one, as in systemd.syntax(7).
func unitLines(text string) []string {
	var lines []string
	open := false
	for line := range strings.SplitSeq(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" && !open || strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
			continue
		}
		more := strings.HasSuffix(trimmed, `\`)
		trimmed = strings.TrimRight(strings.TrimSuffix(trimmed, `\`), " \t")
		if open {
			last := &lines[len(lines)-1]
			*last = strings.TrimRight(*last+" "+trimmed, " ")
		} else {
			lines = append(lines, unspaced(trimmed))
		}
		open = more
	}
	return lines
}

// dropIns adds a unit's drop-ins to it, as "systemctl cat" shows them.
func (t *taker) dropIns(at, unit string) {
	dir, entries, err := t.store.list(at)
	if err != nil {
		t.unknown("the unit %s is not compared: the folder of its drop-ins %s", unit, reason(err))
		t.out.Units[unit] = Unit{Unread: true}
		return
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".conf") {
			continue // systemd.unit(5) reads no others.
		}
		text, err := t.unitText(path.Join(dir, e.Name()))
		switch {
		case errors.Is(err, errNull):
			text = "# masked"
		case err != nil:
			t.unknown("the unit %s is not compared: its drop-in %s %s", unit, e.Name(), reason(err))
			t.out.Units[unit] = Unit{Unread: true}
			return
		}
		t.add(unit, "# "+e.Name()+"\n"+text)
	}
}

// wanted notes by what units are wanted, where they do not say it themselves: NixOS
// writes [Install] for WantedBy= only, and takes no notice of it.
func (t *taker) wanted(at, by string, d drawer, suffix string) {
	_, entries, err := t.store.list(at)
	if err != nil {
		t.unknown("what %s wants is not compared: its folder %s", by, reason(err))
		return
	}
	for _, e := range entries {
		name := e.Name() + suffix
		if !says(t.out.Units[name].Text, d.key, by) {
			t.add(name, "# "+d.word+" "+by)
		}
	}
}

func says(text, key, by string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if values, ok := strings.CutPrefix(line, key); ok && slices.Contains(strings.Fields(values), by) {
			return true
		}
	}
	return false
}

func (t *taker) add(unit, text string) {
	u := t.out.Units[unit]
	if u.Unread {
		return
	}
	u.Text = strings.TrimPrefix(u.Text+"\n"+text, "\n")
	t.out.Units[unit] = u
}
