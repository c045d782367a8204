package markdown

import (
	"regexp"
	"strings"
)

// Cut is text if it has at most limit bytes. Else it is as many whole lines of it
// as fit, with what is open there closed (fences of code, <details>), and more as a
// line of its own. It never ends in the head of a table, or right below a heading or
// the beginning of what is then closed again. Where not even more fits, it is left
// away.
func Cut(text string, limit int, more string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	if more != "" {
		more = "\n" + more + "\n"
	}
	if len(more) > limit {
		more = ""
	}
	var (
		open openings
		best string
		at   int
	)
	for line := range strings.SplitAfterSeq(text, "\n") {
		at += len(line)
		if at > limit {
			break
		}
		end := !open.take(line) && strings.HasSuffix(line, "\n")
		if closing := open.closing(); end && at+len(closing)+len(more) <= limit {
			best = text[:at] + closing
		}
	}
	return strings.TrimLeft(best+more, "\n")
}

// openings is what is open at a place in a markdown text.
type openings struct {
	fence   string // the marks that opened it, with the space before them
	details int
	table   bool
}

var (
	fenceMarks = regexp.MustCompile("^([ \t>]*)(`{3,}|~{3,})(.*)$")
	detailTags = regexp.MustCompile(`(?i)</?details\b`)
	beginnings = regexp.MustCompile(`(?i)^\s*(?:<details|<summary|#{1,6}\s|>\s*\[!)`)
	delimiters = regexp.MustCompile(`^\s*\|?[ :|-]*-[ :|-]*$`)
)

// take goes on by a line. It says whether the line begins something, so that a text
// must not end with it.
func (o *openings) take(line string) (begins bool) {
	line = strings.TrimRight(line, "\r\n")
	marks := fenceMarks.FindStringSubmatch(line)
	if o.fence != "" {
		if marks != nil && closes(marks, strings.TrimLeft(o.fence, " \t>")) {
			o.fence = ""
		}
		return false
	}
	wasTable := o.table
	o.table = strings.HasPrefix(strings.TrimSpace(line), "|")
	if marks != nil && (marks[2][0] == '~' || !strings.Contains(marks[3], "`")) {
		o.fence = marks[1] + marks[2]
		return true
	}
	for _, tag := range detailTags.FindAllString(withoutCode(line), -1) {
		if strings.HasPrefix(tag, "</") {
			o.details = max(0, o.details-1)
		} else {
			o.details++
		}
	}
	head := o.table && (!wasTable || delimiters.MatchString(line))
	return head || beginnings.MatchString(line)
}

// withoutCode is a line without its spans of code. One ends with as many backticks
// as it begins with; where they do not come, they mean themselves.
func withoutCode(line string) string {
	var b strings.Builder
	for line != "" {
		i := strings.IndexByte(line, '`')
		if i < 0 {
			break
		}
		b.WriteString(line[:i])
		rest := strings.TrimLeft(line[i:], "`")
		marks := line[i : len(line)-len(rest)]
		line = rest
		for after := rest; after != ""; {
			j := strings.IndexByte(after, '`')
			if j < 0 {
				break
			}
			end := strings.TrimLeft(after[j:], "`")
			if len(after)-j-len(end) == len(marks) {
				line = end
				break
			}
			after = end
		}
	}
	return b.String() + line
}

// closes says whether a line's marks end the fence that others opened.
func closes(marks []string, opened string) bool {
	return marks[2][0] == opened[0] && len(marks[2]) >= len(opened) && strings.TrimSpace(marks[3]) == ""
}

// closing closes what is open, the innermost first.
func (o *openings) closing() string {
	closing := ""
	if o.fence != "" {
		closing = o.fence + "\n"
	}
	return closing + strings.Repeat("\n</details>\n", o.details)
}
