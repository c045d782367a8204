package redact

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// TestBase64InLinesHidesASecretWhereverItIsBroken has secrets of the lengths that
// tokens have, at every place in a file that a program prints in base64.
func TestBase64InLinesHidesASecretWhereverItIsBroken(t *testing.T) {
	t.Parallel()
	const mostLeft = leastPiece - 1
	for _, length := range []int{16, 40, 43, 71, 74, 93} {
		secret := word(length)
		r := New(secret)
		for _, columns := range []int{64, 76} {
			for before := range columns * 3 / 4 * 2 {
				text := strings.Repeat("-", before) + secret + "\nmore of the file\n"
				printed := wrap(base64.StdEncoding.EncodeToString([]byte(text)), columns)
				got := r.String(printed)
				if left := longestOf(got, secret); left > mostLeft {
					t.Fatalf("%d columns, %d bytes behind %d: %d characters are left:\n%s\n%s", columns, length, before, left, printed, got)
				}
				var lines strings.Builder
				for line := range strings.Lines(printed) { // as a log brings it
					lines.WriteString(r.String(strings.TrimSuffix(line, "\n")) + "\n")
				}
				if left := longestOf(lines.String(), secret); left > mostLeft {
					t.Fatalf("%d columns, %d bytes behind %d, line by line: %d characters are left:\n%s", columns, length, before, left, &lines)
				}
			}
		}
	}
}

// word is a text without a pattern.
func word(length int) string {
	var b strings.Builder
	for i := 0; b.Len() < length; i++ {
		fmt.Fprintf(&b, "%x", uint32(i+1)*2654435761)
	}
	return b.String()[:length]
}

func wrap(text string, columns int) string {
	var b strings.Builder
	for len(text) > columns {
		b.WriteString(text[:columns] + "\n")
		text = text[columns:]
	}
	return b.String() + text + "\n"
}

// longestOf is how long the longest piece of the secret's base64 is that stands in a
// text.
func longestOf(text, secret string) int {
	longest := 0
	for before := range 3 {
		form := within(base64.StdEncoding, secret, before)
		for from := range form {
			for to := from + longest + 1; to <= len(form) && strings.Contains(text, form[from:to]); to++ {
				longest = to - from
			}
		}
	}
	return longest
}
