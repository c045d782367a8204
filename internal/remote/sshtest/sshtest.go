// Package sshtest is an SSH server in the process for tests: real handshakes, real
// forwarding, and commands that a test answers or that a shell runs.
package sshtest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Handler answers a command and returns its exit status.
type Handler func(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) int

// Options says what a Server is like.
type Options struct {
	// HostKeys are what it can prove itself with; none means a new ed25519 key.
	HostKeys []ssh.Signer
	// Authorized are the keys that may log in; none means that every key may.
	Authorized []ssh.PublicKey
	// Handler answers commands; nil means that there are none.
	Handler Handler
	// Forward allows connections through the server.
	Forward bool
	// Mute takes connections and never speaks, as a rebooting host can.
	Mute bool
	// Deaf leaves requests such as keep-alives unanswered after the login.
	Deaf bool
	// Vanish ends all connections when a command is asked for, without an answer.
	Vanish bool
}

// Server is one that runs until the test ends.
type Server struct {
	Host string
	Port int

	options  Options
	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	accepted int
	users    []string
}

// Start starts a server on a free port of the loopback.
func Start(tb testing.TB, o Options) *Server {
	tb.Helper()
	if len(o.HostKeys) == 0 {
		o.HostKeys = []ssh.Signer{NewKey(tb)}
	}
	listener, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Host: host, Port: number, options: o, listener: listener, conns: map[net.Conn]bool{}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	go s.serve(ctx)
	tb.Cleanup(func() {
		cancel()
		_ = listener.Close() //nolint:errcheck // the test is over
		s.Drop()
	})
	return s
}

// Address is host:port.
func (s *Server) Address() string { return net.JoinHostPort(s.Host, strconv.Itoa(s.Port)) }

// Accepted is how many connections have come so far.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Users are who logged in, in order.
func (s *Server) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.users...)
}

// Drop cuts all connections.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close() //nolint:errcheck // it is to be gone
	}
}

// SetHostKeys changes what later connections see, as a rebuild does.
func (s *Server) SetHostKeys(keys ...ssh.Signer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.HostKeys = keys
}

// HostKey is the public key of the first host key in authorized_keys form.
func (s *Server) HostKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Line(s.options.HostKeys[0].PublicKey())
}

func (s *Server) serve(ctx context.Context) {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.accepted++
		s.conns[raw] = true
		s.mu.Unlock()
		if !s.options.Mute {
			go s.session(ctx, raw)
		}
	}
}

func (s *Server) config() *ssh.ServerConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		for _, a := range s.options.Authorized {
			if Line(a) == Line(key) {
				return &ssh.Permissions{}, nil
			}
		}
		if len(s.options.Authorized) == 0 {
			return &ssh.Permissions{}, nil
		}
		return nil, errors.New("not authorized")
	}}
	for _, key := range s.options.HostKeys {
		cfg.AddHostKey(key)
	}
	return cfg
}

func (s *Server) session(ctx context.Context, raw net.Conn) {
	defer raw.Close() //nolint:errcheck // its end is known
	conn, channels, requests, err := ssh.NewServerConn(raw, s.config())
	if err != nil {
		return
	}
	s.mu.Lock()
	s.users = append(s.users, conn.User())
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.options.Deaf {
		go func() {
			for range requests { //nolint:revive // that is what deaf means
			}
		}()
	} else {
		go ssh.DiscardRequests(requests)
	}
	for c := range channels {
		switch {
		case c.ChannelType() == "session" && s.options.Handler != nil:
			go s.command(ctx, c)
		case c.ChannelType() == "direct-tcpip" && s.options.Forward:
			go forward(ctx, c)
		default:
			_ = c.Reject(ssh.Prohibited, "administratively prohibited") //nolint:errcheck // nothing to be done
		}
	}
}

func (s *Server) command(ctx context.Context, c ssh.NewChannel) {
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	defer channel.Close() //nolint:errcheck // its end is known
	for r := range requests {
		if r.Type != "exec" || len(r.Payload) < 4 {
			_ = r.Reply(false, nil) //nolint:errcheck // nothing to be done
			continue
		}
		if s.options.Vanish {
			s.Drop()
			return
		}
		_ = r.Reply(true, nil) //nolint:errcheck // nothing to be done
		ctx, cancel := context.WithCancel(ctx)
		go func() { // the end of the requests is the end of the channel
			for r := range requests {
				_ = r.Reply(false, nil) //nolint:errcheck // nothing to be done
			}
			cancel()
		}()
		status := s.options.Handler(ctx, string(r.Payload[4:]), channel, channel, channel.Stderr())
		payload := binary.BigEndian.AppendUint32(nil, uint32(status)) //nolint:gosec // exit statuses are small
		_, _ = channel.SendRequest("exit-status", false, payload)     //nolint:errcheck // nothing to be done
		cancel()
		return
	}
}

func forward(ctx context.Context, c ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		OriginHost string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &to); err != nil {
		_ = c.Reject(ssh.ConnectionFailed, err.Error()) //nolint:errcheck // nothing to be done
		return
	}
	out, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = c.Reject(ssh.ConnectionFailed, "Connection refused") //nolint:errcheck // nothing to be done
		return
	}
	defer out.Close() //nolint:errcheck // its end is known
	channel, requests, err := c.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(out, channel) //nolint:errcheck // an end is an end
		_ = out.Close()              //nolint:errcheck // wakes the other direction
	}()
	_, _ = io.Copy(channel, out) //nolint:errcheck // an end is an end
	_ = channel.Close()          //nolint:errcheck // its end is known
}

// Shell is a Handler that runs commands with sh, with env added to a minimal
// environment.
func Shell(env ...string) Handler {
	return func(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) int {
		cmd := exec.CommandContext(ctx, "sh", "-c", command) //nolint:gosec // that is what it is for
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		cmd.Stdout, cmd.Stderr = stdout, stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			return 126
		}
		go func() { // not cmd.Stdin: Wait would wait for the client to close it
			_, _ = io.Copy(in, stdin) //nolint:errcheck // an end is an end
			_ = in.Close()            //nolint:errcheck // an end is an end
		}()
		var exit *exec.ExitError
		if err := cmd.Run(); errors.As(err, &exit) {
			return exit.ExitCode()
		} else if err != nil {
			return 127
		}
		return 0
	}
}

// NewKey makes an ed25519 key.
func NewKey(tb testing.TB) ssh.Signer {
	tb.Helper()
	signer, _ := newKey(tb)
	return signer
}

// NewPrivateKey makes an ed25519 key and its text in OpenSSH's form.
func NewPrivateKey(tb testing.TB) (ssh.Signer, string) {
	tb.Helper()
	signer, private := newKey(tb)
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	return signer, string(pem.EncodeToMemory(block))
}

func newKey(tb testing.TB) (ssh.Signer, ed25519.PrivateKey) {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return signer, private
}

// Line is a public key in authorized_keys form.
func Line(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}
