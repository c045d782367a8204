package cli_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/cli"
	"github.com/versatus/snowdrop/internal/exectest"
)

// TestSSHIsGivenATerminalWhereThereIsOne: what a command prints into a file is to be
// what it printed, and a key's passphrase can be asked for whatever is piped through.
func TestSSHIsGivenATerminalWhereThereIsOne(t *testing.T) {
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("there is no terminal to be had")
	}
	defer tty.Close() //nolint:errcheck // nobody reads it
	p, _ := withHost(t, "")
	bin := t.TempDir()
	exectest.Write(t, filepath.Join(bin, "ssh"), "#!/bin/sh\nprintf '[%s]' \"$@\"\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	const asks, askless, ownTTY = "/interactive]", "/config]", "[-t]"
	for name, tt := range map[string]struct {
		in      io.Reader
		err     io.Writer
		args    []string
		has     string
		wantTTY bool
	}{
		"a shell":                       {tty, io.Discard, []string{"shell", "old", "-p", "jq"}, asks, true},
		"a command's output in a file":  {tty, io.Discard, []string{"shell", "old", "-p", "jq", "--", "jq", "."}, asks, false},
		"a shell that a script feeds":   {strings.NewReader(""), io.Discard, []string{"shell", "old", "-p", "jq"}, askless, false},
		"a pipe into a command":         {strings.NewReader(""), tty, []string{"ssh", "old", "--", "tar", "x"}, asks, false},
		"a pipe where nobody is to ask": {strings.NewReader(""), io.Discard, []string{"ssh", "old", "--", "tar", "x"}, askless, false},
	} {
		var out bytes.Buffer
		code := cli.Run(t.Context(), append([]string{"--config", p.path("snowdrop.yaml")}, tt.args...), cli.IO{
			In: tt.in, Out: &out, Err: tt.err, Getenv: func(name string) string { return p.env[name] },
		})
		if code != 0 || !strings.Contains(out.String(), tt.has) || strings.Contains(out.String(), ownTTY) != tt.wantTTY {
			t.Errorf("%s: ended with %d, ssh was given %s", name, code, &out)
		}
	}
}

// TestShellArgumentsAreThoseThatWereGiven, whatever shell the user has on the machine.
func TestShellArgumentsAreThoseThatWereGiven(t *testing.T) {
	p, _ := withHost(t, "")
	bin := t.TempDir()
	// As sshd does: the user's shell reads the command.
	exectest.Write(t, filepath.Join(bin, "ssh"), "#!/bin/sh\nfor c; do :; done\nexec \"$USERS_SHELL\" -c \"$c\"\n")
	exectest.Write(t, filepath.Join(bin, "nix"), "#!/bin/sh\nshift 4\nfor a; do printf '[%s]' \"$a\"; done\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("LC_ALL", "C") // bash complains of one that is not installed
	for _, shell := range []string{"sh", "bash", "dash", "zsh", "fish"} {
		program, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		t.Setenv("USERS_SHELL", program)
		args := []string{"jq", `.a | "b\n"`, `\`, "it's", `\'; echo harm #`, "$(echo harm)", "a\nb", ""}
		want := "[--command][" + strings.Join(args, "][") + "]"
		if code, out, errs := p.run(append([]string{"shell", "old", "-p", "jq", "--"}, args...)...); code != 0 || out != want || errs != "" {
			t.Errorf("%s: ended with %d, said %q and %q, want %q", shell, code, out, errs, want)
		}
	}
}
