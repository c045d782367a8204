package report

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// failures are the errors of a run, each told once: a server's error mostly
// holds those of its steps, and the run's those of its servers.
func failures(s *state) []failure {
	var out []failure
	for _, server := range s.servers {
		if server.server != nil && server.server.Err != nil {
			out = append(out, failure{subject: server.subject, err: server.server.Err})
		}
	}
	for _, f := range s.failures {
		told := false
		for i := range out {
			if strings.Contains(out[i].err.Error(), f.err.Error()) {
				told = true
				out[i].tail = f.tail
			}
		}
		if !told {
			out = append(out, f)
		}
	}
	if err := s.end.Err; err != nil && !isTold(err, out) {
		out = append(out, failure{err: err})
	}
	return out
}

// isTold says whether a run's error says nothing that stands there already. One
// that sums up several is told when each of them is.
func isTold(err error, told []failure) bool {
	var several interface{ Unwrap() []error }
	if errors.As(err, &several) {
		causes := several.Unwrap()
		return len(causes) > 0 && !slices.ContainsFunc(causes, func(cause error) bool { return !isTold(cause, told) })
	}
	return slices.ContainsFunc(told, func(f failure) bool {
		text, other := err.Error(), f.err.Error()
		return strings.Contains(text, other) || strings.Contains(other, text) ||
			errors.Is(err, context.Canceled) && errors.Is(f.err, context.Canceled)
	})
}

// lines are a failure in full: the evidence in the error's further lines, and
// the end of the program's output unless the error holds it.
func (f failure) lines(l look) []string {
	sym := l.symbols()
	sign, st := sym.bad, bad
	if errors.Is(f.err, context.Canceled) {
		sign, st = sym.idle, warn
	}
	all := cleanLines(f.err.Error())
	title := all[0]
	if name := clean(f.subject.Server); name != "" && !strings.Contains(title, name) {
		title = clean(f.subject.String()) + ": " + title
	}
	out := []string{l.dye(st, sign) + " " + l.dye(bold, title)}
	for _, line := range all[1:] {
		out = append(out, indented(line))
	}
	if n := len(f.tail); n > 0 && !strings.Contains(f.err.Error(), f.tail[n-1]) {
		out = append(out, "", l.dye(dim, "    the last lines of its output:"))
		for _, line := range f.tail {
			out = append(out, l.dye(dim, "    "+sym.bar+" "+line))
		}
	}
	return out
}

func indented(line string) string {
	if line == "" {
		return ""
	}
	return "    " + line
}
