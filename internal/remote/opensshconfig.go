package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/fleet"
)

// opensshWriter fills the folder of an OpenSSH.
type opensshWriter struct {
	OpenSSH
	d       *Dialer
	text    strings.Builder
	aliases map[string]bool
	jumps   map[*jumpHost]string
	// copies are the private keys that were written already, by their text.
	copies map[string]string
}

// block is what the configuration says of one host.
type block struct {
	alias, address, user string
	port                 int
	identity             *fleet.Source
	// name is what the host is called in its known_hosts file.
	name              string
	keys, authorities []string
	// jump is the alias of the jump host, or empty.
	jump string
}

func (w *opensshWriter) add(ctx context.Context, t Target) error {
	if _, ok := w.hosts[targetID(t)]; ok {
		return nil
	}
	if t.Address == "" {
		return fmt.Errorf("configure OpenSSH for %s: it has no address", t.Name)
	}
	jump, err := w.jump(ctx, t)
	if err != nil {
		return err
	}
	keys, authorities, name, err := w.d.trusted(ctx, t)
	if err != nil {
		return err
	}
	alias := w.alias(t.Name, t.Address)
	err = w.write(ctx, t.String(), block{
		alias: alias, address: t.Address, user: t.user(), port: t.port(), identity: identityOf(t, w.d.cfg),
		name: name, keys: keys, authorities: authorities, jump: jump,
	})
	w.hosts[targetID(t)] = opensshHost{alias: alias, keys: keys}
	return err
}

// jump configures the target's jump host, once, and returns its alias; empty
// where there is none.
func (w *opensshWriter) jump(ctx context.Context, t Target) (string, error) {
	j, err := w.d.jumpOf(t)
	if err != nil || j == nil {
		return "", err
	}
	if alias, ok := w.jumps[j]; ok {
		return alias, nil
	}
	check, err := j.keyCheck(w.d.cfg)
	if err != nil {
		return "", &DialError{Target: j.String(), Doing: "connect to", Kind: ErrJump, Err: err}
	}
	alias := w.alias("jump-"+j.Host, "jump")
	w.jumps[j] = alias
	return alias, w.write(ctx, j.String(), block{
		alias: alias, address: j.Host, user: j.User, port: j.Port, identity: j.identity,
		name: j.Host, keys: marshalKeys(check.known), authorities: marshalKeys(check.authorities),
	})
}

// alias makes a name that no other host of the configuration has.
func (w *opensshWriter) alias(names ...string) string {
	base := "host"
	for _, name := range names {
		clean := strings.Trim(strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' || r == '-' {
				return r
			}
			return '-'
		}, strings.ToLower(name)), "-.")
		if clean != "" {
			base = clean
			break
		}
	}
	alias := base
	for n := 2; w.aliases[alias]; n++ {
		alias = fmt.Sprintf("%s-%d", base, n)
	}
	w.aliases[alias] = true
	return alias
}

// write adds a host to the configuration, with a known_hosts file of its own: so
// no host is taken for another.
func (w *opensshWriter) write(ctx context.Context, host string, b block) error {
	files, err := w.identities(ctx, b.identity)
	if err != nil {
		return &DialError{Target: host, Doing: "find a private key for", Kind: ErrIdentity, Err: err}
	}
	known := filepath.Join(w.dir, "known_hosts-"+b.alias)
	var lines strings.Builder
	for _, key := range b.authorities {
		fmt.Fprintf(&lines, "@cert-authority %s %s\n", b.name, key)
	}
	for _, key := range b.keys {
		fmt.Fprintf(&lines, "%s %s\n", b.name, key)
	}
	if strings.ContainsAny(b.name, " \t\r\n,*?!|@#\"") {
		return fmt.Errorf("configure OpenSSH for %s: %q cannot stand in a known_hosts file", host, b.name)
	}
	if err := os.WriteFile(known, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("configure OpenSSH for %s: %w", host, err)
	}
	fmt.Fprintf(&w.text, "Host %s\n", b.alias)
	for _, option := range [][2]string{
		{"HostName", literal(b.address)},
		{"Port", strconv.Itoa(b.port)},
		{"User", b.user},
		{"HostKeyAlias", b.name},
		{"UserKnownHostsFile", literal(known)},
	} {
		if err := w.option(host, option[0], option[1]); err != nil {
			return err
		}
	}
	agentKeys, all, err := w.agentKeys(ctx, b.identity, files)
	if err != nil {
		return fmt.Errorf("configure OpenSSH for %s: %w", host, err)
	}
	if !all {
		w.text.WriteString("  IdentitiesOnly yes\n")
	}
	for _, file := range slices.Concat(files, agentKeys) {
		if err := w.option(host, "IdentityFile", literal(file)); err != nil {
			return err
		}
	}
	if b.jump != "" {
		w.text.WriteString("  ProxyJump " + b.jump + "\n")
	}
	return nil
}

// option writes one that has an argument of any kind.
func (w *opensshWriter) option(host, name, value string) error {
	if value == "" || strings.ContainsAny(value, "\r\n\x00\"") {
		return fmt.Errorf("configure OpenSSH for %s: %s cannot be %q", host, name, value)
	}
	fmt.Fprintf(&w.text, "  %s \"%s\"\n", name, value)
	return nil
}

// literal keeps OpenSSH from expanding %-tokens, and from taking a path's
// backslashes for its own.
func literal(text string) string {
	return strings.ReplaceAll(filepath.ToSlash(text), "%", "%%")
}

// identities are the files of the private keys to offer, as keyRing.open picks
// them. Encrypted ones are among them: the agent may hold them, or somebody know
// the passphrase.
func (w *opensshWriter) identities(ctx context.Context, identity *fleet.Source) ([]string, error) {
	if identity != nil {
		file, err := w.copyOf(ctx, *identity)
		return []string{file}, err
	}
	var files []string
	if w.d.cfg.Env(EnvPrivateKey) != "" {
		file, err := w.copyOf(ctx, fleet.Source{Env: EnvPrivateKey})
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	for _, file := range w.d.keys.homeFiles() {
		if info, err := os.Stat(file); err == nil && info.Mode().Perm()&0o077 != 0 || !plainPath(file) {
			text, err := os.ReadFile(file) //nolint:gosec // one of the keys in ~/.ssh
			if err != nil {
				return nil, fmt.Errorf("read a private key: %w", err)
			}
			if file, err = w.copy(string(text)); err != nil {
				return nil, err
			}
		}
		files = append(files, file)
	}
	if len(files) > 0 {
		return files, nil
	}
	if w.d.cfg.Env(EnvAgent) == "" {
		return nil, fmt.Errorf("there is none: set %s to a private key, start an agent (%s), or name one with ssh.identity", EnvPrivateKey, EnvAgent)
	}
	return []string{noFile}, nil // not OpenSSH's own list: that of Dial is empty
}

// copyOf writes a source's key to a file that OpenSSH takes.
func (w *opensshWriter) copyOf(ctx context.Context, src fleet.Source) (string, error) {
	key, err := w.d.keys.source(ctx, src)
	if err != nil {
		return "", err
	}
	return w.copy(key.text)
}

func (w *opensshWriter) copy(text string) (string, error) {
	if file, ok := w.copies[text]; ok {
		return file, nil
	}
	file := filepath.Join(w.dir, fmt.Sprintf("identity-%d", len(w.copies)+1))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil { //nolint:gosec // the folder is our own
		return "", fmt.Errorf("write a copy of the private key: %w", err)
	}
	w.copies[text] = file
	return file, nil
}

// finish writes the configuration: first what each host has of its own, for
// OpenSSH takes the first value that it meets, then what is the same for all.
func (w *opensshWriter) finish() error {
	agent := w.d.cfg.Env(EnvAgent)
	if agent == "" {
		agent = "none"
	}
	cfg := w.d.cfg
	w.text.WriteString("Host *\n")
	if err := w.option("all hosts", "IdentityAgent", literal(agent)); err != nil {
		return err
	}
	fmt.Fprintf(&w.text, `  PreferredAuthentications publickey
  StrictHostKeyChecking yes
  GlobalKnownHostsFile none
  UpdateHostKeys no
  VerifyHostKeyDNS no
  CheckHostIP no
  ConnectTimeout %d
  ServerAliveInterval %d
  ServerAliveCountMax 2
  ControlMaster no
  ControlPath none
`, seconds(max(cfg.ConnectTimeout, cfg.HandshakeTimeout)), seconds(cfg.KeepAlive))
	return errors.Join(
		w.save(w.Interactive(), w.text.String()),
		w.save(w.Config(), w.text.String()+"  BatchMode yes\n"),
	)
}

func (w *opensshWriter) save(file, text string) error {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write OpenSSH's configuration: %w", err)
	}
	return nil
}

// seconds rounds up: OpenSSH knows nothing smaller.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
