package action

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/redact"
)

// TestALongErrorFitsIntoAnOutput: a hundred journals in it would keep the next step from
// being started. A secret that would be cut in two is no exception.
func TestALongErrorFitsIntoAnOutput(t *testing.T) {
	t.Parallel()
	const secret = "canary-0c1d77e2"
	for shift := range len(secret) + 4 {
		text := strings.Repeat("ö", 500) + strings.Repeat("x", longestError/2-1000-shift) + secret + strings.Repeat("y", 1<<16) + secret + strings.Repeat("z", longestError/2-shift)
		err := errors.New(text)
		out := outcome{result: &deploy.Result{Servers: []deploy.ServerResult{{Server: "web", Err: err}}}}
		all, fault := outputs(newReport(order{command: "deploy"}, out, 1, err, redact.New(secret).String), out, "")
		if fault != nil {
			t.Fatal(fault)
		}
		result := all["result"]
		if len(result) > 3*longestError || !utf8.ValidString(result) || !strings.Contains(result, "…") {
			t.Fatalf("%d bytes", len(result))
		}
		if strings.Contains(result, secret[:6]) || strings.Contains(result, secret[len(secret)-6:]) {
			t.Fatalf("shifted by %d, a part of the secret is left", shift)
		}
	}
}
