package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
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
// QEMU is asked to end, as by pulling the plug. Its state stays.
func Run(ctx context.Context, s Script, o Options, t Terminal) error {
	cmd := exec.CommandContext(ctx, s.Path, o.args()...) //nolint:gosec // the script was built for that
	cmd.Dir = o.Dir
	cmd.Env = o.env(s, t.Environ)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = t.In, t.Out, t.Err
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
