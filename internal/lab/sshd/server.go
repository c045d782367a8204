// Package sshd is the SSH server of the lab: the same for the jump host and for
// every simulated droplet.
package sshd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Config says what a Server does. HostKeys, Authorized must be set.
type Config struct {
	// HostKeys are asked for at each connection, so that they may change.
	HostKeys func() []ssh.Signer
	// Authorized says whether a user may log in with a key.
	Authorized func(user string, key ssh.PublicKey) bool
	// Run runs a command and returns its exit status; nil refuses sessions.
	Run func(ctx context.Context, c Command) int
	// Dial opens what a client asks to be forwarded to; nil refuses forwarding.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Hang makes the server hold a connection without ever answering.
	Hang func() bool
}

// Command is what a client wants to be run. An empty Line is a login shell.
type Command struct {
	User, Line     string
	Env            map[string]string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Server is an SSH server on a listener. Make one with Serve.
type Server struct {
	listener net.Listener
	cancel   context.CancelFunc
	wait     func()

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Serve listens on an address and serves until ctx ends or Close.
func Serve(ctx context.Context, address string, cfg Config) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for SSH on %s: %w", address, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	s := &Server{listener: l, cancel: cancel, wait: wg.Wait, conns: map[net.Conn]bool{}}
	stop := context.AfterFunc(ctx, s.drop)
	wg.Go(func() {
		defer stop()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if !s.track(ctx, c) {
				continue
			}
			wg.Go(func() {
				defer s.untrack(c)
				serveConn(ctx, c, cfg)
			})
		}
	})
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close ends everything and waits for it.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.Disconnect()
	s.wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the SSH server: %w", err)
	}
	return nil
}

// Disconnect ends all connections, as a machine does that goes down.
func (s *Server) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

func (s *Server) drop() {
	_ = s.listener.Close()
	s.Disconnect()
}

func (s *Server) track(ctx context.Context, c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		_ = c.Close()
		return false
	}
	s.conns[c] = true
	return true
}

func (s *Server) untrack(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

func serveConn(ctx context.Context, c net.Conn, cfg Config) {
	if cfg.Hang != nil && cfg.Hang() {
		_, _ = io.Copy(io.Discard, c) // until the client gives up
		return
	}
	sc := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-OpenSSH_9.9-lab",
		PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if cfg.Authorized(m.User(), key) {
				return &ssh.Permissions{}, nil
			}
			return nil, fmt.Errorf("key %s may not log in as %s", ssh.FingerprintSHA256(key), m.User())
		},
	}
	for _, k := range cfg.HostKeys() {
		sc.AddHostKey(k)
	}
	conn, channels, requests, err := ssh.NewServerConn(c, sc)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	defer func() { _ = conn.Close() }()
	wg.Go(func() { answerRequests(requests) })
	for ch := range channels {
		switch {
		case ch.ChannelType() == "session" && cfg.Run != nil:
			wg.Go(func() { session(ctx, ch, conn.User(), cfg.Run) })
		case ch.ChannelType() == "direct-tcpip" && cfg.Dial != nil:
			wg.Go(func() { forward(ctx, ch, cfg.Dial) })
		default:
			_ = ch.Reject(ssh.Prohibited, "not offered here: "+ch.ChannelType())
		}
	}
}

func answerRequests(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(r.Type == "keepalive@openssh.com", nil)
		}
	}
}
