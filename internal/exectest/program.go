// Package exectest is for tests that start programs: it writes them, and sees whether
// they live.
package exectest

import (
	"os"
	"syscall"
	"testing"
)

// Write writes a program that can be run at once.
//
// Linux runs no file that anybody has open for writing: "text file busy". A program
// that another test starts has all files of this process open from its fork to its
// exec, also one that was closed here meanwhile. So nothing is started while the file
// is open (https://go.dev/issue/22315).
func Write(tb testing.TB, path, text string) {
	tb.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil { //nolint:gosec // a program
		tb.Fatal(err)
	}
}
