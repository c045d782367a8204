//go:build !windows

package main

import (
	"bufio"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
)

// TestMain is main itself where a test starts this program again.
func TestMain(m *testing.M) {
	if os.Getenv("SNOWDROP_TEST_MAIN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// start runs snowdrop in a folder for temporary files of its own, until its output
// has a text.
func start(t *testing.T, temp, until string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "SNOWDROP_TEST_MAIN=1", "TMPDIR="+temp)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), until) {
			return cmd
		}
	}
	t.Fatalf("%v ended without %q: %v", args, until, cmd.Wait())
	return nil
}

// TestEndOfATerminal: a run that is hung up tidies up as one that is interrupted does.
func TestEndOfATerminal(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP) // under nohup, what this starts would ignore it too
	defer signal.Stop(heard)
	cmd := start(t, temp, "The lab runs until it is interrupted", self, "lab")
	for range 2 { // from the shell, and from the kernel
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait() //nolint:errcheck // looked at below
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if !cmd.ProcessState.Exited() || len(left) > 0 {
		t.Errorf("ended with %v, left behind %v", cmd.ProcessState, left)
	}
}
