// Package remote reaches droplets over SSH: through jump hosts, with the host
// keys that the record demands, and with errors that say what to do.
package remote

import (
	"context"
	"io"
	"net"
	"os"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
)

// The defaults of Config.
const (
	DefaultConnectTimeout   = 10 * time.Second
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultKeepAlive        = 15 * time.Second
)

// The environment variables that are read through Config.Env.
const (
	EnvPrivateKey  = "SSH_PRIVATE_KEY"
	EnvAgent       = "SSH_AUTH_SOCK"
	EnvJump        = "SNOWDROP_SSH_JUMP"
	EnvJumpHostKey = "SNOWDROP_SSH_JUMP_HOST_KEY"
)

// Config is what all connections of a run share. The zero Config is usable.
type Config struct {
	// Identity is the private key of targets that name none of their own.
	Identity *fleet.Source
	// Env reads the environment; nil means os.Getenv.
	Env func(string) string
	// KnownHosts are OpenSSH known_hosts files that are read, never written, for
	// jump hosts without pinned keys. Nil means ~/.ssh/known_hosts and
	// /etc/ssh/ssh_known_hosts.
	KnownHosts []string
	// ConnectTimeout bounds the TCP connection, HandshakeTimeout all of SSH's
	// handshake (golang/go#15113). 0 means the default.
	ConnectTimeout, HandshakeTimeout time.Duration
	// KeepAlive is how often a connection is asked whether the other side is
	// still there; two unanswered questions end it. 0 means the default.
	KeepAlive time.Duration
	// Forward makes the TCP connections that leave this machine; nil means a
	// net.Dialer.
	Forward func(ctx context.Context, network, address string) (net.Conn, error)
}

// Target is a droplet and the way to it.
type Target struct {
	// Name is how people call it; it stands in errors, and a host certificate may
	// be made out to it.
	Name string
	// Address is an IP address or a host name.
	Address string
	// Port is 22 where it is 0.
	Port int
	// User is root where it is empty.
	User string
	// Identity is the private key; nil means Config's.
	Identity *fleet.Source
	// Jump is the host to go through; nil means that of SNOWDROP_SSH_JUMP, or none.
	Jump *fleet.Jump
	Keys HostKeys
}

// HostKeys says which host keys of a target are accepted.
type HostKeys struct {
	// Policy is Rotate where it is empty.
	Policy fleet.HostKeyPolicy
	// Known are the recorded or pinned keys in authorized_keys form.
	Known []string
	// Authorities are the public keys of host certificate authorities, in
	// authorized_keys form.
	Authorities []string
	// AcceptNewSet says that our own rebuild was completed: under Rotate one key
	// that is not known is accepted then. Who dials must from then on demand it:
	// put it into Known and clear AcceptNewSet.
	AcceptNewSet bool
}

// Trust says why a host key was accepted.
type Trust string

// The reasons. FirstContact and NewSet are the two that a caller has to record
// and to mention: nothing but the network vouched for the key.
const (
	Known        Trust = "known"
	Authority    Trust = "certificate authority"
	NewSet       Trust = "new after our rebuild"
	FirstContact Trust = "first contact"
)

// Result is what a command said.
type Result struct {
	Stdout, Stderr []byte
	// Exit is the exit status; 128 plus the signal's number where a signal ended
	// the command, as in a shell.
	Exit int
}

// Runner runs one command on a machine. *Conn is one.
type Runner interface {
	// Run's error says that the command could not be run or its end not be seen; a
	// command that failed is a Result.
	Run(ctx context.Context, command string, stdin io.Reader) (Result, error)
}

var _ Runner = (*Conn)(nil)

func (c Config) withDefaults() Config {
	if c.Env == nil {
		c.Env = os.Getenv
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.HandshakeTimeout == 0 {
		c.HandshakeTimeout = DefaultHandshakeTimeout
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = DefaultKeepAlive
	}
	if c.Forward == nil {
		c.Forward = (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext
	}
	return c
}

func (t Target) port() int {
	if t.Port == 0 {
		return 22
	}
	return t.Port
}

func (t Target) user() string {
	if t.User == "" {
		return "root"
	}
	return t.User
}

// String is "name (address)", or one of them alone where there is not the other.
func (t Target) String() string {
	if t.Address == "" {
		return t.Name
	}
	if t.Name == "" || t.Name == t.Address {
		return t.Address
	}
	return t.Name + " (" + t.Address + ")"
}
