package deploy

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/vm"
	"github.com/versatus/snowdrop/steps/verify"
)

// portOf is the port that the server's sshd listens on.
func portOf(s fleet.Server) int { return cmp.Or(s.SSH.Port, 22) }

// wayIn makes the way into the machine: a free port that leads to its sshd, and, for
// root, a key for this one boot, whose public half the kernel's parameters hand in. The
// host keys are new with every boot and the way is this computer's own, so one new set
// is accepted. cleanup removes the key.
func (t *vmTrial) wayIn(ctx context.Context) (target remote.Target, port int, params []string, cleanup func(), err error) {
	if port, err = vm.FreePort(ctx); err != nil {
		return target, 0, nil, nil, err //nolint:wrapcheck // it says what was tried
	}
	s := t.server.SSH
	target = remote.Target{
		Name: t.server.Name, Address: "127.0.0.1", Port: port, User: s.User, Identity: s.Identity,
		Keys: remote.HostKeys{Policy: fleet.Rotate, AcceptNewSet: true},
	}
	t.dialer = &vmDialer{Dialer: t.d.SSH, port: port}
	cleanup = func() {}
	if cmp.Or(s.User, "root") != "root" {
		return target, port, nil, cleanup, nil // only root's home is known
	}
	dir, err := os.MkdirTemp("", "snowdrop-vm-key-")
	if err != nil {
		return target, 0, nil, nil, fmt.Errorf("make a key for the virtual machine: %w", err)
	}
	cleanup = func() { _ = os.RemoveAll(dir) }
	file := filepath.Join(dir, "id_ed25519")
	public, err := writeKey(file)
	if err != nil {
		cleanup()
		return target, 0, nil, nil, fmt.Errorf("make a key for the virtual machine: %w", err)
	}
	t.dialer.key = &fleet.Source{File: file}
	return target, port, []string{vm.AuthorizeRoot(public)}, cleanup, nil
}

// writeKey makes a key pair, writes its private half, and returns the public one in
// authorized_keys form.
func writeKey(file string) (public string, err error) {
	pub, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("generate it: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "snowdrop vm")
	if err != nil {
		return "", fmt.Errorf("encode it: %w", err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err //nolint:wrapcheck // it names the file
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", fmt.Errorf("encode it: %w", err)
	}
	return string(ssh.MarshalAuthorizedKey(key)[:len(ssh.MarshalAuthorizedKey(key))-1]), nil
}

// vmDialer reaches a virtual machine through a forwarded port. Other connections to it
// are made from inside, with itself as the jump host: QEMU takes a connection to a
// forwarded port before the machine has said whether anything listens there.
type vmDialer struct {
	verify.Dialer
	port int
	// key is the one that was made for this boot; nil where there is none.
	key *fleet.Source
	// guest is the machine's own address.
	guest string

	mu sync.Mutex
	// own says that the server's own key was let in, and the other one was not.
	own bool
}

// identity is the key to offer.
func (d *vmDialer) identity(t remote.Target) *fleet.Source {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.key == nil || d.own {
		return t.Identity
	}
	return d.key
}

// Dial implements verify.Dialer. A machine that does not know the key of this boot is
// tried with the server's own.
func (d *vmDialer) Dial(ctx context.Context, t remote.Target) (*remote.Conn, error) {
	first := t
	first.Identity = d.identity(t)
	conn, err := d.Dialer.Dial(ctx, first)
	if err == nil || !errors.Is(err, remote.ErrAuth) || first.Identity == t.Identity {
		return conn, err //nolint:wrapcheck // it says whom and why
	}
	conn, other := d.Dialer.Dial(ctx, t)
	switch {
	case other == nil:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.own = true
		return conn, nil
	case errors.Is(other, remote.ErrIdentity):
		return nil, err //nolint:wrapcheck // there is no other key, and that is no fault
	default:
		return nil, other //nolint:wrapcheck // it says whom and why
	}
}

// DialTCP implements verify.Dialer.
func (d *vmDialer) DialTCP(ctx context.Context, t remote.Target, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && host == t.Address {
		address = net.JoinHostPort(d.guest, port)
	}
	t.Identity = d.identity(t)
	t.Jump = &fleet.Jump{Host: t.Address, Port: d.port, User: t.User, HostKeys: t.Keys.Known}
	return d.Dialer.DialTCP(ctx, t, network, address) //nolint:wrapcheck // it says whom and why
}
