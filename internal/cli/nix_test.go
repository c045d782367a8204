package cli_test

import (
	"os"
	"testing"

	"github.com/versatus/snowdrop/internal/lab/nixplay"
)

// TestMain makes this test program the nix of the commands that are tested.
func TestMain(m *testing.M) {
	if nixplay.IsNix() {
		os.Exit(nixplay.Run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(withNix(m))
}

func withNix(m *testing.M) int {
	remove, err := nixplay.Link()
	if err != nil {
		panic(err)
	}
	defer remove()
	return m.Run()
}
