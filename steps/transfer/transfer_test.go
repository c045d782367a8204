package transfer_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/steps/transfer"
)

func TestTheBuildHostIsReachedAsTheUsersOwnSSHDoes(t *testing.T) {
	t.Parallel()
	ours := filepath.Join(t.TempDir(), "config")
	for host, name := range map[string]string{"builder": "builder", "me@builder.example.com": "builder.example.com"} {
		file, err := transfer.WithOwn(ours, host)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(file) //nolint:gosec // the test's own file
		if err != nil {
			t.Fatal(err)
		}
		want := "Host " + name + "\n  Include ~/.ssh/config\n  Include /etc/ssh/ssh_config\nHost *\n  Include " + filepath.ToSlash(ours) + "\n"
		if string(text) != want {
			t.Errorf("%s: %s", host, text)
		}
		if filepath.Dir(file) != filepath.Dir(ours) {
			t.Errorf("it lies in %s, where nobody removes it", filepath.Dir(file))
		}
	}
	for _, host := range []string{"", "a b", "-oProxyCommand=x", "builder:2222", "ssh://builder", "*", "me@", "me@-oProxyCommand=x", "@builder", "a?b"} {
		if _, err := transfer.WithOwn(ours, host); err == nil || !strings.Contains(err.Error(), "HOST or USER@HOST") {
			t.Errorf("%q: %v", host, err)
		}
	}
}

// unreached is an ssh that reaches nobody.
type unreached struct{ err error }

func (u unreached) OpenSSH(context.Context, ...remote.Target) (*remote.OpenSSH, error) {
	return nil, u.err
}

func (u unreached) Dial(context.Context, remote.Target) (*remote.Conn, error) { return nil, u.err }

// silent is a nix that must not be asked.
type silent struct{ t *testing.T }

func (s silent) Copy(context.Context, nix.Copy, nix.Progress) (int, error) {
	s.t.Error("nix was asked to copy")
	return 0, nil
}

func TestNothingIsCopiedToAMachineThatIsNotReached(t *testing.T) {
	t.Parallel()
	ssh := unreached{remote.ErrRefused}
	step := transfer.Step{Nix: silent{t}, SSH: ssh}
	_, err := step.Run(t.Context(), event.Teller{}, transfer.In{System: "/nix/store/x"})
	if err == nil || !strings.Contains(err.Error(), remote.ErrRefused.Error()) {
		t.Errorf("the copy ends as %v", err)
	}
	_, err = transfer.OnServer{SSH: ssh}.Run(t.Context(), event.Teller{}, transfer.OnServerIn{System: ".#web", Flake: "github:acme/infra"})
	if err == nil || !strings.Contains(err.Error(), remote.ErrRefused.Error()) {
		t.Errorf("the build there ends as %v", err)
	}
}

// machine is a server that answers a build, and what it was asked to run.
func machine(t *testing.T, exit int, stdout, stderr string) (target remote.Target, asked *string, dialer *remote.Dialer) {
	t.Helper()
	asked = new(string)
	server := sshtest.Start(t, sshtest.Options{Handler: func(_ context.Context, command string, _ io.Reader, out, errs io.Writer) int {
		*asked = command
		_, _ = io.WriteString(out, stdout)
		_, _ = io.WriteString(errs, stderr)
		return exit
	}})
	_, key := sshtest.NewPrivateKey(t)
	dialer, err := remote.New(remote.Config{Env: func(name string) string {
		if name == remote.EnvPrivateKey {
			return key
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialer.Close() })
	return remote.Target{Name: "web-1", Address: server.Host, Port: server.Port, Keys: remote.HostKeys{Known: []string{server.HostKey()}}}, asked, dialer
}

func TestAServerFetchesTheFlakeAtTheCommitAndBuilds(t *testing.T) {
	t.Parallel()
	const path = "/nix/store/n491ixzvgn66w026mg0yild7h1ki2hhb-nixos-system-web-25.05"
	target, asked, dialer := machine(t, 0, `[{"drvPath":"/nix/store/x.drv","outputs":{"out":"`+path+`"}}]`, "building\n")
	out, err := transfer.OnServer{SSH: dialer}.Run(t.Context(), event.Teller{}, transfer.OnServerIn{
		Target: target, Flake: "git+ssh://git@github.com/acme/infra?dir=nix", Revision: "1111111", System: ".?rev=x#nixosConfigurations.web.toplevel",
	})
	if err != nil || out.System != path || len(out.HostKeys) != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
	want := "git+ssh://git@github.com/acme/infra?dir=nix&rev=1111111#nixosConfigurations.web.toplevel"
	if !strings.Contains(*asked, want) {
		t.Errorf("%q is not in %s", want, *asked)
	}
}

func TestAServerThatCannotBuildSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		exit           int
		stdout, stderr string
		says           []string
	}{
		"no nix":         {127, "", "sh: 1: exec: nix: not found", []string{"there is no nix on it"}},
		"no git":         {1, "", "error: executing 'git': No such file or directory", []string{"pkgs.git"}},
		"no credentials": {1, "", "fatal: could not read Username for 'https://github.com': terminal prompts disabled", []string{"deploy key", "web-1"}},
		"no such commit": {1, "", "error: Cannot find Git revision", []string{"Cannot find Git revision"}},
		"not an answer":  {0, "hello", "", []string{"nix build --json"}},
		"no output":      {0, "[]", "", []string{"names no output"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, _, dialer := machine(t, tc.exit, tc.stdout, tc.stderr)
			_, err := transfer.OnServer{SSH: dialer}.Run(t.Context(), event.Teller{}, transfer.OnServerIn{
				Target: target, Flake: "github:acme/infra", System: ".#web",
			})
			if err == nil {
				t.Fatal("no error")
			}
			for _, words := range tc.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q is not in %v", words, err)
				}
			}
		})
	}
	target, asked, dialer := machine(t, 0, "", "")
	_, err := transfer.OnServer{SSH: dialer}.Run(t.Context(), event.Teller{}, transfer.OnServerIn{Target: target, Flake: "x", System: "/nix/store/y"})
	if err == nil || *asked != "" {
		t.Errorf("a path of the store: %v, and %q was run", err, *asked)
	}
}
