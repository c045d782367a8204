package anywhere

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// grace is how long nixos-anywhere may take to end after it was told to.
const grace = 5 * time.Second

// Progress is told how far an installation is. Its functions are called from one
// goroutine, and not at all once Run has returned.
type Progress struct {
	// Stage is called when another stage begins.
	Stage func(Stage)
	// Step is what nixos-anywhere says that it does now.
	Step func(text string)
	// Log is one line of its output.
	Log func(line string)
}

// Run does a job and waits for its end. Its errors are a *FailedError, which says
// how far it got. When ctx ends, all that was started here is ended, and what runs
// on the host by then goes on or not, as it likes.
func (c *Client) Run(ctx context.Context, j Job, p Progress) error {
	programs, err := wrap(ctx, j.SSH)
	if err != nil {
		return &FailedError{Err: err}
	}
	log, err := c.openLog()
	if err != nil {
		return &FailedError{Err: err}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watcher{progress: p, refused: func() { cancel(ErrHostKey) }}
	lines := &lineWriter{take: func(line string) {
		_, _ = fmt.Fprintln(log, line) //nolint:errcheck // a log that cannot be written stops nothing
		w.line(line)
	}}

	command := c.Command(j)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the program is the user's own choice
	cmd.Dir = c.cfg.Dir
	cmd.Env = c.environment(programs)
	cmd.Stdout, cmd.Stderr = lines, lines // one pipe: its lines stay in their order
	cmd.WaitDelay = grace
	ofItsOwn(cmd)

	err = cmd.Run()
	if ctx.Err() != nil {
		endAll(cmd)
	}
	lines.flush()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well, and something that it started did not
	}
	if err == nil && w.stage < Done && ctx.Err() == nil {
		err = ErrNoWord
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return w.failure(c, j, log, err)
}

// environment is ours without what is withheld, and with our programs first.
func (c *Client) environment(programs string) []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return slices.Contains(c.cfg.Withheld, name)
	})
	env = append(env, c.cfg.Env...)
	return append(env, "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// openLog opens the file that takes the whole output.
func (c *Client) openLog() (*os.File, error) {
	if c.cfg.LogDir == "" {
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("open a log for nixos-anywhere: %w", err)
		}
		return null, nil
	}
	if err := os.MkdirAll(c.cfg.LogDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for nixos-anywhere's logs: %w", err)
	}
	f, err := os.CreateTemp(c.cfg.LogDir, "nixos-anywhere-*.log")
	if err != nil {
		return nil, fmt.Errorf("open a log for nixos-anywhere: %w", err)
	}
	return f, nil
}

// maxLine bounds one line; what is longer is cut.
const maxLine = 1 << 20

// lineWriter cuts what is written into lines.
type lineWriter struct {
	take func(line string)
	rest []byte
}

// Write implements io.Writer and never fails.
func (w *lineWriter) Write(b []byte) (int, error) {
	n := len(b)
	for {
		line, rest, ok := bytes.Cut(b, []byte{'\n'})
		w.rest = append(w.rest, line[:min(len(line), maxLine-len(w.rest))]...)
		if !ok {
			return n, nil
		}
		w.flushLine()
		b = rest
	}
}

func (w *lineWriter) flushLine() {
	w.take(strings.TrimRight(string(w.rest), "\r"))
	w.rest = w.rest[:0]
}

// flush hands on a last line without line end.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.flushLine()
	}
}
