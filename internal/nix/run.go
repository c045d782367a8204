package nix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"
)

// defaultGrace is how long nix may take to end its builds after SIGINT.
// A cancelled job of GitHub has seven and a half seconds in all.
const defaultGrace = 3 * time.Second

// common is what every command of nix gets from us.
func (c *Client) common() []string {
	args := []string{"--extra-experimental-features", "nix-command flakes", "--log-format", "internal-json"}
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Options)) {
		args = append(args, "--option", name, c.cfg.Options[name])
	}
	return args
}

// json runs a command of nix ("build", "path-info", …) with what is common to
// all and returns its standard output. The transcript tells what it said beside
// that; it is never nil.
func (c *Client) json(ctx context.Context, p Progress, verb string, args ...string) ([]byte, *transcript, error) {
	verbs := []string{verb}
	if verb == "flake" || verb == "derivation" { // they have a second word before their flags
		verbs, args = []string{verb, args[0]}, args[1:]
	}
	return c.run(ctx, verb, p, slices.Concat(verbs, c.common(), args)...)
}

// output runs the program with args alone and returns its standard output.
func (c *Client) output(ctx context.Context, verb string, p Progress, args ...string) ([]byte, error) {
	out, _, err := c.run(ctx, verb, p, args...)
	return out, err
}

// run runs the program. Cancelling ctx interrupts nix as Ctrl-C does, so that it
// ends its builds, and kills it when it has not ended after a grace.
func (c *Client) run(ctx context.Context, verb string, p Progress, args ...string) ([]byte, *transcript, error) {
	log, err := openLog(c.cfg.LogDir, verb)
	if err != nil {
		return nil, newTranscript(p, io.Discard, ""), err
	}
	t := newTranscript(p, log, log.name())
	var stdout bytes.Buffer
	lines := &lineWriter{take: t.line}

	cmd := exec.CommandContext(ctx, c.cfg.Bin, args...) //nolint:gosec // the program and its arguments are the user's own
	cmd.Dir = c.cfg.Dir
	cmd.Env = append(os.Environ(), c.cfg.Env...)
	cmd.Stdout = &stdout
	cmd.Stderr = lines
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = c.grace

	err = cmd.Run()
	lines.flush()
	err = log.close(err, runError(ctx, c.cfg.Bin, verb, err))
	return stdout.Bytes(), t, err
}

// runError says why the program did not end well, as far as its exit tells.
func runError(ctx context.Context, bin, verb string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("nix %s was stopped: %w", verb, context.Cause(ctx))
	case errors.Is(err, exec.ErrNotFound), isMissingProgram(err):
		return notInstalled(bin)
	default:
		return fmt.Errorf("nix %s: %w", verb, err)
	}
}

// logFile is the readable form of what nix said, kept if the command failed.
type logFile struct{ f *os.File }

func openLog(dir, verb string) (*logFile, error) {
	if dir == "" {
		return &logFile{}, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for nix's logs: %w", err)
	}
	f, err := os.CreateTemp(dir, "nix-"+verb+"-*.log")
	if err != nil {
		return nil, fmt.Errorf("open a log for nix %s: %w", verb, err)
	}
	return &logFile{f: f}, nil
}

func (l *logFile) name() string {
	if l.f == nil {
		return ""
	}
	return l.f.Name()
}

// Write implements io.Writer. A log that cannot be written does not stop a build.
func (l *logFile) Write(b []byte) (int, error) {
	if l.f != nil {
		_, _ = l.f.Write(b)
	}
	return len(b), nil
}

// close keeps the file if nix failed, and returns failure.
func (l *logFile) close(nixFailed, failure error) error {
	if l.f == nil {
		return failure
	}
	_ = l.f.Close()
	if nixFailed == nil {
		_ = os.Remove(l.f.Name())
	}
	return failure
}

// maxLine bounds one line of nix; what is longer is cut.
const maxLine = 4 << 20

// lineWriter cuts what is written into lines.
type lineWriter struct {
	take func(line string)
	rest []byte
}

// Write implements io.Writer and never fails.
func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		w.keep(b[:i])
		w.flushLine()
		b = b[i+1:]
	}
	w.keep(b)
	return n, nil
}

func (w *lineWriter) keep(b []byte) {
	w.rest = append(w.rest, b[:min(len(b), maxLine-len(w.rest))]...)
}

func (w *lineWriter) flushLine() {
	w.take(string(w.rest))
	w.rest = w.rest[:0]
}

// flush hands on a last line without line end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.flushLine()
	}
}
