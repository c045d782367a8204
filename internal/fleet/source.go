package fleet

import (
	"fmt"
	"strings"
)

// source is the text of a fleet file and what was found wrong with it so far.
type source struct {
	path   string
	lines  []string
	errors Errors
	seen   map[Error]bool
}

func newSource(path string, data []byte) *source {
	text := strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n")
	return &source{path: path, lines: strings.Split(text, "\n"), seen: map[Error]bool{}}
}

// fault adds an error at a node. Defaults are read once for every server, so
// the same fault comes up several times and is kept once.
func (s *source) fault(n *node, hint, format string, args ...any) {
	if n.bad {
		return
	}
	s.faultAt(n.line, n.column, n.width, hint, fmt.Sprintf(format, args...))
}

func (s *source) faultAt(line, column, width int, hint, message string) {
	e := Error{File: s.path, Line: line, Column: column, Message: message, Hint: hint, width: width}
	if line > 0 && line <= len(s.lines) {
		e.Source = s.lines[line-1]
	}
	if s.seen[e] {
		return
	}
	s.seen[e] = true
	s.errors = append(s.errors, &e)
}

// err is nil or every fault, sorted.
func (s *source) err() error {
	if len(s.errors) == 0 {
		return nil
	}
	s.errors.sort()
	return s.errors
}
