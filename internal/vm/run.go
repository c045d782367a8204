package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"time"
)

// stopGrace is how long QEMU may take to end once it was asked to.
const stopGrace = 10 * time.Second

// Terminal is what a machine is attached to.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	// Environ is the environment, as os.Environ has it.
	Environ []string
}

// Run starts the machine attached to a terminal and waits for its end. When ctx ends,
// QEMU is asked to end, as by pulling the plug. Its state stays; what the script keeps
// in TMPDIR goes, unless USE_TMPDIR says that somebody has a folder for that.
func Run(ctx context.Context, s Script, o Options, t Terminal) error {
	environ := t.Environ
	if lookup(environ, "USE_TMPDIR") == "" { // the script would make one and leave it
		work, err := os.MkdirTemp("", "snowdrop-vm-")
		if err != nil {
			return fmt.Errorf("make a folder for the virtual machine: %w", err)
		}
		defer os.RemoveAll(work) //nolint:errcheck // a temporary folder
		environ = append(slices.Clone(environ), "TMPDIR="+work, "USE_TMPDIR=1")
	}
	cmd := exec.CommandContext(ctx, s.Path, o.args()...) //nolint:gosec // the script was built for that
	cmd.Dir = o.Dir
	cmd.Env = o.env(s, environ)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.In, t.Out, t.Err
	if o.Lock != nil && runtime.GOOS != "windows" {
		cmd.ExtraFiles = []*os.File{o.Lock}
	}
	cmd.Cancel = func() error { return ask(cmd.Process) }
	cmd.WaitDelay = stopGrace
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the virtual machine %s was stopped: %w", s.Name, context.Cause(ctx))
	case err != nil:
		return fmt.Errorf("%s: %w%s", s.Path, err, windowHint(o, t.Environ, err))
	}
	return nil
}

// windowHint is for who has no screen: QEMU's words for that are many.
func windowHint(o Options, environ []string, err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) || o.Headless || !hasNoDisplay(environ) {
		return ""
	}
	return "; there is no screen here for a window: try --headless"
}

func hasNoDisplay(environ []string) bool {
	return noWindows && lookup(environ, "DISPLAY") == "" && lookup(environ, "WAYLAND_DISPLAY") == ""
}
