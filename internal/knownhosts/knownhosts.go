// Package knownhosts edits OpenSSH's known_hosts files: after an edit ssh finds
// for the hosts that were named exactly the keys that were given, and for all
// others what it found before.
package knownhosts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Host is a machine, what it is called, and how it proves itself.
type Host struct {
	// Names are what ssh looks it up by; see Name.
	Names []string
	// Keys are all of its host keys in authorized_keys form, Authorities those
	// that sign its host certificates.
	Keys, Authorities []string
}

// Name is what ssh looks a host up by: the host itself on port 22 (or 0), else
// "[host]:port".
func Name(host string, port int) string {
	if port == 0 || port == 22 {
		return lower(host)
	}
	return "[" + lower(host) + "]:" + strconv.Itoa(port)
}

// Change is a line that is no more as it was. Old is empty where it was added,
// New where it is gone; Line is its number in the text before, or where it was
// added the number of the line that it comes after.
type Change struct {
	Line     int
	Old, New string
}

// Edited is a text after an edit.
type Edited struct {
	Text    []byte
	Changes []Change
	// Revoked are the keys, each with a host's name, that the file marks as
	// revoked: ssh goes on to refuse them.
	Revoked []string
}

// Edit makes the hosts known by their keys alone. Another key of one of their
// names goes: from a line that several hosts share only the name does, and a
// pattern such as *.example.com gets an exception. Comments, what is marked
// (@cert-authority, @revoked), and lines that ssh does not understand stay as they
// are. New lines go to the end, hashed if the text has hashed lines, with salts
// from random. An error says which name or key cannot stand in such a file.
func Edit(text []byte, hosts []Host, random io.Reader) (Edited, error) {
	e := editor{random: random, wanted: map[entry]bool{}, names: map[string]bool{}, there: map[entry]bool{}}
	for _, h := range hosts {
		if err := e.want(h); err != nil {
			return Edited{}, err
		}
	}
	lines := splitLines(text)
	for i, raw := range lines {
		e.line(i+1, raw)
	}
	eol := "\n"
	if len(lines) > 0 && strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	for _, h := range e.hosts {
		if err := e.add(h, len(lines), eol); err != nil {
			return Edited{}, err
		}
	}
	return Edited{Text: e.out.Bytes(), Changes: e.changes, Revoked: e.revoked}, nil
}

// entry is one name with one key.
type entry struct{ marker, name, key string }

type editor struct {
	random io.Reader
	hosts  []Host // with names and keys as they stand in a file
	names  map[string]bool
	wanted map[entry]bool

	there   map[entry]bool
	hashed  bool
	out     bytes.Buffer
	changes []Change
	revoked []string
}

// want takes a host in.
func (e *editor) want(h Host) error {
	clean := Host{}
	for _, name := range h.Names {
		if name = lower(name); name == "" || strings.ContainsAny(name, ",*?!|@#\"\\") || strings.ContainsFunc(name, oddLetter) {
			return fmt.Errorf("%q cannot be the name of a host in a known_hosts file", name)
		}
		if !slices.Contains(clean.Names, name) {
			clean.Names = append(clean.Names, name)
		}
		e.names[name] = true
	}
	for _, list := range []struct {
		marker   string
		from, to *[]string
	}{{"", &h.Keys, &clean.Keys}, {authority, &h.Authorities, &clean.Authorities}} {
		for _, text := range *list.from {
			key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
			if err != nil {
				return fmt.Errorf("host key of %s: %q is not a public key in authorized_keys form: %w", strings.Join(h.Names, ", "), text, err)
			}
			line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
			*list.to = append(*list.to, line)
			for _, name := range clean.Names {
				e.wanted[entry{list.marker, name, line}] = true
			}
		}
	}
	if len(clean.Names) == 0 || len(clean.Keys)+len(clean.Authorities) == 0 {
		return errors.New("a host without a name or without a key cannot be made known")
	}
	e.hosts = append(e.hosts, clean)
	return nil
}

// line writes a line of the text, if anything of it stays.
func (e *editor) line(number int, raw string) {
	l, ok := parseLine(raw)
	if !ok {
		e.out.WriteString(raw)
		return
	}
	e.hashed = e.hashed || l.hashed()
	var stale []string
	for _, name := range l.of(e.names) {
		one := entry{l.marker, name, l.key}
		switch {
		case l.marker == revoked:
			if e.wanted[entry{"", name, l.key}] {
				e.revoked = append(e.revoked, name+" "+l.key)
			}
		case l.marker != "" || e.wanted[one]:
			e.there[one] = true
		default:
			stale = append(stale, name)
		}
	}
	if len(stale) == 0 {
		e.out.WriteString(raw)
		return
	}
	left := l.without(stale)
	e.out.WriteString(left)
	e.changes = append(e.changes, Change{Line: number, Old: bare(raw), New: bare(left)})
}

// add writes the lines that a host lacks.
func (e *editor) add(h Host, after int, eol string) error {
	for _, list := range []struct {
		marker string
		keys   []string
	}{{authority, h.Authorities}, {"", h.Keys}} {
		for _, key := range list.keys {
			var missing []string
			for _, name := range h.Names {
				if one := (entry{list.marker, name, key}); !e.there[one] {
					e.there[one] = true
					missing = append(missing, name)
				}
			}
			if len(missing) == 0 {
				continue
			}
			fields, err := e.fields(missing)
			if err != nil {
				return err
			}
			for _, field := range fields {
				e.append(after, strings.TrimSpace(list.marker+" "+field+" "+key), eol)
			}
		}
	}
	return nil
}

// fields are what names are written as: one field, or hashed one each.
func (e *editor) fields(names []string) ([]string, error) {
	if !e.hashed {
		return []string{strings.Join(names, ",")}, nil
	}
	var fields []string
	for _, name := range names {
		field, err := Hash(name, e.random)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field)
	}
	return fields, nil
}

func (e *editor) append(after int, line, eol string) {
	if text := e.out.Bytes(); len(text) > 0 && text[len(text)-1] != '\n' {
		e.out.WriteString(eol)
	}
	e.out.WriteString(line + eol)
	e.changes = append(e.changes, Change{Line: after, New: line})
}

// Diff shows the changes as diff -U0 does, of a file by its name.
func (e Edited) Diff(name string) string {
	if len(e.Changes) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "--- %s\n+++ %s\n", name, name)
	shift := 0 // of the line numbers after, against those before
	for _, c := range e.Changes {
		switch {
		case c.Old == "":
			shift++
			fmt.Fprintf(&b, "@@ -%d,0 +%d @@\n+%s\n", c.Line, c.Line+shift, c.New)
		case c.New == "":
			shift--
			fmt.Fprintf(&b, "@@ -%d +%d,0 @@\n-%s\n", c.Line, c.Line+shift, c.Old)
		default:
			fmt.Fprintf(&b, "@@ -%d +%d @@\n-%s\n+%s\n", c.Line, c.Line+shift, c.Old, c.New)
		}
	}
	return b.String()
}

// splitLines keeps the line ends.
func splitLines(text []byte) []string {
	return slices.Collect(strings.Lines(string(text)))
}

func bare(line string) string { return strings.TrimRight(line, "\r\n") }

// oddLetter says of a letter that no host's name has it: blanks, control
// characters, and what is not ASCII, which ssh would have written otherwise.
func oddLetter(r rune) bool { return r <= ' ' || r >= 0x7f }
