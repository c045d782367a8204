package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error is one fault of a fleet file and the place where it stands. Line and
// Column count from 1, columns in characters; Line is 0 where the fault has no
// place, as in an empty file.
type Error struct {
	File         string
	Line, Column int
	// Message says what is wrong, Hint what to do about it; Hint may be empty.
	Message, Hint string
	// Source is the line itself, without its line end.
	Source string

	width int // how many characters the carets underline
}

// Errors are all faults of a fleet file, sorted by their place.
type Errors []*Error

// maxSource is how many characters of a long line are shown.
const maxSource = 110

// Error renders the fault for a person: the place, the line and a caret.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	b.WriteString(": " + e.Message)
	if e.Line == 0 {
		if e.Hint != "" {
			b.WriteString("\n  " + e.Hint)
		}
		return b.String()
	}
	number := strconv.Itoa(e.Line)
	margin := strings.Repeat(" ", len(number))
	source, column := window([]rune(printable(e.Source)), e.Column)
	carets := strings.Repeat("^", max(1, min(e.width, len(source)-column+1)))
	fmt.Fprintf(&b, "\n%s |\n%s | %s", margin, number, string(source))
	fmt.Fprintf(&b, "\n%s | %s%s", margin, indent(source, column), carets)
	if e.Hint != "" {
		b.WriteString(" " + e.Hint)
	}
	return b.String()
}

// Error renders every fault, one after the other.
func (es Errors) Error() string {
	if len(es) == 0 {
		return "no faults"
	}
	parts := make([]string, 0, len(es)+1)
	for _, e := range es {
		parts = append(parts, e.Error())
	}
	if len(es) > 1 {
		parts = append(parts, fmt.Sprintf("%d faults in %s", len(es), es[0].File))
	}
	return strings.Join(parts, "\n\n")
}

// Unwrap lets errors.As find the single faults.
func (es Errors) Unwrap() []error {
	all := make([]error, len(es))
	for i, e := range es {
		all[i] = e
	}
	return all
}

func (es Errors) sort() {
	slices.SortStableFunc(es, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// window cuts a long line to the part around the column, and moves the column.
func window(line []rune, column int) (part []rune, at int) {
	if len(line) <= maxSource {
		return line, column
	}
	start := max(0, min(column-maxSource/2, len(line)-maxSource))
	part = slices.Clone(line[start : start+maxSource])
	if start > 0 {
		part[0] = '…'
	}
	if start+maxSource < len(line) {
		part[maxSource-1] = '…'
	}
	return part, column - start
}

// indent is as wide as the line before the column: tabs stay tabs.
func indent(line []rune, column int) string {
	before := line[:max(0, min(column-1, len(line)))]
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, string(before))
}

// printable keeps what a file holds from steering the terminal, and a private
// key that was pasted into the file from being shown.
func printable(line string) string {
	if before, _, found := strings.Cut(line, "PRIVATE KEY"); found {
		line = before + "PRIVATE KEY ***"
	}
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, line)
}
