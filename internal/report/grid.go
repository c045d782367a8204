package report

import (
	"io"
	"slices"
	"strings"
)

// Table writes rows below headers, in columns that fit the width: the widest
// give way and are cut. Words that name a state ("verified", "failed",
// "active", …) are coloured where there are colours. A cell may have several
// lines. What cannot be written is lost.
func Table(w io.Writer, headers []string, rows [][]string, opts Options) {
	l := opts.withDefaults().look()
	cells := make([][]cell, len(rows))
	for i, r := range rows {
		for _, text := range r {
			cells[i] = append(cells[i], cell{lines: cleanLines(text), style: stateStyle(text)})
		}
	}
	putLines(w, l.grid(headers, cells))
}

// cell is one field of a grid. A wrapped one gets more lines instead of being cut.
type cell struct {
	lines []string
	style style
	wrap  bool
}

const (
	columnGap  = 2
	columnLeft = 10 // no column is made narrower than this, headers aside
)

// grid draws rows in columns. Columns without any text are left away.
func (l look) grid(headers []string, rows [][]cell) []string {
	headers, rows = withoutEmpty(headers, rows)
	widths := l.widths(headers, rows)
	var out []string
	var head row
	for i, h := range headers {
		if i < len(headers)-1 {
			h = pad(l.cut(h, widths[i]), widths[i]+columnGap)
		}
		head.add(dim, h)
	}
	if len(headers) > 0 {
		out = append(out, l.paint(head))
	}
	for _, r := range rows {
		out = append(out, l.gridRow(r, widths)...)
	}
	return out
}

func (l look) gridRow(cells []cell, widths []int) []string {
	height := 1
	fields := make([][]string, len(cells))
	for i, c := range cells {
		fields[i] = l.field(c, widths[i])
		height = max(height, len(fields[i]))
	}
	lines := make([]string, height)
	for y := range lines {
		var r row
		for x, f := range fields {
			text := ""
			if y < len(f) {
				text = f[y]
			}
			if x < len(fields)-1 {
				text = pad(text, widths[x]+columnGap)
			}
			r.add(cells[x].style, text)
		}
		lines[y] = l.paint(r)
	}
	return lines
}

// field is a cell's text in lines of at most n columns.
func (l look) field(c cell, n int) []string {
	var out []string
	for _, text := range c.lines {
		if !c.wrap || l.width <= 0 {
			out = append(out, l.cut(text, n))
			continue
		}
		out = append(out, wrap(text, n)...)
	}
	return out
}

// widths are those of the columns. Where the sum is too much, the widest give
// way first, down to columnLeft.
func (l look) widths(headers []string, rows [][]cell) []int {
	widths := make([]int, len(headers))
	for i, h := range headers {
		widths[i] = width(h)
		for _, r := range rows {
			if i >= len(r) {
				continue
			}
			for _, text := range r[i].lines {
				widths[i] = max(widths[i], width(text))
			}
		}
	}
	if l.width <= 0 || len(widths) == 0 {
		return widths
	}
	over := (len(widths)-1)*columnGap - l.width
	for _, n := range widths {
		over += n
	}
	for ; over > 0; over-- {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= columnLeft {
			break
		}
		widths[widest]--
	}
	return widths
}

// withoutEmpty drops the columns in which no row has anything, and makes all
// rows as long as the headers.
func withoutEmpty(headers []string, rows [][]cell) ([]string, [][]cell) {
	var keep []int
	for i := range headers {
		if len(rows) == 0 || slices.ContainsFunc(rows, func(r []cell) bool { return i < len(r) && strings.Join(r[i].lines, "") != "" }) {
			keep = append(keep, i)
		}
	}
	kept := make([]string, len(keep))
	out := make([][]cell, len(rows))
	for to, from := range keep {
		kept[to] = headers[from]
		for y, r := range rows {
			var c cell
			if from < len(r) {
				c = r[from]
			}
			out[y] = append(out[y], c)
		}
	}
	return kept, out
}

// wrap breaks text at spaces into lines of at most n columns; words that are
// longer stay whole lines, and further lines are indented.
func wrap(text string, n int) []string {
	const indent = "  "
	var out []string
	current := ""
	for _, word := range strings.Fields(text) {
		switch {
		case current == "":
			current = word
		case width(current)+1+width(word) <= n:
			current += " " + word
		default:
			out = append(out, current)
			current = indent + word
		}
	}
	return append(out, current)
}

// stateStyle is the colour of a cell whose first word names a state.
func stateStyle(text string) style {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(text, "✓✗•↻+-x! ")), " ")
	switch strings.Trim(word, ",:.;") {
	case "verified", "ok", "active", "available", "passed", "built", "completed", "running":
		return good
	case "failed", "error", "errored", "inactive", "deleted", "off", "missing", "rolled", "rolled-back":
		return bad
	case "pending", "new", "in-progress", "cancelled", "would", "changed", "warning", "unverified", "unknown", "outdated":
		return warn
	case "unchanged", "untouched", "skipped", "none", "-":
		return dim
	default:
		return normal
	}
}
