package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
)

// OpenSSH is a private folder with which OpenSSH's programs reach targets as Dial
// does: a configuration, the host keys, and copies of private keys.
type OpenSSH struct {
	dir   string
	lock  *os.File // held as long as the folder is used
	hosts map[string]opensshHost
}

type opensshHost struct {
	alias string
	keys  []string
}

// OpenSSH writes into a new private folder (0700) a configuration with which
// OpenSSH's programs reach the targets as Dial does: with the same keys, the same
// host keys, and through the same jump host. OpenSSH is to accept no host key by
// itself: where Dial would accept one that is not known, or has to ask an
// authority, the target is dialled here, and errors are those of Dial. Nothing
// is left behind on failure; what a process left that was killed is removed.
func (d *Dialer) OpenSSH(ctx context.Context, targets ...Target) (*OpenSSH, error) {
	dir, lock, err := privateFolder()
	if err != nil {
		return nil, err
	}
	w := &opensshWriter{
		d: d, OpenSSH: OpenSSH{dir: dir, lock: lock, hosts: map[string]opensshHost{}},
		aliases: map[string]bool{}, jumps: map[*jumpHost]string{}, copies: map[string]string{},
	}
	for _, t := range targets {
		if err = w.add(ctx, t); err != nil {
			break
		}
	}
	if err == nil {
		err = w.finish()
	}
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &w.OpenSSH, nil
}

// Config is the path of the configuration, for ssh -F. With it OpenSSH asks
// nobody for anything. The path holds no character that a shell or NIX_SSHOPTS
// would take for more than itself.
func (o *OpenSSH) Config() string { return filepath.Join(o.dir, "config") }

// Interactive is the path of the same configuration for use at a terminal: a
// private key's passphrase may be asked for.
func (o *OpenSSH) Interactive() string { return filepath.Join(o.dir, "interactive") }

// Host is what the target is called on a command line: an alias of the
// configuration made of a-z, 0-9, "." and "-". It is empty for a target that the
// configuration was not made for.
func (o *OpenSSH) Host(t Target) string { return o.hosts[targetID(t)].alias }

// HostKeys are the target's keys, in authorized_keys form, that OpenSSH demands,
// with one that was met for the first time; none where an authority vouches for
// them.
func (o *OpenSSH) HostKeys(t Target) ([]string, error) {
	h, ok := o.hosts[targetID(t)]
	if !ok {
		return nil, fmt.Errorf("host keys of %s: OpenSSH's configuration was not made for it", t)
	}
	return slices.Clone(h.keys), nil
}

// targetID tells targets apart by all that the way to them depends on.
func targetID(t Target) string {
	id := fmt.Sprintf("%q", []any{t.Name, t.Address, t.port(), t.user()})
	if t.Identity != nil {
		id += fmt.Sprintf("%q", []any{t.Identity.Env, t.Identity.File, t.Identity.Command})
	}
	if t.Jump != nil {
		id += fmt.Sprintf("%q", []any{t.Jump.Host, t.Jump.Port, t.Jump.User})
	}
	return id
}

// trusted are the host keys that OpenSSH is to demand of a target, and the name
// that a certificate must be made out to.
func (d *Dialer) trusted(ctx context.Context, t Target) (keys, authorities []string, name string, err error) {
	check, err := newKeyCheck(t)
	if err != nil {
		return nil, nil, "", err
	}
	keys, authorities, name = marshalKeys(check.known), marshalKeys(check.authorities), t.Name
	if name == "" {
		name = t.Address
	}
	if len(check.authorities) > 0 {
		name, err = d.certified(ctx, t)
		return keys, authorities, name, err
	}
	if len(keys) > 0 && (!check.acceptNewSet || check.policy != fleet.Rotate) {
		return keys, nil, name, nil
	}
	conn, err := d.Dial(ctx, t)
	if err != nil {
		return nil, nil, "", err
	}
	defer conn.Close() //nolint:errcheck // it has served
	if conn.Trust() != Known {
		keys = []string{conn.HostKey()}
	}
	return keys, nil, name, nil
}

// certified is which of its names a target's certificate is made out to. Dial
// accepts two, OpenSSH checks one.
func (d *Dialer) certified(ctx context.Context, t Target) (string, error) {
	if t.Name == "" || t.Name == t.Address {
		return t.Address, nil
	}
	conn, err := d.Dial(ctx, t)
	if err != nil {
		return "", err
	}
	_ = conn.Close() //nolint:errcheck // it has served
	byAddress := t
	byAddress.Name = ""
	conn, err = d.Dial(ctx, byAddress)
	var other *HostKeyError
	switch {
	case err == nil:
		_ = conn.Close() //nolint:errcheck // it has served
		return t.Address, nil
	case errors.As(err, &other):
		return t.Name, nil
	default:
		return "", err
	}
}

func marshalKeys(keys []ssh.PublicKey) []string {
	var lines []string
	for _, key := range keys {
		lines = append(lines, marshalKey(key))
	}
	return lines
}
