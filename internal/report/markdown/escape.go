package markdown

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cell is foreign text as the cell of a table: on one line, as text and nothing
// else. What GitHub would make a link or a mention of stands as code.
func Cell(text string) string { return inCell(prose(text)) }

// inCell makes a cell's content of markdown that is ours. A pipe is left in code
// alone, where it is escaped; a backslash before it would be taken for that escape,
// so the two are moved apart.
func inCell(md string) string {
	return strings.ReplaceAll(strings.ReplaceAll(md, `\|`, `\ |`), "|", `\|`)
}

// prose is foreign text as text within a line of markdown. Entities rather than
// backslashes: they mean the same in a cell, where a backslash can be one too many.
//
// A mention, an issue's number and an address work on GitHub even where every sign
// of them is escaped, since they are found after the markdown was read. In code they
// are not looked for.
func prose(text string) string {
	words := strings.Fields(oneLine(text))
	for i, word := range words {
		if isLinked(word) {
			words[i] = code(word)
		} else {
			words[i] = escape(word)
		}
	}
	return leading.ReplaceAllStringFunc(strings.Join(words, " "), func(mark string) string {
		last := len(mark) - 1
		return mark[:last] + entity(mark[last])
	})
}

// leading is what makes a list or a heading of a line that begins with it.
var leading = regexp.MustCompile(`^(?:[-+=]|[0-9]{1,9}[.)])`)

// linked finds what GitHub makes links, mentions or formulas of.
var linked = regexp.MustCompile(`(?i)[@#$]|://|www\.|gh-[0-9]`)

func isLinked(word string) bool { return linked.MatchString(word) }

func escape(word string) string {
	var b strings.Builder
	for i := range len(word) {
		switch c := word[i]; c {
		case '\\', '`', '*', '[', ']', '<', '>', '&', '|', '~':
			b.WriteString(entity(c))
		case '_':
			// Between letters and digits it means itself.
			if i == 0 || i == len(word)-1 || !isWord(word[i-1]) || !isWord(word[i+1]) {
				b.WriteString(entity(c))
			} else {
				b.WriteByte(c)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func entity(c byte) string {
	switch c {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	default:
		return "&#" + strconv.Itoa(int(c)) + ";"
	}
}

// longestCode is how much of a name is shown, in bytes.
const longestCode = 400

// code is foreign text as code within a line; nothing where there is no text.
func code(text string) string {
	text = inert(shorten(strings.TrimSpace(oneLine(text)), longestCode))
	if text == "" {
		return ""
	}
	mark := strings.Repeat("`", longestRun(text, '`')+1)
	if text[0] == '`' || text[len(text)-1] == '`' {
		text = " " + text + " "
	}
	return mark + text + mark
}

// htmlText is foreign text within a line of HTML, as in a <summary>.
func htmlText(text string) string {
	words := strings.Fields(oneLine(text))
	for i, word := range words {
		words[i] = html.EscapeString(word)
		if isLinked(word) {
			words[i] = "<code>" + words[i] + "</code>"
		}
	}
	return strings.Join(words, " ")
}

// fence is foreign text of several lines in a fence that none of them can close.
func fence(lines []string) string { return fenceOf("", lines) }

// fenceOf is a fence of a language that GitHub knows.
func fenceOf(language string, lines []string) string {
	longest := 0
	var b strings.Builder
	for _, line := range lines {
		line = inert(shorten(line, longestLine))
		longest = max(longest, longestRun(line, '`'))
		b.WriteString(line + "\n")
	}
	mark := strings.Repeat("`", max(3, longest+1))
	return mark + language + "\n" + b.String() + mark + "\n"
}

// longestLine is how much of one line is shown, in bytes: a minified file in a
// journal tells nobody anything.
const longestLine = 2000

// inert breaks what begins a hidden comment. Within code it would hide nothing, but
// the programs that know their own comments by such a mark do not look for code.
func inert(text string) string { return strings.ReplaceAll(text, "<!--", "<\u200b!--") }

func longestRun(text string, c byte) int {
	longest, run := 0, 0
	for i := range len(text) {
		if text[i] == c {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

// shorten cuts a line to n bytes.
func shorten(line string, n int) string {
	const dots = "…"
	if len(line) <= n {
		return line
	}
	end := max(0, n-len(dots))
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end] + dots
}

// escapes are the sequences that programs colour their output with.
var escapes = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z\\\\^_])")

// clean makes one line of text that shows as it is: no escapes, no control
// characters, nothing that is invisible or turns the direction.
func clean(line string) string {
	line = strings.TrimRight(line, "\r\n")
	if i := strings.LastIndexByte(line, '\r'); i >= 0 {
		line = line[i+1:] // a progress line that was written over
	}
	line = strings.ToValidUTF8(line, "\uFFFD")
	if strings.Contains(line, "\x1b") {
		line = escapes.ReplaceAllString(line, "")
	}
	return strings.TrimRight(strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			return -1
		default:
			return r
		}
	}, line), " ")
}

// cleanLines are the lines of a text, without empty ones at its ends.
func cleanLines(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = clean(strings.ReplaceAll(line, "\t", "    "))
		if line != "" || len(lines) > 0 {
			lines = append(lines, line)
		}
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func oneLine(text string) string { return strings.Join(cleanLines(text), " ") }

// elide leaves lines out of the middle so that about n bytes are left: a message
// begins with what failed, and a program's output ends with why.
func elide(lines []string, n int) []string {
	total := 0
	for _, line := range lines {
		total += min(len(line), longestLine) + 1
	}
	if total <= n {
		return lines
	}
	head, tail, room := 0, len(lines), n*2/3
	for head < tail && room > 0 {
		room -= min(len(lines[head]), longestLine) + 1
		head++
	}
	for room = n / 3; tail > head && room > 0; tail-- {
		room -= min(len(lines[tail-1]), longestLine) + 1
	}
	if head == tail {
		return lines
	}
	out := append([]string{}, lines[:head]...)
	out = append(out, "", "… "+plural(tail-head, "line")+" left out …", "")
	return append(out, lines[tail:]...)
}
