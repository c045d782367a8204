//go:build !unix

package vm

import (
	"os"
	"os/exec"
)

// lock is for systems that nix runs on; here nobody is kept out.
func lock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec,wrapcheck // a file in a folder of our own, which the error names
}

func unlock(file *os.File) error { return file.Close() } //nolint:wrapcheck // said by the caller

func group(*exec.Cmd) {}

func terminate(cmd *exec.Cmd) { kill(cmd) }

func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() } //nolint:errcheck // that it is gone is no error

func ask(p *os.Process) error { return p.Kill() } //nolint:wrapcheck // wrapped by whoever runs it
