package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/versatus/snowdrop/internal/fleet"
)

// keyRing reads private keys, each source once.
type keyRing struct {
	env  func(string) string
	mu   sync.Mutex
	read map[string]privateKey
}

// privateKey is a key in both of its forms: to sign with, and as a file holds it.
type privateKey struct {
	signer ssh.Signer
	text   string
}

func identityOf(t Target, cfg Config) *fleet.Source {
	if t.Identity != nil {
		return t.Identity
	}
	return cfg.Identity
}

// authenticator offers keys in one handshake.
type authenticator struct {
	fixed []namedSigner
	agent agent.ExtendedAgent
	conn  net.Conn

	mu       sync.Mutex
	shown    []string
	agentErr error
}

type namedSigner struct {
	ssh.Signer
	from string
}

// open finds the keys to offer: the identity alone where there is one; else the
// environment's key, the agent's and those in ~/.ssh, in this order.
func (r *keyRing) open(ctx context.Context, identity *fleet.Source) (*authenticator, error) {
	if identity != nil {
		key, err := r.source(ctx, *identity)
		if err != nil {
			return nil, err
		}
		return &authenticator{fixed: []namedSigner{{key.signer, describe(*identity)}}}, nil
	}
	a := &authenticator{}
	if r.env(EnvPrivateKey) != "" {
		key, err := r.source(ctx, fleet.Source{Env: EnvPrivateKey})
		if err != nil {
			return nil, err
		}
		a.fixed = append(a.fixed, namedSigner{key.signer, EnvPrivateKey})
	}
	a.openAgent(ctx, r.env(EnvAgent))
	files, encrypted := r.homeKeys(ctx)
	a.fixed = append(a.fixed, files...)
	if len(a.fixed) == 0 && a.agent == nil {
		return nil, errors.Join(append(encrypted, a.agentErr, fmt.Errorf(
			"there is none: set %s to a private key, start an agent (%s), or name one with ssh.identity", EnvPrivateKey, EnvAgent))...)
	}
	return a, nil
}

func (a *authenticator) openAgent(ctx context.Context, socket string) {
	if socket == "" {
		return
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		a.agentErr = fmt.Errorf("ask the agent of %s: %w", EnvAgent, err)
		return
	}
	a.conn, a.agent = conn, agent.NewClient(conn)
}

// homeKeys reads the keys in ~/.ssh by their usual names. An encrypted one is
// passed over, for the agent may have it; it is returned to be mentioned.
func (r *keyRing) homeKeys(ctx context.Context) ([]namedSigner, []error) {
	var (
		found     []namedSigner
		encrypted []error
	)
	for _, file := range r.homeFiles() {
		key, err := r.source(ctx, fleet.Source{File: file})
		if err != nil {
			encrypted = append(encrypted, err)
			continue
		}
		found = append(found, namedSigner{key.signer, "~/.ssh/" + filepath.Base(file)})
	}
	return found, encrypted
}

// homeFiles are the keys that are in ~/.ssh.
func (r *keyRing) homeFiles() []string {
	home := r.env("HOME")
	if home == "" {
		return nil
	}
	var there []string
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := filepath.Join(home, ".ssh", name)
		if _, err := os.Stat(file); err == nil {
			there = append(there, file)
		}
	}
	return there
}

func (r *keyRing) source(ctx context.Context, src fleet.Source) (privateKey, error) {
	id := src.Env + "\x00" + src.File + "\x00" + strings.Join(src.Command, "\x00")
	r.mu.Lock()
	defer r.mu.Unlock() // held while a command runs: it is to run once
	if key, ok := r.read[id]; ok {
		return key, nil
	}
	text, err := ReadSource(ctx, src, r.env)
	if err != nil {
		return privateKey{}, err
	}
	key, err := parsePrivateKey(text, describe(src))
	if err != nil {
		return privateKey{}, err
	}
	if r.read == nil {
		r.read = map[string]privateKey{}
	}
	r.read[id] = key
	return key, nil
}

// parsePrivateKey is forgiving about what happens to a key on its way through a
// secret store: other line ends, blanks around it.
func parsePrivateKey(text []byte, from string) (privateKey, error) {
	clean := strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n")) + "\n"
	signer, err := ssh.ParsePrivateKey([]byte(clean))
	var encrypted *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &encrypted):
		return privateKey{}, fmt.Errorf("the private key in %s is encrypted: load it into an agent (ssh-add), or use one without a passphrase", from)
	case err != nil && strings.HasPrefix(clean, "ssh-"):
		return privateKey{}, fmt.Errorf("%s holds a public key: the private one is needed", from)
	case err != nil:
		// The library's error does not hold the key, but neither does it help.
		return privateKey{}, fmt.Errorf("%s does not hold a private key in OpenSSH or PEM form", from)
	}
	return privateKey{signer, clean}, nil
}

// signers is called by the handshake, once.
func (a *authenticator) signers() ([]ssh.Signer, error) {
	var all []namedSigner
	all = append(all, a.fixed...)
	if a.agent != nil {
		list, err := a.agent.Signers()
		a.mu.Lock()
		a.agentErr = err
		a.mu.Unlock()
		for _, s := range list {
			all = append(all, namedSigner{s, "agent"})
		}
	}
	var (
		out   []ssh.Signer
		shown []string
		seen  = map[string]bool{}
	)
	for _, s := range all {
		id := string(s.PublicKey().Marshal())
		if !seen[id] {
			seen[id] = true
			out = append(out, s.Signer)
			shown = append(shown, fingerprint(s.PublicKey())+" ("+s.from+")")
		}
	}
	a.mu.Lock()
	a.shown = shown
	a.mu.Unlock()
	return out, nil
}

// offered are the keys of the handshake, each with where it came from.
func (a *authenticator) offered() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.shown) == 0 {
		return []string{"none (the agent has no key)"}
	}
	return a.shown
}

// err is what was wrong with the agent, if that left no key to offer.
func (a *authenticator) err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.shown) == 0 && a.agentErr != nil {
		return fmt.Errorf("ask the agent of %s: %w", EnvAgent, a.agentErr)
	}
	return nil
}

func (a *authenticator) close() {
	if a.conn != nil {
		_ = a.conn.Close() //nolint:errcheck // a socket on this machine
	}
}
