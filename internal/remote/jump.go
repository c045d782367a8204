package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
)

// jumpHost is one shared connection to a host that forwards.
type jumpHost struct {
	fleet.Jump
	identity *fleet.Source
	// turn is held while the connection is made or looked at; a channel, since
	// waiting for it must end with the context.
	turn   chan struct{}
	client *ssh.Client
	stop   func()
}

func (j *jumpHost) String() string { return "jump host " + j.User + "@" + j.address() }

func (j *jumpHost) address() string { return net.JoinHostPort(j.Host, strconv.Itoa(j.Port)) }

// envJump reads SNOWDROP_SSH_JUMP (user@host:port, user and port may be left out)
// and SNOWDROP_SSH_JUMP_HOST_KEY (one key a line). Nil means that there is none.
func envJump(env func(string) string) (*fleet.Jump, error) {
	text := env(EnvJump)
	if text == "" {
		return nil, nil //nolint:nilnil // none is a valid answer
	}
	j := &fleet.Jump{Host: text}
	if user, host, ok := strings.Cut(text, "@"); ok {
		j.User, j.Host = user, host
	}
	if host, port, err := net.SplitHostPort(j.Host); err == nil {
		n, err := strconv.Atoi(port)
		if err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("%w: %s=%q: %q is not a port", ErrJump, EnvJump, text, port)
		}
		j.Host, j.Port = host, n
	}
	j.Host = strings.Trim(j.Host, "[]")
	if j.Host == "" {
		return nil, fmt.Errorf("%w: %s=%q names no host: write user@host:port", ErrJump, EnvJump, text)
	}
	for line := range strings.SplitSeq(env(EnvJumpHostKey), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			j.HostKeys = append(j.HostKeys, line)
		}
	}
	if _, err := parseKeys(j.HostKeys); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrJump, EnvJumpHostKey, err)
	}
	return j, nil
}

// jumpOf is the shared connection that a target goes through, or nil.
func (d *Dialer) jumpOf(t Target) (*jumpHost, error) {
	jump := t.Jump
	if jump == nil {
		var err error
		if jump, err = envJump(d.cfg.Env); err != nil || jump == nil {
			return nil, err
		}
	}
	j := &jumpHost{Jump: *jump, identity: identityOf(t, d.cfg), turn: make(chan struct{}, 1)}
	if j.User == "" {
		j.User = "root"
	}
	if j.Port == 0 {
		j.Port = 22
	}
	key := fmt.Sprintf("%q", []any{j.User, j.Host, j.Port, j.HostKeys, j.identity})
	if j.identity != nil {
		key = fmt.Sprintf("%q", []any{j.User, j.Host, j.Port, j.HostKeys, *j.identity})
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if shared, ok := d.jumps[key]; ok {
		return shared, nil
	}
	d.jumps[key] = j
	return j, nil
}

// dial connects to an address as it is seen from the jump host. A shared
// connection that gives anything but the jump host's own refusal is taken for dead
// (the library has many words for that) and made anew, once.
func (j *jumpHost) dial(ctx context.Context, d *Dialer, network, address string) (net.Conn, error) {
	for fresh := false; ; {
		client, made, err := j.connected(ctx, d)
		if err != nil {
			return nil, err
		}
		fresh = fresh || made
		conn, err := client.DialContext(ctx, network, address)
		var rejected *ssh.OpenChannelError
		switch {
		case err == nil:
			return conn, nil
		case errors.As(err, &rejected):
			return nil, forwardError(rejected)
		case fresh || ctx.Err() != nil:
			return nil, fmt.Errorf("ask %s to connect: %w", j, err)
		}
		j.drop(client)
	}
}

// forwardError keeps the jump host's words and adds what only it could allow.
func forwardError(e *ssh.OpenChannelError) error {
	if e.Reason == ssh.Prohibited {
		return fmt.Errorf("the jump host does not forward (AllowTcpForwarding in its sshd_config): %w", e)
	}
	return fmt.Errorf("the jump host says: %w", e)
}

func (j *jumpHost) connected(ctx context.Context, d *Dialer) (client *ssh.Client, made bool, err error) {
	select {
	case j.turn <- struct{}{}:
		defer func() { <-j.turn }()
	case <-ctx.Done():
		return nil, false, fmt.Errorf("wait for the connection to %s: %w", j, context.Cause(ctx))
	}
	if j.client != nil {
		return j.client, false, nil
	}
	if j.client, err = j.connect(ctx, d); err != nil {
		return nil, false, err
	}
	j.stop = keepAlive(j.client, d.cfg.KeepAlive)
	return j.client, true, nil
}

func (j *jumpHost) connect(ctx context.Context, d *Dialer) (*ssh.Client, error) {
	t := Target{Name: j.String(), Address: j.Host}
	check, err := j.keyCheck(d.cfg)
	if err != nil {
		return nil, &DialError{Target: j.String(), Doing: "connect to", Kind: ErrJump, Err: err}
	}
	auth, err := d.keys.open(ctx, j.identity)
	if err != nil {
		return nil, &DialError{Target: j.String(), Doing: "find a private key for", Kind: ErrIdentity, Err: err}
	}
	defer auth.close()
	raw, err := d.cfg.Forward(ctx, "tcp", j.address())
	if err != nil {
		return nil, dialError(ctx, t, "", "tcp", j.address(), err)
	}
	return d.handshake(ctx, raw, peer{name: j.String(), address: j.address(), user: j.User}, check, auth)
}

// keyCheck demands the pinned keys; where none is pinned, those that the user's
// own known_hosts has for the jump host. Nothing is accepted on first contact: a
// jump host sees all that goes through it.
func (j *jumpHost) keyCheck(cfg Config) (*keyCheck, error) {
	k := &keyCheck{name: j.String(), host: j.Host, policy: fleet.Strict}
	k.advice = "if it was set up anew, pin its key (ssh.jump.host-keys, or " + EnvJumpHostKey + " beside " + EnvJump + ")"
	var err error
	if len(j.HostKeys) > 0 {
		if k.known, err = parseKeys(j.HostKeys); err != nil {
			return nil, fmt.Errorf("read its pinned host keys: %w", err)
		}
		return k, nil
	}
	files := knownHostsFiles(cfg)
	if len(files) > 0 {
		db, err := knownhosts.NewDB(files...)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", strings.Join(files, ", "), err)
		}
		for _, key := range db.HostKeys(j.address()) {
			if key.Cert {
				k.authorities = append(k.authorities, key.PublicKey)
			} else {
				k.known = append(k.known, key.PublicKey)
			}
		}
	}
	if len(k.known)+len(k.authorities) == 0 {
		return nil, fmt.Errorf("its host key is not known: pin it (ssh.jump.host-keys, or %s beside %s), or add it to ~/.ssh/known_hosts by logging in once", EnvJumpHostKey, EnvJump)
	}
	return k, nil
}

func knownHostsFiles(cfg Config) []string {
	files := cfg.KnownHosts
	if files == nil {
		files = []string{"/etc/ssh/ssh_known_hosts"}
		if home := cfg.Env("HOME"); home != "" {
			files = append(files, filepath.Join(home, ".ssh", "known_hosts"))
		}
	}
	var there []string
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			there = append(there, f)
		}
	}
	return there
}

// drop forgets a client that is dead, unless somebody has replaced it already.
func (j *jumpHost) drop(client *ssh.Client) {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if j.client == client {
		j.stop()
		_ = client.Close() //nolint:errcheck // it is dead
		j.client = nil
	}
}

func (j *jumpHost) close() error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	if j.client == nil {
		return nil
	}
	j.stop()
	err := j.client.Close()
	j.client = nil
	if err != nil && !isClosed(err) {
		return fmt.Errorf("close the connection to %s: %w", j, err)
	}
	return nil
}
