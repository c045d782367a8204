package remote_test

import (
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// runSSH runs the real ssh program and returns what it said and its exit status.
func runSSH(t *testing.T, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("there is no ssh on PATH")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	var failed *exec.ExitError
	if err := cmd.Run(); errors.As(err, &failed) {
		exit = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), exit
}

// configure makes the configuration, which is gone when the test ends.
func configure(t *testing.T, d *remote.Dialer, targets ...remote.Target) *remote.OpenSSH {
	t.Helper()
	o, err := d.OpenSSH(t.Context(), targets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(o.Config()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after Close: %v", err)
		}
	})
	return o
}

func certify(t *testing.T, authority, key ssh.Signer, principal string) ssh.Signer {
	t.Helper()
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{principal}, ValidBefore: ssh.CertTimeInfinity,
	}
	if err := cert.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func TestOpenSSHReachesWhatDialReaches(t *testing.T) {
	t.Parallel()
	authority, key := sshtest.NewKey(t), sshtest.NewKey(t)
	line := func(s ssh.Signer) []string { return []string{sshtest.Line(s.PublicKey())} }
	for name, tt := range map[string]struct {
		host  ssh.Signer
		keys  remote.HostKeys
		wants []string
	}{
		"a recorded key":                    {key, remote.HostKeys{Known: line(key)}, line(key)},
		"one of several":                    {key, remote.HostKeys{Known: append(line(sshtest.NewKey(t)), line(key)...)}, nil},
		"first contact":                     {key, remote.HostKeys{}, line(key)},
		"first contact, accept-new":         {key, remote.HostKeys{Policy: fleet.AcceptNew}, line(key)},
		"new after our rebuild":             {key, remote.HostKeys{Known: line(authority), AcceptNewSet: true}, line(key)},
		"a certificate made to the name":    {certify(t, authority, key, "web-1"), remote.HostKeys{Authorities: line(authority)}, nil},
		"a certificate made to the address": {certify(t, authority, key, "127.0.0.1"), remote.HostKeys{Authorities: line(authority)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := sshtest.Start(t, sshtest.Options{Handler: echo, HostKeys: []ssh.Signer{tt.host}, Authorized: []ssh.PublicKey{r.public}})
			to := target(s, tt.keys)
			o := configure(t, r.dialer(t, remote.Config{}), to)
			stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello")
			if stdout != "hello" || stderr != "" || exit != 0 {
				t.Fatalf("said %q and %q, exit %d", stdout, stderr, exit)
			}
			got, err := o.HostKeys(to)
			if err != nil || tt.wants != nil && strings.Join(got, "\n") != strings.Join(tt.wants, "\n") {
				t.Errorf("host keys %q, %v; want %q", got, err, tt.wants)
			}
			if _, _, exit := runSSH(t, "-F", o.Config(), o.Host(to), "fail"); exit != 3 {
				t.Errorf("exit %d, want the command's 3", exit)
			}
		})
	}
}

func TestOpenSSHRefusesAnotherHost(t *testing.T) {
	t.Parallel()
	authority, key := sshtest.NewKey(t), sshtest.NewKey(t)
	line := func(s ssh.Signer) []string { return []string{sshtest.Line(s.PublicKey())} }
	for name, tt := range map[string]struct {
		before ssh.Signer
		keys   remote.HostKeys
	}{
		"than the recorded":           {key, remote.HostKeys{Known: line(key)}},
		"than the pinned":             {key, remote.HostKeys{Policy: fleet.Strict, Known: line(key)}},
		"than at first contact":       {key, remote.HostKeys{}},
		"than first seen, accept-new": {key, remote.HostKeys{Policy: fleet.AcceptNew}},
		"than after our rebuild":      {key, remote.HostKeys{Known: line(authority), AcceptNewSet: true}},
		"without a certificate":       {certify(t, authority, key, "web-1"), remote.HostKeys{Authorities: line(authority)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			s := sshtest.Start(t, sshtest.Options{Handler: echo, HostKeys: []ssh.Signer{tt.before}})
			to := target(s, tt.keys)
			o := configure(t, r.dialer(t, remote.Config{}), to)
			s.SetHostKeys(sshtest.NewKey(t))
			for range 2 { // the second time no sooner than the first
				stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello")
				if exit != 255 || stdout != "" || !strings.Contains(stderr, "ost key verification failed") {
					t.Fatalf("said %q and %q, exit %d", stdout, stderr, exit)
				}
			}
		})
	}
}

func TestOpenSSHIsNotConfiguredForWhatDialRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := sshtest.Start(t, sshtest.Options{Handler: echo})
	authority := sshtest.Line(sshtest.NewKey(t).PublicKey())
	var refused *remote.HostKeyError
	for _, keys := range []remote.HostKeys{{Policy: fleet.Strict}, {Authorities: []string{authority}}} {
		if o, err := r.dialer(t, remote.Config{}).OpenSSH(t.Context(), target(s, keys)); !errors.As(err, &refused) {
			t.Errorf("%+v: got %v, %v", keys, o, err)
		}
	}
	r.env = nil
	if o, err := r.dialer(t, remote.Config{}).OpenSSH(t.Context(), target(s, remote.HostKeys{Known: []string{authority}})); !errors.Is(err, remote.ErrIdentity) {
		t.Errorf("without a key: got %v, %v", o, err)
	}
}

func TestOpenSSHGoesThroughTheJumpHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jump := sshtest.Start(t, sshtest.Options{Forward: true, Authorized: []ssh.PublicKey{r.public}})
	one := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{r.public}})
	two := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{r.public}})
	first := target(one, remote.HostKeys{Known: []string{one.HostKey()}})
	second := target(two, remote.HostKeys{Known: []string{two.HostKey()}})

	check := func(t *testing.T, o *remote.OpenSSH, user string) {
		t.Helper()
		if o.Host(first) == o.Host(second) {
			t.Fatalf("two droplets of one name are both called %s", o.Host(first))
		}
		for _, to := range []remote.Target{first, second} {
			if stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello"); stdout != "hello" || exit != 0 {
				t.Fatalf("said %q and %q, exit %d", stdout, stderr, exit)
			}
		}
		if users := jump.Users(); len(users) == 0 || users[len(users)-1] != user {
			t.Errorf("who came through the jump host: %v, want %s", users, user)
		}
	}
	t.Run("of the environment", func(t *testing.T) {
		env := map[string]string{remote.EnvPrivateKey: r.text, remote.EnvJump: "lab@" + jump.Address(), remote.EnvJumpHostKey: jump.HostKey()}
		check(t, configure(t, (&rig{env: env}).dialer(t, remote.Config{}), first, second), "lab")
	})
	t.Run("known to the user", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "known_hosts")
		line := fmt.Sprintf("[%s]:%d %s\n", jump.Host, jump.Port, jump.HostKey())
		if err := os.WriteFile(file, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		first.Jump = &fleet.Jump{Host: jump.Host, Port: jump.Port}
		second.Jump = first.Jump
		check(t, configure(t, r.dialer(t, remote.Config{KnownHosts: []string{file}}), first, second), "root")
		if o, err := r.dialer(t, remote.Config{}).OpenSSH(t.Context(), first); !errors.Is(err, remote.ErrJump) {
			t.Errorf("known to nobody: got %v, %v", o, err)
		}
	})
	t.Run("another than the pinned", func(t *testing.T) {
		to := first
		to.Jump = &fleet.Jump{Host: jump.Host, Port: jump.Port, HostKeys: []string{one.HostKey()}}
		o := configure(t, r.dialer(t, remote.Config{}), to)
		if stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello"); exit != 255 || stdout != "" {
			t.Errorf("said %q and %q, exit %d", stdout, stderr, exit)
		}
	})
}

func TestOpenSSHOffersTheKeysOfDial(t *testing.T) {
	t.Parallel()
	wanted, text := sshtest.NewPrivateKey(t)
	_, other := sshtest.NewPrivateKey(t)
	home := filepath.Join(t.TempDir(), "a home with 100% \"odd\" letters")
	if runtime.GOOS == "windows" {
		home = filepath.Join(t.TempDir(), "a home")
	}
	write := func(text string, mode os.FileMode) string {
		file := filepath.Join(home, ".ssh", "id_ed25519")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), mode)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	file := write(text, 0o644) // OpenSSH itself would refuse it
	for name, tt := range map[string]struct {
		env      map[string]string
		identity *fleet.Source
		denied   bool
	}{
		"a variable with other line ends": {env: map[string]string{"KEY": "\r\n" + strings.ReplaceAll(text, "\n", "\r\n")}, identity: &fleet.Source{Env: "KEY"}},
		"a file":                          {identity: &fleet.Source{File: file}},
		"a command":                       {identity: &fleet.Source{Command: []string{"cat", file}}},
		"the environment's":               {env: map[string]string{remote.EnvPrivateKey: text}},
		"one in ~/.ssh":                   {env: map[string]string{"HOME": home, remote.EnvPrivateKey: other}},
		"an identity, and no other":       {env: map[string]string{"HOME": home, "KEY": other}, identity: &fleet.Source{Env: "KEY"}, denied: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{wanted.PublicKey()}})
			to := target(s, remote.HostKeys{Known: []string{s.HostKey()}})
			to.Identity = tt.identity
			o := configure(t, (&rig{env: tt.env}).dialer(t, remote.Config{}), to)
			stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello")
			if denied := exit == 255 && strings.Contains(stderr, "Permission denied (publickey)"); denied != tt.denied || !denied && stdout != "hello" {
				t.Errorf("said %q and %q, exit %d", stdout, stderr, exit)
			}
		})
	}
}

func TestOpenSSHFolderIsPrivate(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	r := newRig(t)
	to := remote.Target{Name: "Web_1 é", Address: "2001:db8::1", Keys: remote.HostKeys{Known: []string{sshtest.Line(r.public)}}}
	to.Name = "Web_1"
	o := configure(t, r.dialer(t, remote.Config{}), to)
	if got := o.Host(to); got != "web-1" {
		t.Errorf("called %q", got)
	}
	dir := filepath.Dir(o.Config())
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v, %v", info.Mode(), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if _, err := o.HostKeys(remote.Target{Address: "192.0.2.1"}); err == nil {
		t.Error("host keys of a stranger")
	}
	for _, bad := range []remote.Target{{Name: "web"}, {Name: "a b", Address: "192.0.2.1"}, {Address: "192.0.2.1", User: "x\nProxyCommand evil"}, {Address: "192.0.2.1\"\nx"}} {
		bad.Keys = to.Keys
		if o, err := r.dialer(t, remote.Config{}).OpenSSH(t.Context(), bad); err == nil {
			_ = o.Close()
			t.Errorf("%+v was taken", bad)
		}
	}
}

// TestOpenSSHMayAskAtATerminal: the other configuration is the same one, but for
// what forbids to ask for a passphrase.
func TestOpenSSHMayAskAtATerminal(t *testing.T) {
	t.Parallel()
	_, private := encryptedKey(t, "open sesame")
	home := t.TempDir()
	file := filepath.Join(home, ".ssh", "id_ed25519")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(private), 0o600)); err != nil {
		t.Fatal(err)
	}
	s := sshtest.Start(t, sshtest.Options{Handler: echo})
	to := target(s, remote.HostKeys{Known: []string{s.HostKey()}})
	o := configure(t, (&rig{env: map[string]string{"HOME": home}}).dialer(t, remote.Config{}), to)
	ask := filepath.Join(t.TempDir(), "askpass")
	exectest.Write(t, ask, "#!/bin/sh\necho open sesame\n")
	for config, want := range map[string]int{o.Config(): 255, o.Interactive(): 0} {
		program, err := exec.LookPath("ssh")
		if err != nil || runtime.GOOS == "windows" {
			t.Skip("there is no ssh on PATH, or no sh")
		}
		cmd := exec.CommandContext(t.Context(), program, "-F", config, o.Host(to), "hello")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SSH_ASKPASS=" + ask, "SSH_ASKPASS_REQUIRE=force"}
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != want {
			t.Errorf("%s: exit %d, want %d: %s", filepath.Base(config), cmd.ProcessState.ExitCode(), want, out)
		}
	}
}

func encryptedKey(t *testing.T, passphrase string) (ssh.PublicKey, string) {
	t.Helper()
	signer, text := sshtest.NewPrivateKey(t)
	raw, err := ssh.ParseRawPrivateKey([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(raw, "", []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	return signer.PublicKey(), string(pem.EncodeToMemory(block))
}
