package nspawn

import (
	"strings"
	"sync"
	"unicode"
)

const (
	consoleBytes = 32 << 10
	consoleLines = 40
)

// console keeps the end of what a machine writes to its boot console.
type console struct {
	mu   sync.Mutex
	text []byte
}

// Write never fails.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = append(c.text, p...)
	if excess := len(c.text) - consoleBytes; excess > 0 {
		c.text = append(c.text[:0], c.text[excess:]...)
	}
	return len(p), nil
}

// String is the last lines, without escape sequences and control characters.
func (c *console) String() string {
	c.mu.Lock()
	text := string(c.text)
	c.mu.Unlock()
	var lines []string
	for line := range strings.SplitSeq(plain(text), "\n") {
		if line = strings.TrimRightFunc(line, unicode.IsSpace); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-consoleLines):], "\n")
}

func (c *console) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text = c.text[:0]
}

// plain drops what moves a cursor or sets a colour: CSI and OSC sequences, other
// two-character escapes, and control characters but the newline and the tab.
func plain(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		if s[0] == '\x1b' {
			s = afterEscape(s[1:])
			continue
		}
		if s[0] >= ' ' && s[0] != '\x7f' || s[0] == '\n' || s[0] == '\t' {
			out.WriteByte(s[0])
		}
		s = s[1:]
	}
	return strings.ToValidUTF8(out.String(), "�")
}

// afterEscape is what follows the escape sequence whose ESC stood before s.
func afterEscape(s string) string {
	end := 0
	switch {
	case s == "":
		return ""
	case s[0] == '[':
		end = 1 + strings.IndexFunc(s[1:], func(r rune) bool { return r >= '@' && r <= '~' })
	case s[0] == ']':
		// It ends with a BEL, or with another escape, which is dropped in its turn.
		end = strings.IndexAny(s, "\a\x1b") - 1
	}
	if end < 0 || end == 0 && s[0] == '[' {
		return ""
	}
	return s[end+1:]
}
