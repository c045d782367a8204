package remote_test

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// serveAgent is an agent on a socket, with keys in their order.
func serveAgent(t *testing.T, texts ...string) (socket string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("there is no agent's socket")
	}
	ring := agent.NewKeyring()
	for _, text := range texts {
		key, err := ssh.ParseRawPrivateKey([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "s")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	return socket
}

// TestOpenSSHOffersNoMoreKeysThanAServerTakes: a server hangs up after six, and
// OpenSSH begins with those of the agent.
func TestOpenSSHOffersNoMoreKeysThanAServerTakes(t *testing.T) {
	t.Parallel()
	wanted, text := sshtest.NewPrivateKey(t)
	var others []string
	for range 8 {
		_, other := sshtest.NewPrivateKey(t)
		others = append(others, other)
	}
	for name, tt := range map[string]struct {
		private string
		agent   []string
	}{
		"the environment's, and a full agent":      {text, others},
		"the environment's, and some of the agent": {text, others[:3]},
		"one of a full agent":                      {others[0], append([]string{others[1], text}, others[2:]...)},
		"one of the agent":                         {others[0], []string{others[1], text}},
		"one of the agent, and in the environment": {text, append([]string{others[1], text}, others[2:]...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := map[string]string{remote.EnvPrivateKey: tt.private, remote.EnvAgent: serveAgent(t, tt.agent...)}
			s := sshtest.Start(t, sshtest.Options{Handler: echo, Authorized: []ssh.PublicKey{wanted.PublicKey()}})
			to := target(s, remote.HostKeys{Known: []string{s.HostKey()}})
			d := (&rig{env: env}).dialer(t, remote.Config{})
			conn, err := d.Dial(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			o := configure(t, d, to)
			if stdout, stderr, exit := runSSH(t, "-F", o.Config(), o.Host(to), "hello"); stdout != "hello" || exit != 0 {
				t.Errorf("said %q and %q, exit %d", stdout, stderr, exit)
			}
		})
	}
}
