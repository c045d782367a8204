package remote_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

func TestAllTargetsShareOneJumpConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jump := sshtest.Start(t, sshtest.Options{Forward: true, Authorized: []ssh.PublicKey{r.public}})
	r.env[remote.EnvJump] = "lab@" + jump.Address()
	r.env[remote.EnvJumpHostKey] = jump.HostKey()
	d := r.dialer(t, remote.Config{})

	var wg sync.WaitGroup
	for range 4 {
		s := sshtest.Start(t, sshtest.Options{Handler: echo})
		wg.Go(func() {
			conn, err := d.Dial(t.Context(), target(s, remote.HostKeys{}))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if res, err := conn.Run(t.Context(), "hello", nil); err != nil || string(res.Stdout) != "hello" {
				t.Errorf("got %q, %v", res.Stdout, err)
			}
		})
	}
	wg.Wait()
	if n := jump.Accepted(); n != 1 {
		t.Errorf("%d connections to the jump host, want 1", n)
	}
	if got := jump.Users(); len(got) != 1 || got[0] != "lab" {
		t.Errorf("users %v, want lab", got)
	}

	jump.Drop()
	s := sshtest.Start(t, sshtest.Options{Handler: echo})
	conn, err := d.DialTCP(t.Context(), target(s, remote.HostKeys{}), "tcp", s.Address())
	if err != nil {
		t.Fatalf("after the jump host was cut off: %v", err)
	}
	_ = conn.Close()
}

func TestJumpHostMustBeKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	jump := sshtest.Start(t, sshtest.Options{Forward: true})
	other := sshtest.Line(sshtest.NewKey(t).PublicKey())
	file := func(key string) []string {
		name := filepath.Join(t.TempDir(), "known_hosts")
		line := fmt.Sprintf("[%s]:%d %s\n", jump.Host, jump.Port, key)
		if err := os.WriteFile(name, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{name}
	}
	tests := []struct {
		name  string
		pins  []string
		files []string
		says  string // empty: it is accepted
	}{
		{name: "pinned", pins: []string{jump.HostKey()}},
		{name: "in the user's known_hosts", files: file(jump.HostKey())},
		{name: "pinned otherwise", pins: []string{other}, files: file(jump.HostKey()), says: "SNOWDROP_SSH_JUMP_HOST_KEY"},
		{name: "otherwise in known_hosts", files: file(other), says: "is not accepted"},
		{name: "nowhere", files: []string{}, says: "its host key is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Options{Handler: echo})
			to := target(s, remote.HostKeys{})
			to.Jump = &fleet.Jump{Host: jump.Host, Port: jump.Port, HostKeys: tt.pins}
			conn, err := r.dialer(t, remote.Config{KnownHosts: tt.files}).Dial(t.Context(), to)
			if err == nil {
				_ = conn.Close()
			}
			switch {
			case tt.says == "" && err != nil:
				t.Fatal(err)
			case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)):
				t.Fatalf("error %v lacks %q", err, tt.says)
			}
		})
	}
}

func TestWhatAJumpHostRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		forward bool
		is      error
		says    string
	}{
		"a droplet that refuses": {true, remote.ErrRefused, "through jump host root@127.0.0.1"},
		"no forwarding":          {false, remote.ErrUnreachable, "AllowTcpForwarding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			jump := sshtest.Start(t, sshtest.Options{Forward: tt.forward})
			to := remote.Target{
				Name: "web-1", Address: "127.0.0.1", Port: 1,
				Jump: &fleet.Jump{Host: jump.Host, Port: jump.Port, HostKeys: []string{jump.HostKey()}},
			}
			_, err := r.dialer(t, remote.Config{}).Dial(t.Context(), to)
			if !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %v with %q", err, tt.is, tt.says)
			}
		})
	}
}

func TestWrongJumpHostIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"lab@", "lab@host:port", "lab@host:70000", ":22"} {
		_, err := remote.New(remote.Config{Env: func(name string) string {
			if name == remote.EnvJump {
				return text
			}
			return ""
		}})
		if !errors.Is(err, remote.ErrJump) {
			t.Errorf("%q: error %v, want %v", text, err, remote.ErrJump)
		}
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	env := func(name string) string { return map[string]string{"TOKEN": "s3cret"}[name] }
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		source fleet.Source
		want   string
		says   string
	}{
		{"a variable", fleet.Source{Env: "TOKEN"}, "s3cret", ""},
		{"a variable that is not set", fleet.Source{Env: "NONE"}, "", "variable NONE is not set"},
		{"a command", fleet.Source{Command: []string{"printf", "%s", "x"}}, "x", ""},
		{"a command that fails", fleet.Source{Command: []string{"sh", "-c", "echo s3cret; echo locked >&2; exit 2"}}, "", "exit status 2: locked"},
		{"a command that prints nothing", fleet.Source{Command: []string{"true"}}, "", "printed nothing"},
		{"an empty file", fleet.Source{File: empty}, "", "is empty"},
		{"no file", fleet.Source{File: empty + "x"}, "", "no such file"},
		{"nothing", fleet.Source{}, "", "no source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := remote.ReadSource(t.Context(), tt.source, env)
			if string(got) != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret")) {
				t.Errorf("error %v, want one with %q", err, tt.says)
			}
		})
	}
}
