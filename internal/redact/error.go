package redact

import (
	"fmt"
	"io"
)

// Error is err with a text without secrets: err itself where its text has none,
// nil for nil. errors.Is and errors.As see through it: whoever takes a typed
// error out and prints that has to redact what is printed.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := r.String(text)
	if clean == text {
		return err
	}
	return &redacted{text: clean, err: err}
}

type redacted struct {
	text string
	err  error
}

// Error is the text without secrets.
func (e *redacted) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *redacted) Unwrap() error { return e.err }

// Format keeps %#v and %+v from printing the error inside.
func (e *redacted) Format(s fmt.State, verb rune) {
	if verb == 'q' {
		_, _ = fmt.Fprintf(s, "%q", e.text)
		return
	}
	_, _ = io.WriteString(s, e.text)
}
