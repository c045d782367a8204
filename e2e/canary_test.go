//go:build linux && e2e

package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
)

// A search that finds nothing proves something only if it would find it.
func TestCanariesAreFoundInEveryForm(t *testing.T) {
	t.Parallel()
	const token, key = "dop_v1_canary/+=0123456789", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n-----END OPENSSH PRIVATE KEY-----\n"
	forms := canaryForms([]canary{{"TOKEN", token}, {"KEY", key}})
	for where, text := range map[string]string{
		"plain": "x" + token + "x", "a query": "?a=" + url.QueryEscape(token), "a header": base64.StdEncoding.EncodeToString([]byte("user:" + token)),
		"a header, shifted": base64.StdEncoding.EncodeToString([]byte("u:" + token + "!")), "hex": hex.EncodeToString([]byte(token)),
		"a line of a key": "| b3BlbnNzaC1rZXktdjEAAAAABG5vbmU", "a URL": "https://x/?X-Amz-Signature=abc",
	} {
		found := false
		for form := range forms {
			found = found || strings.Contains(text, form)
		}
		if !found {
			t.Errorf("it is not found in %s: %s", where, text)
		}
	}
}

// canaryForms are the ways in which the secrets would be found, and what each is of.
// They are worked out here anew: what the product knows of forms is what is tested.
func canaryForms(secrets []canary) map[string]string {
	forms := map[string]string{"X-Amz-Signature=": "a presigned URL", "X-Amz-Credential=E2E": "a presigned URL"}
	for _, s := range secrets {
		value := strings.TrimSpace(s.value)
		pieces := []string{value}
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
				pieces = append(pieces, line)
			}
		}
		for _, piece := range pieces {
			for _, form := range []string{
				piece, url.QueryEscape(piece), url.PathEscape(piece), hex.EncodeToString([]byte(piece)),
				base64.StdEncoding.EncodeToString([]byte(piece)), base64.URLEncoding.EncodeToString([]byte(piece)),
				strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(piece)), "="),
			} {
				forms[form] = s.name
			}
			// As it stands in the middle of something longer, whatever is before it.
			for skip := range 3 {
				if inner := base64.RawStdEncoding.EncodeToString([]byte(piece)[skip : len(piece)-(len(piece)-skip)%3]); len(inner) >= 16 {
					forms[inner] = s.name
				}
			}
		}
	}
	return forms
}
