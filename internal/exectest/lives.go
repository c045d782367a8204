package exectest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Lives says whether the process runs whose number a file holds. One that has ended and
// is not waited for, as in a container without an init, does not.
func Lives(tb testing.TB, file string) bool {
	tb.Helper()
	text, err := os.ReadFile(file) //nolint:gosec // a test's own file
	if err != nil {
		tb.Fatal(err)
	}
	pid := strings.TrimSpace(string(text))
	if stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat")); err == nil { //nolint:gosec // as above
		_, state, _ := strings.Cut(string(stat), ") ")
		return !strings.HasPrefix(state, "Z")
	}
	return exec.Command("sh", "-c", "kill -0 "+pid).Run() == nil //nolint:gosec,noctx // a number, and over at once
}
