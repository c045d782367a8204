package redact

import (
	"regexp"
	"strings"
)

// pattern is what a secret looks like that nobody made known.
type pattern struct {
	// hints are lower-case words without one of which it does not occur.
	hints []string
	match *regexp.Regexp
	keep  string // the replacement, with what stays
}

// A value in a query ends at "&", also where that is escaped in JSON or HTML
// (\u0026 begins with a backslash, &amp; with "&") or in a URL (%26).
const value = `(?:[^&\s"'<>\\,:;)\]}%]|%(?:[013-9a-fA-F][0-9a-fA-F]|2[0-57-9a-fA-F]))+`

var (
	queryValue  = regexp.MustCompile(`(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|Credential|AWSAccessKeyId)(?:=|%3D|\\u003d))` + value)
	headerValue = regexp.MustCompile(`(?i)((?:authorization|x-amz-security-token)["']?\s*[:=]\s*[\["']*)(?:(?:bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{8,}|[A-Za-z0-9._~+/=-]{20,})`)
	bearerValue = regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{20,}`)
	knownToken  = regexp.MustCompile(`(?i)\b(?:do[a-z]_v1_[A-Za-z0-9]{8,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|AGE-SECRET-KEY-1[A-Z0-9]{16,})`)

	urlPassword = regexp.MustCompile(`(?i)(\b[a-z][a-z0-9+.-]*://[^/\s:@"'<>?#\\]*:)[^/\s@"'<>?#\\]+@`)
	// urlToken is long: "git@" and "builder@" are names.
	urlToken = regexp.MustCompile(`(://)[^/\s:@"'<>?#\\]{20,}@`)

	// A block without an end goes as far as the text does.
	privateKey = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|[\s\S]*$)`)
	keyBegin   = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	keyEnd     = regexp.MustCompile(`-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----`)
	// keyLine is a line within a private key: base64, a header, or nothing.
	keyLine = regexp.MustCompile(`^\s*(?:[A-Za-z0-9+/=]*|(?:Proc-Type|DEK-Info|Comment|Version): .*)\s*$`)

	// valueEnd ends a value of which there was only the beginning so far.
	valueEnd = regexp.MustCompile(`[&\s"'<>\\,:;]`)
)

// patterns are what is secret by its looks: private keys, what is in headers
// and queries that carry credentials, passwords in addresses, and tokens.
func patterns() []pattern {
	return []pattern{
		{[]string{"-----begin"}, privateKey, Mask},
		{[]string{"authorization", "x-amz-security-token"}, headerValue, "${1}" + Mask},
		{[]string{"signature", "credential", "security-token", "awsaccesskeyid"}, queryValue, "${1}" + Mask},
		{[]string{"@"}, urlPassword, "${1}" + Mask + "@"},
		{[]string{"@"}, urlToken, "${1}" + Mask + "@"},
		{[]string{"bearer"}, bearerValue, "${1}" + Mask},
		{[]string{"_v1_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "age-secret-key-1"}, knownToken, Mask},
	}
}

// withoutPatterns masks all that looks like a secret.
func (r *Redactor) withoutPatterns(text string) string {
	lower := strings.ToLower(text)
	for _, p := range r.looks {
		if p.hinted(lower) {
			text = p.match.ReplaceAllString(text, p.keep)
		}
	}
	return text
}

func (p pattern) hinted(lower string) bool {
	for _, h := range p.hints {
		if strings.Contains(lower, h) {
			return true
		}
	}
	return false
}
