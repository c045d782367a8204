package github

import (
	"strings"
	"unicode/utf8"
)

const (
	ellipsis = "…"
	// cutNote ends a text of which a part is missing.
	cutNote = "\n\n… the rest is too long for GitHub."
)

// valid is a text as JSON carries it. What is not UTF-8 would be replaced on the
// way, and grow beyond the length that was counted.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// cutBytes is the text or, where it is longer than limit bytes, its beginning and
// a note. GitHub speaks of characters, but its columns may well count bytes, of
// which there are never fewer.
func cutBytes(s string, limit int) string {
	s = valid(s)
	if len(s) <= limit {
		return s
	}
	end := limit - len(cutNote)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutNote
}

// cutLine is the text in one line or, where it has more than limit characters,
// its beginning and an ellipsis.
func cutLine(s string, limit int) string {
	runes := []rune(strings.Join(strings.Fields(valid(s)), " "))
	if len(runes) <= limit {
		return string(runes)
	}
	return string(runes[:limit-1]) + ellipsis
}
