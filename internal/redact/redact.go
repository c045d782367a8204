// Package redact keeps secrets out of everything that leaves the program: logs,
// errors, reports and records.
package redact

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret stood.
const Mask = "***"

// shortest is the length below which a text is no secret: replacing such a text
// everywhere would garble every report and protect nothing.
const shortest = 4

// Redactor replaces secrets. It is safe for concurrent use; the zero value is not
// usable, New makes one.
type Redactor struct {
	mu       sync.RWMutex
	forms    []string // every form of every secret, longest first
	replacer *strings.Replacer
}

// New makes a Redactor that knows the secrets. Empty ones, and those of fewer
// than four characters, are ignored.
func New(secrets ...string) *Redactor {
	r := &Redactor{replacer: strings.NewReplacer()}
	r.Add(secrets...)
	return r
}

// Add makes further secrets known, in every encoding in which they show up.
func (r *Redactor) Add(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range secrets {
		for _, form := range forms(s) {
			if len(form) >= shortest && !slices.Contains(r.forms, form) {
				r.forms = append(r.forms, form)
			}
		}
	}
	// The longest first, so that a secret that holds another one goes as a whole.
	slices.SortFunc(r.forms, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(r.forms))
	for _, form := range r.forms {
		pairs = append(pairs, form, Mask)
	}
	r.replacer = strings.NewReplacer(pairs...)
}

// forms are the ways in which a secret can show up: as it is, line by line (a
// key), URL-encoded, in JSON, and in base64.
func forms(secret string) []string {
	trimmed := strings.TrimSpace(secret)
	if len(trimmed) < shortest {
		return nil
	}
	all := []string{secret, trimmed}
	if strings.Contains(trimmed, "\n") {
		for line := range strings.Lines(trimmed) {
			line = strings.TrimSpace(line)
			// The frame of a PEM block is the same for all and no secret.
			if len(line) >= 8 && !strings.HasPrefix(line, "-----") {
				all = append(all, line)
			}
		}
	}
	for _, s := range slices.Clone(all) {
		all = append(all, url.QueryEscape(s), url.PathEscape(s))
		if quoted, err := json.Marshal(s); err == nil {
			all = append(all, string(quoted[1:len(quoted)-1]))
		}
		all = append(all, inBase64(s)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inBase64 are the secret's forms inside of base64 text, alone and where other
// bytes stand before and after it: only the characters that depend on the secret
// alone are part of a form.
func inBase64(secret string) []string {
	var all []string
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		all = append(all, enc.EncodeToString([]byte(secret)))
		for before := range 3 {
			text := enc.EncodeToString(append(make([]byte, before), secret...))
			// A character holds six bits: those that touch a neighbour's byte go.
			start := (before*8 + 5) / 6
			end := (before + len(secret)) * 8 / 6
			if form := text[start:end]; len(form) >= 2*shortest {
				all = append(all, form)
			}
		}
	}
	return all
}

// The patterns that are secret whoever they belong to.
var (
	presigned = regexp.MustCompile(`(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|AWSAccessKeyId|Signature)(?:=|%3D))[^&\s"'<>]+`) //nolint:gochecknoglobals // compiled once, never changed
	token     = regexp.MustCompile(`\b(?:do[opr]_v1_[0-9a-f]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})`)               //nolint:gochecknoglobals // compiled once, never changed
	pemKey    = regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)`)                     //nolint:gochecknoglobals // compiled once, never changed
)

// String returns the text without the secrets, without the signatures of
// presigned URLs, private keys and tokens of a known form.
func (r *Redactor) String(s string) string {
	r.mu.RLock()
	replacer := r.replacer
	r.mu.RUnlock()
	s = replacer.Replace(s)
	if strings.Contains(s, "PRIVATE KEY-----") {
		s = pemKey.ReplaceAllString(s, Mask)
	}
	s = presigned.ReplaceAllString(s, "${1}"+Mask)
	return token.ReplaceAllString(s, Mask)
}

// Error returns err with a redacted text; errors.Is and errors.As still find what
// they found. Nil stays nil.
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

// Error is the redacted text.
func (e *redacted) Error() string { return e.text }

// Unwrap returns the error as it was.
func (e *redacted) Unwrap() error { return e.err }
