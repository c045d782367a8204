package demo_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/demo"
	"github.com/versatus/snowdrop/internal/report"
)

// TestMain hides a nix that this machine may have: the demo must need nothing
// but the binary. Its folder is one that is looked at after the tests.
func TestMain(m *testing.M) {
	os.Exit(withoutNix(m))
}

func withoutNix(m *testing.M) int {
	dir, err := os.MkdirTemp("", "snowdrop-demo-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for name, value := range map[string]string{"PATH": dir, "TMPDIR": dir, "HOME": dir} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	code := m.Run()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		println("the demo left something behind:", len(left))
		return 1
	}
	return code
}

// show plays the demo on paper.
func show(ctx context.Context, out *bytes.Buffer) error {
	return demo.Run(ctx, demo.Options{ //nolint:wrapcheck // a test
		Out: out, Getenv: func(string) string { return "" },
		NewReport: func() demo.Report { return report.NewPlain(out, report.Options{Unicode: true}) },
	})
}

func TestAllActsHappenAndAreTold(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := show(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	rest := out.String()
	for _, want := range []string{
		"A lab runs on this machine", "There is no nix", "bucket: acme-nixos",
		"1. A first release", "web-2", "verified", "db-1",
		"2. The same again", "unchanged",
		"3. A release whose unit fails", "rolled back", `unknown directive "listn"`,
		"All of that happened, and was checked", "snowdrop init",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("%q is not told, or not in its place:\n%s", want, &out)
		}
		rest = after
	}
	for _, secret := range []string{"correct-horse-battery-staple", "lab-secret-key", "X-Amz-Signature=", "PRIVATE KEY"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("a secret (%s) is told", secret)
		}
	}
}

func TestCancelledDemoEndsAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := show(ctx, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("ended as %v", err)
	}
}
