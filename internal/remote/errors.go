package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// What can be wrong with a connection.
var (
	ErrRefused     = errors.New("connection refused")
	ErrTimeout     = errors.New("timed out")
	ErrUnreachable = errors.New("not reachable")
	ErrHandshake   = errors.New("SSH handshake failed")
	ErrAuth        = errors.New("login refused")
	ErrIdentity    = errors.New("no usable private key")
	ErrJump        = errors.New("jump host not usable")
	// ErrLost is a connection that ended while a command ran.
	ErrLost = errors.New("connection lost")
)

// DialError says which connection failed and why. It holds no secret.
type DialError struct {
	// Target is the host, Via the jump host or empty.
	Target, Via string
	// Doing is what was tried: "connect to", "log in as root on", ….
	Doing string
	// Kind is one of the package's Err values.
	Kind error
	// Offered are the public keys that were offered, each with where it came from.
	Offered []string
	// Advice is what to do, or empty.
	Advice string
	// Err is what the other side or the operating system said, or nil.
	Err error
}

// Error is one line: what was tried, what came back, what to do.
func (e *DialError) Error() string {
	var b strings.Builder
	b.WriteString(e.Doing + " " + e.Target)
	if e.Via != "" {
		b.WriteString(" through " + e.Via)
	}
	b.WriteString(": " + e.Kind.Error())
	if e.Err != nil && e.Err.Error() != e.Kind.Error() {
		said := strings.TrimPrefix(e.Err.Error(), e.Kind.Error()+": ")
		b.WriteString(": " + strings.TrimPrefix(said, "ssh: "))
	}
	if len(e.Offered) > 0 {
		b.WriteString("; offered: " + strings.Join(e.Offered, ", "))
	}
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// Unwrap gives errors.Is and errors.As both the kind and the cause.
func (e *DialError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

func dialError(ctx context.Context, t Target, via, network, address string, err error) error {
	var done *DialError
	if errors.As(err, &done) { // about the jump host, and complete
		return err
	}
	var key *HostKeyError
	if errors.As(err, &key) {
		return err
	}
	out := &DialError{Target: t.String(), Via: via, Doing: "connect to " + network + " " + address + " of", Err: err}
	if cause := context.Cause(ctx); cause != nil {
		out.Err = cause
	}
	out.Kind = kindOf(out.Err)
	return out
}

// kindOf reads an error of the operating system, or the words in which a jump
// host reports its own ("ssh: rejected: connect failed (Connection refused)").
func kindOf(err error) error {
	text := strings.ToLower(err.Error())
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(text, "connection refused"):
		return ErrRefused
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout(), strings.Contains(text, "timed out"):
		return ErrTimeout
	default:
		return ErrUnreachable
	}
}

func handshakeError(ctx context.Context, p peer, auth *authenticator, err error) error {
	var key *HostKeyError
	if errors.As(err, &key) {
		return key
	}
	out := &DialError{Target: p.name, Doing: "log in as " + p.user + " on", Kind: ErrHandshake, Err: err}
	var negotiation *ssh.AlgorithmNegotiationError
	switch cause := context.Cause(ctx); {
	case cause != nil:
		out.Err, out.Kind = cause, kindOf(cause)
	case auth.err() != nil:
		out.Kind, out.Err = ErrIdentity, auth.err()
	case strings.Contains(err.Error(), "unable to authenticate"):
		// The library has no type for this; its text says no more than that.
		out.Kind, out.Err, out.Offered = ErrAuth, nil, auth.offered()
		out.Advice = fmt.Sprintf("let one of these keys in for %s (NixOS: users.users.%s.openssh.authorizedKeys.keys), or give another (ssh.identity, %s)", p.user, p.user, EnvPrivateKey)
	case errors.As(err, &negotiation):
		out.Advice = "both sides must share an algorithm: see the host's sshd_config"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		out.Err = errors.New("the host closed the connection before SSH began") //nolint:err113 // said once
	}
	return out
}

func isClosed(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF)
}
