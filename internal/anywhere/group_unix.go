//go:build unix

package anywhere

import (
	"os/exec"
	"syscall"
)

// ofItsOwn puts the program into a process group of its own. A shell ends a signal
// only once the program has ended that it waits for, and Ctrl-C reaches all of a
// terminal's foreground group: so the whole group is ended, and by us alone.
func ofItsOwn(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// endAll ends those of the group that did not take the hint.
func endAll(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) //nolint:errcheck // there may be none left
	}
}
