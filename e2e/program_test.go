//go:build linux && e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build builds the program once.
func buildProgram(ctx context.Context, t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "snowdrop")
	output(ctx, t, "..", "go", "build", "-trimpath", "-o", path, ".")
	return path
}

// ended is how a run of the program ended.
type ended struct {
	args []string
	exit int
	// text is all that it wrote, to both outputs; out is standard output alone.
	text, out string
	took      time.Duration
}

// running is a run of the program under way.
type running struct {
	cmd       *exec.Cmd
	args      []string
	text, out bytes.Buffer
	since     time.Time
}

// snowdrop runs the program in the project, to its end.
func (w *world) snowdrop(ctx context.Context, t *testing.T, args ...string) ended {
	t.Helper()
	return w.start(ctx, t, args...).wait(t)
}

func (w *world) start(ctx context.Context, t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{args: args, since: time.Now()}
	r.cmd = exec.CommandContext(ctx, w.program, args...)
	r.cmd.Dir, r.cmd.Env = w.project.dir, w.env
	r.cmd.Cancel = func() error { return r.cmd.Process.Signal(syscall.SIGTERM) }
	r.cmd.WaitDelay = 20 * time.Second
	both := &lockedWriter{to: &r.text}
	r.cmd.Stdout, r.cmd.Stderr = tee{both, &r.out}, both
	check(t, r.cmd.Start())
	return r
}

func (r *running) wait(t *testing.T) ended {
	t.Helper()
	err := r.cmd.Wait()
	e := ended{args: r.args, text: r.text.String(), out: r.out.String(), took: time.Since(r.since)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		e.exit = exit.ExitCode()
	case err != nil:
		t.Fatalf("snowdrop %v: %v\n%s", r.args, err, e.text)
	}
	t.Logf("snowdrop %s: exit %d after %s", strings.Join(r.args, " "), e.exit, e.took.Round(100*time.Millisecond))
	if secret := leaked(e.text); secret != "" {
		t.Errorf("snowdrop %v wrote a secret (%s):\n%s", r.args, secret, e.text)
	}
	return e
}

// leaked names the secret that a text holds.
func leaked(text string) string {
	for name, secret := range map[string]string{
		"the Space's key": secretKey, "the token": token, "the file's content": apiKey,
		"an SSH key": "PRIVATE KEY", "a presigned URL": "X-Amz-Signature=",
	} {
		if strings.Contains(strings.ReplaceAll(text, "X-Amz-Signature=***", ""), secret) {
			return name
		}
	}
	return ""
}

// demand fails the test unless the program ended with an exit code and said all
// that is wanted.
func (e ended) demand(t *testing.T, exit int, wants ...string) {
	t.Helper()
	if e.exit != exit {
		t.Fatalf("snowdrop %v: exit %d instead of %d:\n%s", e.args, e.exit, exit, e.text)
	}
	for _, want := range wants {
		if !strings.Contains(e.text, want) {
			t.Errorf("snowdrop %v did not say %q:\n%s", e.args, want, e.text)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}
