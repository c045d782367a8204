package toplevel

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxLines is how many changed lines of a unit are shown.
	maxLines = 30
	// maxLine is how long one is at most, in characters.
	maxLine = 240
	// maxCells bounds the table of a comparison. Two units with a thousand lines each
	// that have no line in common are at this bound.
	maxCells = 1 << 20
)

// edit is a line of one text that is not in the other, or a pair that is in both.
type edit struct {
	before, after int // the line's number; -1 where it is not in that text
}

// edits compares two texts line by line: a shortest list of edits, by the longest
// common subsequence. Texts that are too large for that are replaced as a whole
// between what is common at their ends.
func edits(before, after []string) []edit {
	var list []edit
	start := 0
	for start < len(before) && start < len(after) && before[start] == after[start] {
		list = append(list, edit{start, start})
		start++
	}
	endB, endA := len(before), len(after)
	for endB > start && endA > start && before[endB-1] == after[endA-1] {
		endB, endA = endB-1, endA-1
	}
	list = append(list, middle(before[start:endB], after[start:endA], start)...)
	for ; endB < len(before); endB, endA = endB+1, endA+1 {
		list = append(list, edit{endB, endA})
	}
	return list
}

func middle(before, after []string, offset int) []edit {
	n, m := len(before), len(after)
	var list []edit
	i, j := 0, 0
	if n*m <= maxCells {
		// common[i*(m+1)+j] is how many lines before[i:] and after[j:] have in common.
		common := make([]int, (n+1)*(m+1))
		for i := n - 1; i >= 0; i-- {
			for j := m - 1; j >= 0; j-- {
				at := i*(m+1) + j
				if before[i] == after[j] {
					common[at] = common[at+m+2] + 1
				} else {
					common[at] = max(common[at+m+1], common[at+1])
				}
			}
		}
		for i < n && j < m {
			at := i*(m+1) + j
			switch {
			case before[i] == after[j]:
				list = append(list, edit{offset + i, offset + j})
				i, j = i+1, j+1
			case common[at+m+1] >= common[at+1]:
				list = append(list, edit{offset + i, -1})
				i++
			default:
				list = append(list, edit{-1, offset + j})
				j++
			}
		}
	}
	for ; i < n; i++ {
		list = append(list, edit{offset + i, -1})
	}
	for ; j < m; j++ {
		list = append(list, edit{-1, offset + j})
	}
	return list
}

// changedLines are the lines in which two units differ, with "-" and "+", and after
// them the packages that are there in another version: that alone is no change to a
// line, else a new coreutils would change the PATH of every unit. versions says that
// there are only those.
func changedLines(before, after string) (list []string, versions bool) {
	b, a := splitLines(before), splitLines(after)
	keys := func(text []string) []string {
		out := make([]string, len(text))
		for i, line := range text {
			out[i] = withoutVersions(line)
		}
		return out
	}
	var gone, come []string // since the last line that is in both
	var old, fresh []string // packages in lines that are in both
	for _, e := range edits(keys(b), keys(a)) {
		switch {
		case e.after < 0:
			gone = append(gone, b[e.before])
		case e.before < 0:
			come = append(come, a[e.after])
		default:
			list = append(list, hunk(gone, come)...)
			gone, come = nil, nil
			if b[e.before] != a[e.after] {
				old = append(old, packages(b[e.before])...)
				fresh = append(fresh, packages(a[e.after])...)
			}
		}
	}
	list = append(list, hunk(gone, come)...)
	versions = len(list) == 0
	return bounded(append(list, versionLines(old, fresh)...)), versions
}

// hunk is lines that are replaced by others, each followed by the one that says the
// same setting anew.
func hunk(gone, come []string) []string {
	settings := make([]string, len(come))
	for i, line := range come {
		settings[i] = setting(line)
	}
	said := make([]bool, len(come))
	var list []string
	for _, line := range gone {
		key := setting(line)
		at, anew := 0, -1
		for i := range come {
			if !said[i] && settings[i] == key {
				at, anew = differ(line, come[i]), i
				break
			}
		}
		list = append(list, cut("-"+line, at+1))
		if anew >= 0 {
			said[anew] = true
			list = append(list, cut("+"+come[anew], at+1))
		}
	}
	for i, line := range come {
		if !said[i] {
			list = append(list, cut("+"+line, 1))
		}
	}
	return list
}

// setting is what a line sets: "ExecStart", or "Environment=PATH"; empty for a line
// that sets nothing.
func setting(line string) string {
	key, value, ok := strings.Cut(line, "=")
	switch {
	case !ok:
		return ""
	case key == "Environment":
		name, _, _ := strings.Cut(strings.Trim(value, `"'`), "=")
		return key + "=" + name
	}
	return key
}

// packages are the names of the store paths in a line.
func packages(line string) []string {
	var names []string
	for _, m := range shortPath.FindAllStringSubmatch(line, -1) {
		names = append(names, m[2])
	}
	return names
}

// versionLines are the packages of either side that are not on the other, those with
// the same name together.
func versionLines(before, after []string) []string {
	var list []string
	only := func(sign string, names, others []string) {
		for _, n := range names {
			if !slices.Contains(others, n) && !slices.Contains(list, sign+n) {
				list = append(list, sign+n)
			}
		}
	}
	only("-", before, after)
	only("+", after, before)
	slices.SortStableFunc(list, func(x, y string) int {
		nameX, _ := split(x[1:])
		nameY, _ := split(y[1:])
		return strings.Compare(nameX, nameY)
	})
	return list
}

func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// differ is where two lines begin to differ.
func differ(x, y string) int {
	i := 0
	for i < len(x) && i < len(y) && x[i] == y[i] {
		i++
	}
	return i
}

// cut keeps a line's beginning, which says which setting it is, and what is around
// the byte from.
func cut(line string, from int) string {
	if utf8.RuneCountInString(line) <= maxLine {
		return line
	}
	const head, lead = 60, 40
	runes := []rune(line)
	at := utf8.RuneCountInString(strings.ToValidUTF8(line[:from], "?"))
	if at <= maxLine-lead {
		return string(runes[:maxLine-1]) + "…"
	}
	start := at - lead
	end := min(len(runes), start+maxLine-head-2)
	out := string(runes[:head]) + "…" + string(runes[start:end])
	if end < len(runes) {
		out += "…"
	}
	return out
}

// bounded keeps the first lines and says how many more there are.
func bounded(list []string) []string {
	if len(list) <= maxLines {
		return list
	}
	return append(slices.Clone(list[:maxLines-1]), fmt.Sprintf("… %d more lines", len(list)-maxLines+1))
}
