// Package redact keeps secrets out of everything that leaves the program: logs,
// errors, comments, records. A Redactor knows the run's credentials, in every
// form in which they turn up, and also what a credential looks like that nobody
// told it of: presigned queries, tokens, private keys.
package redact

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Mask stands where a secret stood.
const Mask = "***"

// The least lengths. What is shorter than a secret's is refused, because taking
// it out would blot out ordinary words and give away the secret by the gaps. A
// single line of a secret of several lines has to be longer: "data:" and "}"
// are lines of secrets too.
const (
	leastSecret = 4
	leastLine   = 8
)

// Redactor takes secrets out of text. It is safe for concurrent use; secrets
// that are added later are taken out from then on.
type Redactor struct {
	mu       sync.Mutex          // guards the writing of what follows
	known    map[string]struct{} // the secrets
	forms    map[string]struct{}
	ignored  []string
	literals atomic.Pointer[automaton]
	looks    []pattern // never changed
}

// New makes a Redactor that knows secrets; see Add.
func New(secrets ...string) *Redactor {
	r := &Redactor{known: map[string]struct{}{}, forms: map[string]struct{}{}, looks: patterns()}
	r.literals.Store(newAutomaton(nil))
	r.Add(secrets...)
	return r
}

// Add makes secrets known. Space around them does not count. Empty ones are
// passed over; ones of fewer than four bytes are ignored, see Ignored.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.known)
	for _, s := range secrets {
		s = strings.TrimSpace(s)
		_, known := r.known[s]
		switch {
		case s == "" || known:
		case len(s) < leastSecret:
			r.ignored = append(r.ignored, fmt.Sprintf("a secret of %d characters: it is not hidden, because words of fewer than %d occur by chance", len(s), leastSecret))
		default:
			r.known[s] = struct{}{}
			for _, form := range forms(s) {
				r.forms[form] = struct{}{}
			}
		}
	}
	if len(r.known) == before {
		return
	}
	patterns := make([]string, 0, len(r.forms))
	for form := range r.forms {
		patterns = append(patterns, form)
	}
	slices.Sort(patterns)
	r.literals.Store(newAutomaton(patterns))
}

// Ignored says, without naming them, which secrets are not hidden, and why.
func (r *Redactor) Ignored() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ignored)
}

// String is text with a Mask in place of every secret.
func (r *Redactor) String(text string) string {
	return r.withoutLiterals(r.withoutPatterns(text))
}

// withoutLiterals masks until none is left: what stands to the left and right
// of a mask may, with it, make up another secret. Each round makes the text
// shorter, since a Mask is shorter than any secret, so there is an end.
func (r *Redactor) withoutLiterals(text string) string {
	known := r.literals.Load()
	for {
		spans := known.find(text)
		if len(spans) == 0 {
			return text
		}
		text = mask(text, spans)
	}
}

// mask replaces the spans, which are in order and do not overlap.
func mask(text string, spans []span) string {
	var b strings.Builder
	b.Grow(len(text))
	from := 0
	for _, s := range spans {
		b.WriteString(text[from:s.start])
		b.WriteString(Mask)
		from = s.end
	}
	b.WriteString(text[from:])
	return b.String()
}
