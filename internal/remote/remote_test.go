package remote_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// rig is a dialer whose key is let in by nobody but those who are told.
type rig struct {
	public ssh.PublicKey
	text   string
	env    map[string]string
}

func newRig(tb testing.TB) *rig {
	tb.Helper()
	signer, text := sshtest.NewPrivateKey(tb)
	return &rig{public: signer.PublicKey(), text: text, env: map[string]string{remote.EnvPrivateKey: text}}
}

func (r *rig) dialer(tb testing.TB, cfg remote.Config) *remote.Dialer {
	tb.Helper()
	cfg.Env = func(name string) string { return r.env[name] }
	if cfg.KnownHosts == nil {
		cfg.KnownHosts = []string{}
	}
	d, err := remote.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

func echo(_ context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) int {
	switch command {
	case "cat":
		_, _ = io.Copy(stdout, stdin)
		return 0
	case "fail":
		_, _ = io.WriteString(stderr, "no luck\n")
		return 3
	case "ignore":
		return 0
	}
	_, _ = io.WriteString(stdout, command)
	return 0
}

func target(s *sshtest.Server, keys remote.HostKeys) remote.Target {
	return remote.Target{Name: "web-1", Address: s.Host, Port: s.Port, Keys: keys}
}

func TestHostKeyPolicies(t *testing.T) {
	t.Parallel()
	authority := sshtest.NewKey(t)
	host, other := sshtest.NewKey(t), sshtest.NewKey(t)
	hostLine, otherLine := sshtest.Line(host.PublicKey()), sshtest.Line(other.PublicKey())
	certified := func(principal string, by ssh.Signer) ssh.Signer {
		key := sshtest.NewKey(t)
		cert := &ssh.Certificate{
			Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{principal},
			ValidBefore: ssh.CertTimeInfinity,
		}
		if err := cert.SignCert(rand.Reader, by); err != nil {
			t.Fatal(err)
		}
		signer, err := ssh.NewCertSigner(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return signer
	}
	authorities := []string{sshtest.Line(authority.PublicKey())}

	tests := []struct {
		name   string
		host   ssh.Signer
		keys   remote.HostKeys
		trust  remote.Trust
		reason string
	}{
		{name: "rotate takes the known key", keys: remote.HostKeys{Known: []string{hostLine}}, trust: remote.Known},
		{name: "rotate refuses another key", keys: remote.HostKeys{Known: []string{otherLine}}, reason: "demanded is ED25519 SHA256:"},
		{name: "rotate takes a new set after our rebuild", keys: remote.HostKeys{Known: []string{otherLine}, AcceptNewSet: true}, trust: remote.NewSet},
		{name: "the old key after our rebuild is the known one", keys: remote.HostKeys{Known: []string{hostLine}, AcceptNewSet: true}, trust: remote.Known},
		{name: "rotate says that a contact is the first", trust: remote.FirstContact},
		{name: "strict takes no first contact", keys: remote.HostKeys{Policy: fleet.Strict}, reason: "no host key is pinned"},
		{name: "strict takes no new set", keys: remote.HostKeys{Policy: fleet.Strict, Known: []string{otherLine}, AcceptNewSet: true}, reason: "demanded is"},
		{name: "strict takes the pinned key", keys: remote.HostKeys{Policy: fleet.Strict, Known: []string{otherLine, hostLine}}, trust: remote.Known},
		{name: "accept-new takes an unknown host", keys: remote.HostKeys{Policy: fleet.AcceptNew}, trust: remote.FirstContact},
		{name: "accept-new refuses a changed key", keys: remote.HostKeys{Policy: fleet.AcceptNew, Known: []string{otherLine}, AcceptNewSet: true}, reason: "demanded is"},
		{name: "an authority vouches by address", host: certified("127.0.0.1", authority), keys: remote.HostKeys{Policy: fleet.Strict, Authorities: authorities}, trust: remote.Authority},
		{name: "an authority vouches by name", host: certified("web-1", authority), keys: remote.HostKeys{Authorities: authorities}, trust: remote.Authority},
		{name: "a certificate of another host", host: certified("db-1", authority), keys: remote.HostKeys{Authorities: authorities}, reason: "its certificate is not good"},
		{name: "a certificate of another authority", host: certified("web-1", other), keys: remote.HostKeys{Authorities: authorities}, reason: "its certificate is not good"},
		{name: "an authority makes a bare key unacceptable", keys: remote.HostKeys{Authorities: authorities}, reason: "a certificate of ED25519"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if tt.host == nil {
				tt.host = host
			}
			s := sshtest.Start(t, sshtest.Options{HostKeys: []ssh.Signer{tt.host}, Handler: echo})
			conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), target(s, tt.keys))
			if tt.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if conn.Trust() != tt.trust {
					t.Errorf("trust %q, want %q", conn.Trust(), tt.trust)
				}
				return
			}
			var refused *remote.HostKeyError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v, want a HostKeyError", err)
			}
			if !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("error %q lacks %q", err, tt.reason)
			}
		})
	}
}

// golang/go#29286: a host that has several keys and is known by one of them.
func TestHostIsAskedForTheKeyThatIsKnown(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	byRSA, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	byEd25519 := sshtest.NewKey(t)
	s := sshtest.Start(t, sshtest.Options{HostKeys: []ssh.Signer{byEd25519, byRSA}})
	for _, known := range []ssh.Signer{byRSA, byEd25519} {
		line := sshtest.Line(known.PublicKey())
		conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), target(s, remote.HostKeys{Policy: fleet.Strict, Known: []string{line}}))
		if err != nil {
			t.Fatal(err)
		}
		if conn.HostKey() != line {
			t.Errorf("presented %s, want %s", conn.HostKey(), line)
		}
		_ = conn.Close()
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{r.public}})
	conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), target(s, remote.HostKeys{Known: []string{s.HostKey()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	large := bytes.Repeat([]byte("snow"), 300_000)
	tests := []struct {
		command string
		stdin   []byte
		want    remote.Result
	}{
		{"cat", large, remote.Result{Stdout: large}},
		{"fail", nil, remote.Result{Stderr: []byte("no luck\n"), Exit: 3}},
		{"ignore", large, remote.Result{}},
		{"hello", nil, remote.Result{Stdout: []byte("hello")}},
	}
	for _, tt := range tests {
		t.Run(tt.command, func(t *testing.T) {
			got, err := conn.Run(t.Context(), tt.command, bytes.NewReader(tt.stdin))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Stdout, tt.want.Stdout) || !bytes.Equal(got.Stderr, tt.want.Stderr) || got.Exit != tt.want.Exit {
				t.Errorf("got %d bytes, %q, exit %d", len(got.Stdout), got.Stderr, got.Exit)
			}
		})
	}
	if got := s.Users(); len(got) != 1 || got[0] != "root" {
		t.Errorf("users %v, want root", got)
	}
}

func hang(ctx context.Context, _ string, _ io.Reader, _, _ io.Writer) int {
	<-ctx.Done()
	return 0
}

func TestCommandEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: hang})
	conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), target(s, remote.HostKeys{}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	why := errors.New("the user lost patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := conn.Run(ctx, "x", nil); !errors.Is(err, why) {
		t.Errorf("error %v, want %v", err, why)
	}
}

func TestDeadPeerIsNoticedDuringACommand(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: hang, Deaf: true})
	conn, err := r.dialer(t, remote.Config{KeepAlive: 10 * time.Millisecond}).Dial(t.Context(), target(s, remote.HostKeys{}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Run(t.Context(), "x", nil); !errors.Is(err, remote.ErrLost) {
		t.Errorf("error %v, want %v", err, remote.ErrLost)
	}
}

func TestAPeerThatVanishesBeforeACommandBeginsIsLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: hang, Vanish: true})
	conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), target(s, remote.HostKeys{}))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Run(t.Context(), "x", nil); !errors.Is(err, remote.ErrLost) {
		t.Errorf("error %v, want %v", err, remote.ErrLost)
	}
}

func TestDialErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	stranger, _ := sshtest.NewPrivateKey(t)
	closed := func(*testing.T) remote.Target { // a port that was free a moment ago may be another test's
		return remote.Target{Name: "web-1", Address: "127.0.0.1", Port: 1}
	}
	server := func(o sshtest.Options) func(t *testing.T) remote.Target {
		return func(t *testing.T) remote.Target {
			t.Helper()
			return target(sshtest.Start(t, o), remote.HostKeys{})
		}
	}
	encrypted := func() string {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("swordfish"))
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(block))
	}()
	tests := []struct {
		name   string
		target func(t *testing.T) remote.Target
		key    string // instead of the rig's
		is     error
		says   []string
	}{
		{"nobody listens", closed, "", remote.ErrRefused, []string{"web-1 (127.0.0.1)", "connection refused"}},
		{"a host that takes the connection and never speaks", server(sshtest.Options{Mute: true}), "", remote.ErrTimeout, []string{"log in as root", "no answer within 100ms"}},
		{"a key that is not let in", server(sshtest.Options{Authorized: []ssh.PublicKey{stranger.PublicKey()}}), "", remote.ErrAuth, []string{"offered: ED25519 SHA256:", "(SSH_PRIVATE_KEY)", "authorizedKeys"}},
		{"an encrypted key", server(sshtest.Options{}), encrypted, remote.ErrIdentity, []string{"SSH_PRIVATE_KEY is encrypted", "ssh-add"}},
		{"a public key", server(sshtest.Options{}), sshtest.Line(stranger.PublicKey()), remote.ErrIdentity, []string{"holds a public key"}},
		{"no key at all", server(sshtest.Options{}), " ", remote.ErrIdentity, []string{"does not hold a private key"}},
		{"garbage", server(sshtest.Options{}), "-----BEGIN OPENSSH PRIVATE KEY-----\nc3dvcmRmaXNo\n", remote.ErrIdentity, []string{"does not hold a private key"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if tt.key != "" {
				r.env[remote.EnvPrivateKey] = tt.key
			}
			cfg := remote.Config{}
			if errors.Is(tt.is, remote.ErrTimeout) { // the others may take as long as they like
				cfg.HandshakeTimeout = 100 * time.Millisecond
			}
			_, err := r.dialer(t, cfg).Dial(t.Context(), tt.target(t))
			if !errors.Is(err, tt.is) {
				t.Fatalf("error %v, want %v", err, tt.is)
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			for line := range strings.SplitSeq(r.env[remote.EnvPrivateKey], "\n") {
				if len(line) > 8 && !strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "ssh-") && strings.Contains(err.Error(), line) {
					t.Errorf("error %q holds a part of the key", err)
				}
			}
		})
	}
}

func TestKeysSurviveASecretStore(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{r.public}})
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(r.text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = map[string]string{"A": "\n" + strings.ReplaceAll(strings.TrimSpace(r.text), "\n", "\r\n"), "HOME": filepath.Dir(file)}
	for name, source := range map[string]fleet.Source{
		"other line ends": {Env: "A"},
		"a file":          {File: "~/key"},
		"a command":       {Command: []string{"cat", file}},
	} {
		t.Run(name, func(t *testing.T) {
			to := target(s, remote.HostKeys{})
			to.Identity = &source
			conn, err := r.dialer(t, remote.Config{}).Dial(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
		})
	}
}
