package cli_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// needsSSH skips a test where OpenSSH's client is not installed.
func needsSSH(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("there is no ssh on PATH")
	}
}

func TestSSHRunsACommandOnTheMachineThatANameMeans(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	p := acme(t)
	p.want(0, "deploy", "--yes")
	for _, name := range []string{"web", "web-1", "web/web-1"} {
		code, out, errs := p.run("ssh", name, "--", "cat", "/proc/sys/kernel/random/boot_id")
		if code != 0 || len(strings.TrimSpace(out)) != 36 || errs != "" {
			t.Errorf("%s: ended with %d, said %q and %q", name, code, out, errs)
		}
	}
	if code, _, errs := p.run("ssh", "web", "--", "exit 7"); code != 7 || errs != "" {
		t.Errorf("exit 7 ended with %d: %q", code, errs)
	}
	hasAll(t, p.want(2, "ssh", "nobody"), "nobody", "web/web-1")
	hasAll(t, p.want(2, "ssh", "web/nobody"), "web/nobody", "web/web-1")
	hasAll(t, p.want(2, "ssh"), "name a machine")
	hasAll(t, p.want(2, "ssh", "web", "uptime"), "put -- before the command")
}

func TestSSHSaysThatAHostKeyIsNotRecorded(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	p := acme(t)
	hasAll(t, p.want(0, "ssh", "web", "-o", "LogLevel=ERROR", "--", "cat", "/proc/sys/kernel/random/boot_id"), "is not recorded", "nothing but the network vouches", "ssh-ed25519 ")
}

func TestSSHNamesMachinesToChooseFrom(t *testing.T) {
	t.Parallel()
	p := acme(t)
	text := strings.Replace(fleetFile, "servers:\n", "servers:\n  old:\n    provider: ssh\n    system: .#old\n    hosts: [{name: old-1, address: 192.0.2.7}, {name: old-2, address: 192.0.2.8}]\n", 1)
	p.write("snowdrop.yaml", text)
	hasAll(t, p.want(2, "ssh", "old"), "several machines", "old/old-1", "old/old-2")
}

func TestSSHSaysThatSomebodyElseRebuiltADroplet(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	p := acme(t)
	p.want(0, "deploy", "--yes")
	p.commit("2", web("2"))
	p.want(0, "build")
	state := p.lab.State()
	newest := 0
	for _, image := range state.Images {
		newest = max(newest, image.ID)
	}
	body := fmt.Sprintf(`{"type": "rebuild", "image": %d}`, newest)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		fmt.Sprintf("%s/v2/droplets/%d/actions", strings.TrimSuffix(p.env["DIGITALOCEAN_API_URL"], "/"), state.Droplets[0].ID), strings.NewReader(body))
	check(t, err)
	req.Header.Set("Authorization", "Bearer "+secretToken)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	check(t, err)
	check(t, res.Body.Close())
	if res.StatusCode != http.StatusCreated {
		t.Fatal(res.Status)
	}
	for p.lab.State().Droplets[0].Image.ID != newest {
		time.Sleep(10 * time.Millisecond)
	}
	hasAll(t, p.want(255, "ssh", "web", "--", "hostname"), "web/web-1", "rebuilt by somebody else", "host key", "is not accepted")
	p.env["HOME"] = t.TempDir()
	hasAll(t, p.want(0, "known-hosts", "--dry-run"), "rebuilt by somebody else")
}

// withHost is a place with a server on a host of its own, which sshtest is.
func withHost(t *testing.T, key string) (*place, *sshtest.Server) {
	t.Helper()
	needsSSH(t)
	if runtime.GOOS == "windows" {
		t.Skip("there is no sh")
	}
	p := acme(t)
	delete(p.env, remote.EnvJump)
	delete(p.env, remote.EnvJumpHostKey)
	bin := t.TempDir()
	script := "#!/bin/sh\nfor a; do printf '[%s]' \"$a\"; done\n"
	exectest.Write(t, filepath.Join(bin, "nix"), script)
	s := sshtest.Start(t, sshtest.Options{Handler: sshtest.Shell("PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"))})
	if key == "" {
		key = s.HostKey()
	}
	p.write("snowdrop.yaml", strings.Replace(fleetFile, "servers:\n", fmt.Sprintf(`servers:
  old:
    provider: ssh
    system: .#old
    hosts: [{name: old-1, address: %s}]
    ssh: {port: %d, host-keys: [%q]}
`, s.Host, s.Port, key), 1))
	return p, s
}

func TestShellIsANixShellOnTheMachine(t *testing.T) {
	t.Parallel()
	p, _ := withHost(t, "")
	want := "[--extra-experimental-features][nix-command flakes][shell][nixpkgs#jq][nixpkgs/nixos-25.05#ripgrep][nixpkgs#htop]"
	if code, out, errs := p.run("shell", "old", "-p", "jq", "-p", "nixpkgs/nixos-25.05#ripgrep", "htop"); code != 0 || out != want || errs != "" {
		t.Errorf("ended with %d, said %q and %q", code, out, errs)
	}
	want = "[--extra-experimental-features][nix-command flakes][shell][nixpkgs#jq][--command][jq][.a b|'c'][$(x)]"
	if code, out, errs := p.run("shell", "old", "-p", "jq", "--", "jq", ".a b|'c'", "$(x)"); code != 0 || out != want || errs != "" {
		t.Errorf("ended with %d, said %q and %q", code, out, errs)
	}
	for _, bad := range []string{"jq; reboot", "$(reboot)", "--help", "", "a#b#c", "jq#", "a b", "`reboot`", "jq\nreboot"} {
		hasAll(t, p.want(2, "shell", "old", "--package="+bad), "is not a package")
	}
	hasAll(t, p.want(2, "shell", "old"), "name a package")
	hasAll(t, p.want(2, "shell", "-p", "jq"), "name a machine")
}

func TestSSHToAHostThatIsAnother(t *testing.T) {
	t.Parallel()
	p, _ := withHost(t, staleKey)
	hasAll(t, p.want(255, "ssh", "old", "--", "hostname"), "is not accepted", "pin its key in ssh.host-keys")
}

// TestSSHLeavesNothingBehind: the folder that ssh is given holds a private key.
func TestSSHLeavesNothingBehind(t *testing.T) {
	p, _ := withHost(t, "")
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	heard := make(chan os.Signal, 8)
	signal.Notify(heard, os.Interrupt, syscall.SIGHUP, syscall.SIGQUIT) // in the background and under nohup they are ignored
	defer signal.Stop(heard)
	folders := func() []string {
		found, err := filepath.Glob(filepath.Join(temp, "snowdrop-ssh-*"))
		check(t, err)
		return found
	}
	for name, tt := range map[string]struct {
		end  func(cancel func())
		code int
	}{
		"Ctrl-C":            {func(cancel func()) { cancel() }, 130},
		"Ctrl-C, twice":     {func(func()) { check(t, errors.Join(send(os.Interrupt), send(os.Interrupt))) }, 1},
		"a closed terminal": {func(func()) { check(t, send(syscall.SIGHUP)) }, 1},
		"Ctrl-\\":           {func(func()) { check(t, send(syscall.SIGQUIT)) }, 1},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int)
		began := filepath.Join(t.TempDir(), "began")
		go func() {
			code, _, _ := p.runIn(ctx, "ssh", "old", "--", "touch '"+began+"'; sleep 60")
			done <- code
		}()
		for {
			if _, err := os.Stat(began); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if during := folders(); len(during) != 1 {
			t.Errorf("%s: while ssh runs there is %v", name, during)
		}
		tt.end(cancel)
		if code := <-done; code != tt.code {
			t.Errorf("%s: ended with %d", name, code)
		}
		if after := folders(); len(after) > 0 {
			t.Errorf("%s: left behind is %v", name, after)
		}
		cancel()
	}
}

func TestKnownHostsAreThoseOfTheRecord(t *testing.T) {
	t.Parallel()
	p := acme(t)
	home := t.TempDir()
	file := filepath.Join(home, ".ssh", "known_hosts")
	p.env["HOME"] = home
	hasAll(t, p.want(1, "known-hosts"), "web/web-1: no host key is recorded", "nothing was changed")
	p.want(0, "deploy", "--yes")

	hasAll(t, p.want(0, "known-hosts"), file, "2 line(s) added")
	text := readFile(t, file)
	if !strings.HasPrefix(text, "web-1,") || !strings.Contains(text, " ssh-ed25519 AAAA") {
		t.Errorf("the file is %q", text)
	}
	if printed := p.want(0, "known-hosts", "--print"); printed != text {
		t.Errorf("printed %q, written %q", printed, text)
	}
	hasAll(t, p.want(0, "known-hosts"), "already")

	check(t, os.WriteFile(file, []byte("# mine\nother,web-1 "+staleKey+"\n"), 0o600))
	hasAll(t, p.want(0, "known-hosts", "--dry-run"), "-other,web-1 "+staleKey, "+other "+staleKey, "+"+strings.SplitAfter(text, "\n")[0], "+"+strings.SplitAfter(text, "\n")[1])
	hasAll(t, readFile(t, file), "other,web-1")
	hasAll(t, p.want(0, "known-hosts"), file+".old", "1 with stale keys")
	if got := readFile(t, file); got != "# mine\nother "+staleKey+"\n"+text {
		t.Errorf("the file is %q", got)
	}

	elsewhere := p.path("elsewhere")
	p.want(0, "known-hosts", "--file", elsewhere, "-s", "web")
	if got := readFile(t, elsewhere); got != text {
		t.Errorf("--file wrote %q", got)
	}
	hasAll(t, p.want(2, "known-hosts", "--print", "-n"), "print")
}

// TestOwnSSHKnowsRebuiltDroplets is what known-hosts is for: a person's own ssh, with
// a known_hosts file of their own.
func TestOwnSSHKnowsRebuiltDroplets(t *testing.T) {
	t.Parallel()
	needsSSH(t)
	p := acme(t)
	user, jump, _ := strings.Cut(p.env[remote.EnvJump], "@")
	host, port, err := net.SplitHostPort(jump)
	check(t, err)
	known, config := p.path("known_hosts"), p.path("ssh_config")
	p.write("key", p.env[remote.EnvPrivateKey])
	p.write("jump", "jump "+p.env[remote.EnvJumpHostKey]+"\n")
	p.write("ssh_config", fmt.Sprintf(`Host jump
  HostName %s
  HostKeyAlias jump
  Port %s
  User %s
  UserKnownHostsFile %s
Host * !jump
  ProxyJump jump
  User root
  UserKnownHostsFile %s
Host *
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  IdentityFile %s
  BatchMode yes
`, host, port, user, p.path("jump"), known, p.path("key")))
	address := ""
	for _, n := range p.lab.State().Droplets[0].Networks.V4 {
		if n.Type == "public" {
			address = n.IPAddress
		}
	}
	login := func(want int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "ssh", "-F", config, address, "cat", "/proc/sys/kernel/random/boot_id")
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != want {
			t.Fatalf("ssh ended with %d, want %d: %s", cmd.ProcessState.ExitCode(), want, out)
		}
	}
	p.want(0, "deploy", "--yes")
	login(255)
	p.want(0, "known-hosts", "--file", known)
	login(0)
	p.commit("2", web("2"))
	p.want(0, "deploy", "--yes")
	login(255)
	hasAll(t, p.want(0, "known-hosts", "--file", known), known+".old")
	login(0)
}

// send sends this process a signal, as a terminal does.
func send(s os.Signal) error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	return self.Signal(s)
}

const staleKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHHKOjYGRt9zMeGzDPIyAdOAG4WbWCiDsykCVmM0bMhz"

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	check(t, err)
	return string(text)
}
