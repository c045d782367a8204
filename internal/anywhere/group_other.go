//go:build !unix

package anywhere

import "os/exec"

// ofItsOwn does nothing here: cancelling ends the program, without those that it
// has started.
func ofItsOwn(*exec.Cmd) {}

func endAll(*exec.Cmd) {}
