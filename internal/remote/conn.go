package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// maxOutput is how much of each of a command's outputs is kept.
const maxOutput = 16 << 20

// Conn is an SSH connection to a target. It is safe for concurrent use.
type Conn struct {
	target Target
	client *ssh.Client
	key    ssh.PublicKey
	trust  Trust
	stop   func()
}

// HostKey is the key that the host presented, in authorized_keys form; of a
// certificate it is the certified key.
func (c *Conn) HostKey() string { return marshalKey(c.key) }

// Trust says why the host key was accepted.
func (c *Conn) Trust() Trust { return c.trust }

// Close ends the connection and all that runs in it. Closing twice is fine.
func (c *Conn) Close() error {
	c.stop()
	if err := c.client.Close(); err != nil && !isClosed(err) {
		return fmt.Errorf("close the connection to %s: %w", c.target, err)
	}
	return nil
}

// Run runs a command with the target's login shell and waits for its end. Stdin
// may be nil. At most 16 MiB of each output are kept. When ctx ends, the session
// is closed and the error is ctx's cause; what the command has done by then
// stays done, and whether it goes on is up to the command.
func (c *Conn) Run(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	type outcome struct {
		res Result
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		res, err := run(ctx, c.client, command, stdin)
		done <- outcome{res, err}
	}()
	select {
	case <-ctx.Done():
		return Result{}, fmt.Errorf("run a command on %s: %w", c.target, context.Cause(ctx))
	case o := <-done:
		if o.err != nil {
			return o.res, fmt.Errorf("run a command on %s: %w", c.target, o.err)
		}
		return o.res, nil
	}
}

func run(ctx context.Context, client *ssh.Client, command string, stdin io.Reader) (Result, error) {
	session, err := client.NewSession()
	if err != nil {
		return Result{}, fmt.Errorf("%w: open a session: %w", ErrLost, err)
	}
	defer session.Close() //nolint:errcheck // its end is known already
	// Closing wakes Wait; a session that was closed twice is fine.
	defer context.AfterFunc(ctx, func() { _ = session.Close() })() //nolint:errcheck // see above

	stdout, stderr := &head{}, &head{}
	session.Stdout, session.Stderr = stdout, stderr
	// Not session.Stdin: a command that exits without reading all of its input is
	// no error.
	in, err := session.StdinPipe()
	if err != nil {
		return Result{}, fmt.Errorf("open its input: %w", err)
	}
	if err := session.Start(command); isClosed(err) {
		return Result{}, fmt.Errorf("%w: start it: %w", ErrLost, err)
	} else if err != nil {
		return Result{}, fmt.Errorf("start it: %w", err)
	}
	go func() {
		if stdin != nil {
			_, _ = io.Copy(in, stdin) //nolint:errcheck // see above
		}
		_ = in.Close() //nolint:errcheck // see above
	}()
	err = session.Wait()
	res := Result{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var (
		exit    *ssh.ExitError
		missing *ssh.ExitMissingError
	)
	switch {
	case err == nil:
		return res, nil
	case errors.As(err, &exit):
		res.Exit = exit.ExitStatus()
		return res, nil
	case errors.As(err, &missing):
		return res, fmt.Errorf("%w: the connection ended before the command did", ErrLost)
	default:
		return res, fmt.Errorf("%w: %w", ErrLost, err)
	}
}

// head keeps the first maxOutput bytes and takes the rest without a word.
type head struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf.Write(p[:min(len(p), max(0, maxOutput-h.buf.Len()))])
	return len(p), nil
}

func (h *head) Bytes() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return bytes.Clone(h.buf.Bytes())
}

// keepAlive closes the client when the other side has been silent for two
// intervals, so that a command on a dead machine does not wait for ever. It runs
// until the returned function is called or the connection ends.
func keepAlive(client *ssh.Client, every time.Duration) (stop func()) {
	ended := make(chan struct{})
	var once sync.Once
	stop = func() { once.Do(func() { close(ended) }) }
	go func() {
		_ = client.Wait() //nolint:errcheck // that it ended is what counts
		stop()
	}()
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if !answers(client, ended, 2*every) {
				_ = client.Close() //nolint:errcheck // it is dead
				return
			}
		}
	}()
	return stop
}

func answers(client *ssh.Client, ended <-chan struct{}, within time.Duration) bool {
	answer := make(chan error, 1)
	go func() {
		// Any answer will do; servers refuse this request, as OpenSSH's own does.
		_, _, err := client.SendRequest("keepalive@openssh.com", true, nil)
		answer <- err
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err == nil
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}
