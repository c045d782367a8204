package anywhere_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

func needsShell(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("nixos-anywhere is a script for a Unix shell")
	}
	for _, program := range []string{"sh", "ssh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s here", program)
		}
	}
}

// configured writes a configuration of OpenSSH as package remote does.
func configured(t *testing.T, address string, port int, hostKey string) anywhere.SSH {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "with blanks")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(dir, "known_hosts")
	text := fmt.Sprintf(`Host db-1
  HostName "%s"
  Port "%d"
  HostKeyAlias "database"
  UserKnownHostsFile "%s"
  IdentityFile "%s"
Host *
  StrictHostKeyChecking yes
  GlobalKnownHostsFile none
  IdentityAgent none
  BatchMode yes
`, address, port, known, filepath.Join(dir, "identity"))
	for file, text := range map[string]string{
		known:                            "database " + hostKey + "\n",
		filepath.Join(dir, "config"):     text,
		filepath.Join(dir, "identity"):   privateKey(t),
		filepath.Join(dir, "known_none"): "",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return anywhere.SSH{Config: filepath.Join(dir, "config"), Host: "db-1", User: "root", Port: port}
}

func privateKey(t *testing.T) string {
	t.Helper()
	_, text := sshtest.NewPrivateKey(t)
	return text
}

// asked is what nixos-anywhere's own ssh calls look like: they switch the checking
// of host keys off.
const asked = `-o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no`

// TestOurPolicyHoldsWhateverNixosAnywhereAsksFor is against the real OpenSSH: its
// ssh is called as nixos-anywhere, ssh-copy-id and nix call it.
func TestOurPolicyHoldsWhateverNixosAnywhereAsksFor(t *testing.T) {
	t.Parallel()
	needsShell(t)
	server := sshtest.Start(t, sshtest.Options{Handler: func(_ context.Context, command string, _ io.Reader, stdout, _ io.Writer) int {
		_, _ = fmt.Fprintf(stdout, "ran: %s\n", command)
		return 0
	}})
	good, impostor := server.HostKey(), sshtest.Start(t, sshtest.Options{}).HostKey()

	for name, tc := range map[string]struct {
		hostKey string
		script  string
		says    string
		refused bool
	}{
		"a known host": {good, `ssh -T ` + asked + ` -p $PORT root@db-1.invalid echo hello`, "ran: echo hello", false},
		"a known host as nix calls it": {
			good, `ssh root@db-1.invalid -x -a -i /dev/null ` + asked + ` -p $PORT -- nix-store --serve`, "ran: nix-store --serve", false,
		},
		"without a user":           {good, `ssh ` + asked + ` db-1.invalid whoami`, "ran: whoami", false},
		"words that need quoting":  {good, `ssh ` + asked + ` root@db-1.invalid 'a "b"  $c'`, `ran: a "b"  $c`, false},
		"other options beside":     {good, `ssh -o ConnectTimeout=10 ` + asked + ` -o HostKeyAlias=x root@db-1.invalid true`, "ran: true", false},
		"the settings it asks for": {good, `ssh ` + asked + ` -G root@db-1.invalid | grep '^user '`, "user root", false},
		"another host key":         {impostor, `ssh -T ` + asked + ` -p $PORT root@db-1.invalid echo hello`, "", true},
		"another host key as nix calls it": {
			impostor, `ssh root@db-1.invalid -x -a ` + asked + ` -- nix-store --serve`, "", true,
		},
		"another host key, however checking is switched off": {
			impostor, `ssh -oStrictHostKeyChecking=off -oNoHostAuthenticationForLocalhost=yes -oHostKeyAlias=none ` + asked + ` root@db-1.invalid true`, "", true,
		},
		"another host key for scp": {impostor, `scp ` + asked + ` root@db-1.invalid:/etc/hostname /dev/null`, "", true},
		"another host key for sftp": {
			impostor, `echo pwd | sftp -b - ` + asked + ` root@db-1.invalid`, "", true,
		},
		"past our own ssh nobody is found": {
			good, `PATH=${PATH#*:} ssh -o ConnectTimeout=5 -F /dev/null ` + asked + ` root@db-1.invalid echo hello 2>&1 | grep -q "Could not resolve" && echo 'nobody'`, "nobody", false,
		},
		"another machine is reached as ever": {
			impostor, `ssh -F /dev/null ` + asked + ` -i "$IDENTITY" -p $PORT root@127.0.0.1 echo hello 2>/dev/null`, "ran: echo hello", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for program := range strings.FieldsSeq("scp sftp") {
				if _, err := exec.LookPath(program); err != nil && strings.Contains(tc.script, program) {
					t.Skipf("there is no %s here", program)
				}
			}
			to := configured(t, server.Host, server.Port, tc.hostKey) // of its own: our ssh is written beside it
			program := filepath.Join(t.TempDir(), "nixos-anywhere")
			script := fmt.Sprintf("#!/bin/sh\nPORT=%d IDENTITY='%s'\n%s || exit 7\necho '### Done! ###'\n", server.Port, filepath.Join(filepath.Dir(to.Config), "identity"), tc.script)
			exectest.Write(t, program, script)
			var out told
			err := anywhere.New(anywhere.Config{}).Run(t.Context(), anywhere.Job{Program: program, SSH: to}, out.progress())
			said := strings.Join(out.lines, "\n")
			if (err != nil) != tc.refused || !strings.Contains(said, tc.says) {
				t.Fatalf("%v\n%s", err, said)
			}
			if tc.refused && !strings.Contains(said, "Host key verification failed") {
				t.Errorf("it failed for another reason: %v\n%s", err, said)
			}
		})
	}
}

// TestOurSSHRunsAtOnceWhileOthersAreStarted: several hosts may be installed at once.
func TestOurSSHRunsAtOnceWhileOthersAreStarted(t *testing.T) {
	t.Parallel()
	needsShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 4 {
		others.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	to := somebody(t)
	ours := filepath.Join(filepath.Dir(to.Config), "bin", "ssh")
	for range 100 {
		err := anywhere.New(anywhere.Config{}).Run(t.Context(), anywhere.Job{Program: ours, SSH: to}, anywhere.Progress{})
		if err == nil || !strings.Contains(err.Error(), "exit status 255") {
			t.Errorf("ssh, which knows none of these options, ended as %v", err)
			break
		}
	}
	cancel()
	others.Wait()
}

// TestAConfigurationThatAcceptsAnyKeyIsNotUsed: then nothing is run.
func TestAConfigurationThatAcceptsAnyKeyIsNotUsed(t *testing.T) {
	t.Parallel()
	needsShell(t)
	s := somebody(t)
	text, err := os.ReadFile(s.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.Config, []byte(strings.ReplaceAll(string(text), "Checking yes", "Checking accept-new")), 0o600); err != nil {
		t.Fatal(err)
	}
	err = anywhere.New(anywhere.Config{}).Run(t.Context(), anywhere.Job{Program: "/bin/true", SSH: s}, anywhere.Progress{})
	if err == nil || !strings.Contains(err.Error(), "demands no known host key") {
		t.Errorf("%v", err)
	}
}
