package redact

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
)

// maxHeld is how many bytes a Writer keeps back at most, the length of the
// longest secret aside.
const maxHeld = 16 << 10

// Writer passes on to w what is written, without secrets, also where a secret
// comes in pieces. A line is passed on when it is complete, or what there is of
// it beyond 16 KiB; what may be the beginning of a secret waits for the rest.
// Close passes on what is left; it does not close w. An error of w is returned
// by the Write or Close that met it. It is safe for concurrent use.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	return &writer{redactor: r, out: w}
}

type writer struct {
	redactor *Redactor
	out      io.Writer

	mu     sync.Mutex
	held   string         // not yet passed on
	until  *regexp.Regexp // if set, all up to its match is part of a secret
	tail   string         // the end of what was passed on
	closed bool
}

// Write takes in all of p, unless w fails.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, errClosed
	}
	w.held += string(p)
	if err := w.flush(false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close passes on what is left.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	return w.flush(true)
}

func (w *writer) flush(all bool) error {
	if w.until != nil && !w.skip(all) {
		return nil
	}
	cut := len(w.held)
	if !all {
		cut = w.cut()
	}
	if cut == 0 {
		return nil
	}
	chunk := w.held[:cut]
	w.held = w.held[cut:]
	w.until = w.redactor.openEnd(chunk)
	if err := w.pass(w.redactor.String(chunk)); err != nil {
		return err
	}
	if w.until != nil || all && w.held != "" {
		return w.flush(all)
	}
	return nil
}

// skip drops what is still part of a secret whose mask was written already. It
// says whether that secret ended; a Close is an end too.
func (w *writer) skip(all bool) bool {
	if w.until == keyEnd {
		return w.skipKey(all)
	}
	at := w.until.FindStringIndex(w.held)
	if at == nil {
		w.held = ""
		return false
	}
	w.held, w.until = w.held[at[0]:], nil // the separator is no part of it
	return true
}

// skipKey drops the lines of a private key. One that broke off ends before the
// first line that is none of a key's.
func (w *writer) skipKey(all bool) bool {
	for {
		line, rest, complete := strings.Cut(w.held, "\n")
		if !complete && !all {
			if len(w.held) > maxHeld {
				w.held = ""
			}
			return false
		}
		if end := keyEnd.FindStringIndex(line); end != nil {
			w.held, w.until = w.held[end[1]:], nil
			return true
		}
		if !keyLine.MatchString(line) {
			w.until = nil
			return true
		}
		w.held = rest
		if !complete {
			return false
		}
	}
}

// openEnd tells whether a secret that is known by its looks goes on behind the
// chunk, and by what it will end.
func (r *Redactor) openEnd(chunk string) *regexp.Regexp {
	begins := keyBegin.FindAllStringIndex(chunk, -1)
	if n := len(begins); n > 0 && !keyEnd.MatchString(chunk[begins[n-1][1]:]) {
		return keyEnd
	}
	if strings.HasSuffix(chunk, "\n") || strings.HasSuffix(chunk, "\r") {
		return nil
	}
	lower := strings.ToLower(chunk)
	for _, p := range r.looks {
		if !p.hinted(lower) {
			continue
		}
		all := p.match.FindAllStringIndex(chunk, -1)
		if n := len(all); n > 0 && all[n-1][1] == len(chunk) {
			return valueEnd
		}
	}
	return nil
}

// cut is how much of what is held may go: whole lines that no known secret may
// begin in or go on behind.
func (w *writer) cut() int {
	spans, open := w.redactor.literals.Load().scan(w.held)
	if len(w.held) > maxHeld+open {
		return w.forcedCut(spans, open)
	}
	cut := lineEnd(w.held)
	if limit := len(w.held) - open; cut > limit {
		cut = lineEnd(w.held[:limit])
	}
	for i := len(spans) - 1; i >= 0; i-- {
		if s := spans[i]; s.start < cut && cut < s.end {
			cut = lineEnd(w.held[:s.start])
		}
	}
	return cut
}

func lineEnd(text string) int { return strings.LastIndexAny(text, "\r\n") + 1 }

// forcedCut is for lines that are too long to keep: it cuts where a word ends,
// and in the end anywhere but in what may be a known secret.
func (w *writer) forcedCut(spans []span, open int) int {
	cut := len(w.held) - max(open, maxHeld/2)
	if at := strings.LastIndexAny(w.held[:cut], "\r\n \t&\"',"); at > cut/2 {
		cut = at
	}
	for i := len(spans) - 1; i >= 0; i-- {
		if s := spans[i]; s.start < cut && cut < s.end {
			cut = s.start
		}
	}
	if cut == 0 { // one secret after the other: it is masked in pieces
		return len(w.held) - open
	}
	return cut
}

// pass writes text. As the last safeguard no secret may arise where it meets
// what was written before, such as one that holds a Mask.
func (w *writer) pass(text string) error {
	known := w.redactor.literals.Load()
	for text != "" {
		spans := known.find(w.tail + text)
		crossing := 0
		for _, s := range spans {
			if s.start < len(w.tail) && s.end > len(w.tail) {
				crossing = s.end - len(w.tail)
			}
		}
		if crossing == 0 {
			break
		}
		text = text[crossing:]
	}
	if text == "" {
		return nil
	}
	_, open := known.scan(w.tail + text)
	all := w.tail + text
	w.tail = strings.Clone(all[len(all)-open:])
	if _, err := io.WriteString(w.out, text); err != nil {
		return fmt.Errorf("write redacted text: %w", err)
	}
	return nil
}

// errClosed is what a Writer answers after Close.
var errClosed = errors.New("write to a redacting writer that is closed")
