package toplevel

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestChangedLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("/nix/store/…-a-1:", 40)
	numbered := func(prefix string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s%d\n", prefix, i)
		}
		return b.String()
	}
	var b strings.Builder
	for _, c := range []struct{ name, before, after string }{
		{"one line", "a\nb\nc", "a\nB\nc"},
		{"added at the end", "a", "a\nb"},
		{"removed at the beginning", "a\nb", "b"},
		{"moved", "a\nb\nc", "b\nc\na"},
		{"a version", "Exec=/nix/store/…-foo-1.0/bin/foo", "Exec=/nix/store/…-foo-1.1/bin/foo"},
		{"a version and a word", "A=/nix/store/…-foo-1.0\nB=1", "A=/nix/store/…-foo-1.1\nB=2"},
		{"another output", "A=/nix/store/…-foo-1.0-lib", "A=/nix/store/…-foo-1.1-lib"},
		{"what is in a file", "A=/nix/store/…0a0a0a-foo.conf", "A=/nix/store/…0b0b0b-foo.conf"},
		{"a package more", "A=/nix/store/…-foo-1.0", "A=/nix/store/…-foo-1.0:/nix/store/…-bar-2"},
		{"a long line", "Environment=\"PATH=" + long + "old" + long + `"`, "Environment=\"PATH=" + long + "new" + long + `"`},
		{"a long line's beginning", "Environment=old" + long, "Environment=new" + long},
		{"very many", numbered("old ", 40), numbered("new ", 40)},
	} {
		lines, versions := changedLines(c.before, c.after)
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, strings.Join(lines, "\n"))
		if versions {
			b.WriteString("(only versions)\n")
		}
	}
	golden(t, "lines.txt", b.String())
}

func TestALongLineIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	// The two begin to differ within a character: é is c3 a9, è is c3 a8.
	before, after := strings.Repeat("ü", 400)+"é"+strings.Repeat("ü", 400), strings.Repeat("ü", 400)+"è"+strings.Repeat("ü", 400)
	lines, _ := changedLines(before, after)
	for _, line := range lines {
		if !utf8.ValidString(line) || utf8.RuneCountInString(line) > maxLine {
			t.Errorf("%d characters: %q", utf8.RuneCountInString(line), line)
		}
	}
	if !strings.Contains(lines[0], "é") || !strings.Contains(lines[1], "è") {
		t.Errorf("the difference does not show: %q", lines)
	}
}

func TestTextsTooLargeToCompareAreReplaced(t *testing.T) {
	t.Parallel()
	text := func(word string) []string {
		list := []string{"same"}
		for i := range 2000 {
			list = append(list, fmt.Sprint(word, i))
		}
		return append(list, "same")
	}
	before, after := text("a"), text("b")
	if got := apply(before, after, edits(before, after)); !slices.Equal(got, after) {
		t.Error("the edits do not lead from one to the other")
	}
}

// apply makes the second text from the first, by edits that must use each line of
// both once, in order.
func apply(before, after []string, list []edit) []string {
	var out []string
	b, a := 0, 0
	for _, e := range list {
		if e.before >= 0 {
			if e.before != b {
				return nil
			}
			b++
		}
		if e.after >= 0 {
			if e.after != a {
				return nil
			}
			a++
		}
		switch {
		case e.before >= 0 && e.after >= 0:
			out = append(out, before[e.before])
		case e.after >= 0:
			out = append(out, after[e.after])
		}
	}
	if b != len(before) {
		return nil
	}
	return out
}

func FuzzEdits(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd")
	f.Add("", "a")
	f.Add("a\na\na", "a")
	f.Add("x=/nix/store/…-foo-1.0", "x=/nix/store/…-foo-1.1")
	f.Fuzz(func(t *testing.T, x, y string) {
		before, after := splitLines(x), splitLines(y)
		list := edits(before, after)
		if got := apply(before, after, list); !slices.Equal(got, after) {
			t.Errorf("edits lead from %q to %q, and not to %q", before, got, after)
		}
		lines, _ := changedLines(x, y)
		if (len(lines) == 0) != (x == y) && shortPath.FindString(x+y) == "" {
			t.Errorf("%q and %q: %q", x, y, lines)
		}
		if len(lines) > maxLines {
			t.Errorf("%d lines", len(lines))
		}
	})
}

func TestWhatASwitchDoesWithAChangedUnit(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for name, text := range map[string]string{
		"plain.service":      "[Service]\nExecStart=x",
		"stop.service":       "[Service]\nX-StopIfChanged=false",
		"reload.service":     "[Service]\nX-ReloadIfChanged=true",
		"dbus.service":       "[Service]\nX-RestartIfChanged=false",
		"overridden.service": "[Service]\nX-RestartIfChanged=false\n# overrides.conf\nX-RestartIfChanged=true",
		"refuses.service":    "[Unit]\nRefuseManualStop=yes",
		"manual.service":     "[Unit]\nX-OnlyManualStart=true",
		"a.timer":            "[Timer]\nOnCalendar=daily",
		"a.socket":           "[Socket]",
		"a.target":           "[Unit]",
		"a.slice":            "[Slice]",
		"a.mount":            "[Mount]",
		"a.service (user)":   "[Service]",
		"alias.service":      "# alias of plain.service",
		"masked.service":     "# masked",
	} {
		got[name] = onSwitch(name, text)
	}
	want := map[string]string{
		"plain.service": "restart", "stop.service": "restart", "reload.service": "reload", "dbus.service": "nothing",
		"overridden.service": "restart", "refuses.service": "nothing", "manual.service": "nothing", "a.timer": "restart",
		"a.socket": "nothing", "a.target": "nothing", "a.slice": "nothing", "a.mount": "reload", "a.service (user)": "",
		"alias.service": "", "masked.service": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
