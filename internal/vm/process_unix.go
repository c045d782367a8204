//go:build unix

package vm

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// lock takes the lock of a file for this process. The kernel gives it back when the
// process ends, however it ends.
func lock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // a file in a folder of our own
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a file descriptor is a small number
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrRunning
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// unlock gives it back, whoever else has the file: to close it would not do, since any
// program that is just being started holds all files of this process until it runs.
func unlock(file *os.File) error {
	return errors.Join(syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close()) //nolint:gosec // a file descriptor is a small number
}

// group gives a command a process group of its own: what is typed at the terminal does
// not end it, and all that it started can be ended with it.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// terminate asks a command's group to end, kill ends it. That it is gone is no error.
func terminate(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) } //nolint:errcheck // see above

func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } //nolint:errcheck // see above

// ask asks one process to end.
func ask(p *os.Process) error { return p.Signal(syscall.SIGTERM) } //nolint:wrapcheck // wrapped by whoever runs it
