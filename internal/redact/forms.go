package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"strconv"
	"strings"
)

// forms are all the ways in which a secret may be written.
func forms(secret string) []string {
	out := spellings(secret)
	lines := strings.Split(secret, "\n")
	if len(lines) == 1 {
		return append(out, wrapped(secret)...)
	}
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if len(line) >= leastLine && !strings.HasPrefix(line, "-----") {
			out = append(out, spellings(line)...)
		}
	}
	out = append(out, strings.ReplaceAll(secret, "\n", "\r\n"))
	return append(out, base64s(secret+"\n")...) // as it stands in its file
}

// spellings are one text as it is, and encoded.
func spellings(s string) []string {
	out := []string{s}
	for _, escaped := range []string{
		url.QueryEscape(s), url.PathEscape(s), (&url.URL{Path: s}).EscapedPath(), url.UserPassword("", s).String(),
		inJSON(s, true), inJSON(s, false), inJSON(inJSON(s, false), false), unquote(strconv.Quote(s)),
		strings.ReplaceAll(s, "'", `'\''`),
		html.EscapeString(s), inHex(s),
	} {
		escaped = strings.TrimPrefix(escaped, ":") // of the user's password
		out = append(out, escaped, lowerEscapes(escaped))
	}
	return append(long(out), base64s(s)...)
}

// inHex is for secrets of one line, which a dump may show.
func inHex(s string) string {
	if strings.Contains(s, "\n") {
		return ""
	}
	return hex.EncodeToString([]byte(s))
}

func long(forms []string) []string {
	out := forms[:0]
	for _, f := range forms {
		if len(f) >= leastSecret {
			out = append(out, f)
		}
	}
	return out
}

// inJSON is a text as it stands between the quotes of a JSON string.
func inJSON(s string, html bool) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(html)
	if err := encoder.Encode(s); err != nil {
		return s
	}
	return unquote(strings.TrimSuffix(b.String(), "\n"))
}

func unquote(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`) }

// lowerEscapes writes %2F as %2f, as some programs do.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
		}
	}
	return string(b)
}

// base64s are the ways in which base64 writes a text: alone, with and without
// padding, in lines, and within something longer (such as "user:password"),
// where it depends on how many bytes stand before it.
func base64s(s string) []string {
	var out []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		whole := enc.EncodeToString([]byte(s))
		out = append(out, whole, strings.TrimRight(whole, "="))
		out = append(out, url.QueryEscape(whole))
		for _, columns := range []int{64, 76} {
			out = append(out, chunks(whole, columns)...)
		}
		for before := range 3 {
			out = append(out, within(enc, s, before))
		}
	}
	kept := out[:0]
	for _, form := range out {
		if len(form) >= leastLine {
			kept = append(kept, form)
		}
	}
	return kept
}

// within is the part of the encoding that depends on s alone where so many
// bytes stand before it.
func within(enc *base64.Encoding, s string, before int) string {
	padded := append(make([]byte, before), s...)
	encoded := enc.WithPadding(base64.NoPadding).EncodeToString(padded)
	first := (before*8 + 5) / 6 // the first character without a bit of the others
	last := len(padded) * 8 / 6
	if first >= last {
		return ""
	}
	return encoded[first:last]
}

// chunks are the full lines of text that is broken after so many columns.
func chunks(text string, columns int) []string {
	var out []string
	for len(text) > columns {
		out = append(out, text[:columns])
		text = text[columns:]
	}
	if len(out) > 0 && len(text) >= leastLine {
		out = append(out, text)
	}
	return out
}

// leastPiece is the least length of a piece of base64 that counts as a secret's.
const leastPiece = 12

// wrapped are the pieces of a secret's base64 within something longer that is broken
// into lines, wherever that is: a line ends after a multiple of four characters.
func wrapped(s string) []string {
	var out []string
	add := func(piece string) {
		if len(piece) >= leastPiece {
			out = append(out, piece)
		}
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			inner := within(enc, s, before)
			for end := 4 - (before*8+5)/6; end < len(inner); end += 4 {
				add(inner[:end])
				add(inner[end:])
				for _, columns := range []int{64, 76} {
					if end+columns < len(inner) {
						add(inner[end : end+columns])
					}
				}
			}
		}
	}
	return out
}
