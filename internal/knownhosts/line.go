package knownhosts

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what known_hosts files are hashed with
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The markers.
const (
	authority = "@cert-authority"
	revoked   = "@revoked"
)

// line is one that names hosts and a key, in the pieces that it is made of.
type line struct {
	indent string
	marker string
	hosts  string
	rest   string // all that follows the hosts, with the line's end
	key    string // type and base64, one blank between them
}

// parseLine reads a line as OpenSSH's hostkeys_foreach does. It is not ok for
// blanks and comments, and for what OpenSSH calls invalid.
func parseLine(raw string) (line, bool) {
	var l line
	text := strings.TrimLeft(raw, " \t")
	l.indent = raw[:len(raw)-len(text)]
	if text = strings.TrimSuffix(text, "\n"); text == "" || text[0] == '#' || strings.ContainsRune(text, 0) {
		return line{}, false
	}
	if text[0] == '@' {
		marker, after, ok := strings.Cut(text, " ")
		if !ok {
			marker, after, ok = strings.Cut(text, "\t")
		}
		if !ok || marker != authority && marker != revoked {
			return line{}, false
		}
		l.marker, text = marker, strings.TrimLeft(after, " \t")
		if strings.HasPrefix(text, "@") {
			return line{}, false
		}
	}
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return line{}, false
	}
	l.hosts, l.rest = text[:end], text[end:]+raw[len(strings.TrimSuffix(raw, "\n")):]
	kind, after, _ := strings.Cut(strings.ReplaceAll(strings.TrimLeft(text[end:], " \t"), "\t", " "), " ")
	after = strings.TrimLeft(after, " ")
	oldRSA := len(kind) < 8 && strings.Trim(kind, "0123456789") == ""
	if len(kind) <= 1 || len(kind) >= 128 || kind[0] == '#' || oldRSA || after == "" || after[0] == '#' {
		return line{}, false
	}
	if l.hashed() && !isHash(l.hosts) {
		return line{}, false
	}
	blob, _, _ := strings.Cut(after, " ")
	l.key = kind + " " + strings.TrimSpace(blob)
	return l, true
}

func (l line) hashed() bool { return strings.HasPrefix(l.hosts, "|") }

// of are those of the names that the line is about, sorted.
func (l line) of(names map[string]bool) []string {
	var found []string
	for name := range names {
		if l.matches(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

func (l line) matches(name string) bool {
	if l.hashed() {
		return sameHash(l.hosts, name)
	}
	return matchList(l.hosts, name)
}

// without is the line about all its hosts but these; empty if none is left.
func (l line) without(names []string) string {
	if l.hashed() {
		return ""
	}
	patterns := slices.DeleteFunc(strings.Split(l.hosts, ","), func(p string) bool {
		return slices.Contains(names, lower(p))
	})
	for _, name := range names {
		if matchList(strings.Join(patterns, ","), name) {
			patterns = append(patterns, "!"+name)
		}
	}
	if !slices.ContainsFunc(patterns, func(p string) bool { return p != "" && p[0] != '!' }) {
		return ""
	}
	return l.indent + strings.Join(patterns, ",") + l.rest
}

// matchList says whether a list of patterns takes a name: one does, and none of
// those with "!" does.
func matchList(list, name string) bool {
	found := false
	for pattern := range strings.SplitSeq(list, ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if len(pattern) >= maxPattern {
			return false // OpenSSH reads no further
		}
		if match(lower(pattern), name) {
			if negated {
				return false
			}
			found = true
		}
	}
	return found
}

// maxPattern is the length of a pattern that is too long for OpenSSH.
const maxPattern = 1023

// match knows "*" and "?". It goes back to the last star alone, so it takes no
// longer than the product of both lengths.
func match(pattern, name string) bool {
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// isHash says whether a field is a hashed name: |1|salt|hash.
func isHash(field string) bool {
	_, _, ok := cutHash(field)
	return ok
}

func cutHash(field string) (salt, sum []byte, ok bool) {
	text, ok := strings.CutPrefix(field, "|1|")
	if !ok {
		return nil, nil, false
	}
	first, second, ok := strings.Cut(text, "|")
	if !ok {
		return nil, nil, false
	}
	salt, err := base64.StdEncoding.DecodeString(first)
	if err != nil || len(salt) != sha1.Size {
		return nil, nil, false
	}
	sum, err = base64.StdEncoding.DecodeString(second)
	return salt, sum, err == nil && len(sum) == sha1.Size
}

func sameHash(field, name string) bool {
	salt, sum, ok := cutHash(field)
	return ok && hmac.Equal(sum, sumOf(salt, name))
}

func sumOf(salt []byte, name string) []byte {
	mac := hmac.New(sha1.New, salt)
	_, _ = io.WriteString(mac, name) // a hash takes all
	return mac.Sum(nil)
}

// Hash writes a name as HashKnownHosts does.
func Hash(name string, random io.Reader) (string, error) {
	salt := make([]byte, sha1.Size)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("hash the name %s: %w", name, err)
	}
	encode := base64.StdEncoding.EncodeToString
	return "|1|" + encode(salt) + "|" + encode(sumOf(salt, name)), nil
}

// lower is ASCII's: OpenSSH knows no other.
func lower(text string) string {
	out := []byte(text)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + ('a' - 'A')
		}
	}
	return string(out)
}
