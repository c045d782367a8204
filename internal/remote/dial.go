package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Dialer makes connections. It is safe for concurrent use; connections through
// the same jump host share one connection to it.
type Dialer struct {
	cfg   Config
	mu    sync.Mutex
	jumps map[string]*jumpHost
	keys  keyRing
}

// New makes a Dialer. It reads neither keys nor files: that is done by the first
// Dial, whose error says what is missing. The jump host of the environment is
// read, and an error says what is wrong with it.
func New(cfg Config) (*Dialer, error) {
	d := &Dialer{cfg: cfg.withDefaults(), jumps: map[string]*jumpHost{}}
	d.keys.env = d.cfg.Env
	if _, err := envJump(d.cfg.Env); err != nil {
		return nil, err
	}
	return d, nil
}

// Close ends the connections to jump hosts, and so all that go through them.
func (d *Dialer) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, j := range d.jumps {
		errs = append(errs, j.close())
	}
	return errors.Join(errs...)
}

// Dial connects and logs in. Its errors are *DialError, or *HostKeyError where
// the host is not who it should be; errors.Is tells ErrRefused, ErrTimeout,
// ErrUnreachable, ErrHandshake, ErrAuth, ErrIdentity. Nothing is left behind on failure.
func (d *Dialer) Dial(ctx context.Context, t Target) (*Conn, error) {
	check, err := newKeyCheck(t)
	if err != nil {
		return nil, err
	}
	auth, err := d.keys.open(ctx, identityOf(t, d.cfg))
	if err != nil {
		return nil, &DialError{Target: t.String(), Doing: "find a private key for", Kind: ErrIdentity, Err: err}
	}
	defer auth.close()
	address := net.JoinHostPort(t.Address, strconv.Itoa(t.port()))
	raw, err := d.DialTCP(ctx, t, "tcp", address)
	if err != nil {
		return nil, err
	}
	client, err := d.handshake(ctx, raw, peer{name: t.String(), address: address, user: t.user()}, check, auth)
	if err != nil {
		return nil, err
	}
	return &Conn{
		target: t, client: client, key: check.presented, trust: check.trust,
		stop: keepAlive(client, d.cfg.KeepAlive),
	}, nil
}

// DialTCP connects to an address as it is seen from the target's jump host, or
// from here where there is none. Its errors are *DialError. The connection's
// deadlines do not work through a jump host.
func (d *Dialer) DialTCP(ctx context.Context, t Target, network, address string) (net.Conn, error) {
	jump, err := d.jumpOf(t)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.ConnectTimeout, errNoAnswer(d.cfg.ConnectTimeout))
	defer cancel()
	var (
		conn net.Conn
		via  string
	)
	if jump == nil {
		conn, err = d.cfg.Forward(ctx, network, address)
	} else {
		via = jump.String()
		conn, err = jump.dial(ctx, d, network, address)
	}
	if err != nil {
		return nil, dialError(ctx, t, via, network, address, err)
	}
	return conn, nil
}

// peer is whom a handshake is made with.
type peer struct{ name, address, user string }

// handshake turns a TCP connection into an SSH client; the connection is closed
// on failure. A rebooting host can take the connection and never speak
// (golang/go#15113), and a connection through a jump host has no deadlines: so
// the time is kept from outside.
func (d *Dialer) handshake(ctx context.Context, raw net.Conn, p peer, check *keyCheck, auth *authenticator) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, d.cfg.HandshakeTimeout, errNoAnswer(d.cfg.HandshakeTimeout))
	defer cancel()
	closed := context.AfterFunc(ctx, func() { _ = raw.Close() }) //nolint:errcheck // to wake the handshake
	conn, channels, requests, err := ssh.NewClientConn(raw, p.address, &ssh.ClientConfig{
		User:              p.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(auth.signers)},
		HostKeyCallback:   check.callback,
		HostKeyAlgorithms: check.algorithms(),
		ClientVersion:     "SSH-2.0-snowdrop",
	})
	if !closed() && err == nil {
		err = context.Cause(ctx)
		_ = conn.Close() //nolint:errcheck // the error is ctx's
	}
	if err != nil {
		_ = raw.Close() //nolint:errcheck // the error is the handshake's
		return nil, handshakeError(ctx, p, auth, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func errNoAnswer(within fmt.Stringer) error {
	return fmt.Errorf("%w: no answer within %s", ErrTimeout, within)
}
