package provision_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
	"github.com/versatus/snowdrop/steps/provision"
)

const secret = "AGE-SECRET-KEY-1QQQQQQQQ\nsecond 'line' $HOME\n"

// droplet runs the commands with the real sh; systemctl, sudo and the like are
// scripts that write down how they were called.
type droplet struct {
	dir, calls string
	owner      string
	dialer     *remote.Dialer
	server     *sshtest.Server
	env        map[string]string

	mu       sync.Mutex
	commands []string
	said     []string
}

func newDroplet(t *testing.T) *droplet {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	d := &droplet{dir: t.TempDir(), owner: me.Uid, env: map[string]string{"KEY": secret}}
	bin := t.TempDir()
	d.calls = filepath.Join(bin, "calls")
	d.program(t, bin, "systemctl", `case "$1 $*" in *broken.service) echo "Job for broken.service failed." >&2; exit 1 ;; esac`)
	d.program(t, bin, "sudo", `[ "$1" = -n ] && shift && exec "$@"`)
	shell := sshtest.Shell("PATH=" + bin + ":" + os.Getenv("PATH"))
	d.server = sshtest.Start(t, sshtest.Options{Handler: func(ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer) int {
		d.mu.Lock()
		d.commands = append(d.commands, command)
		d.mu.Unlock()
		return shell(ctx, command, stdin, stdout, stderr)
	}})
	_, key := sshtest.NewPrivateKey(t)
	d.env[remote.EnvPrivateKey] = key
	if d.dialer, err = remote.New(remote.Config{Env: d.getenv}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *droplet) getenv(name string) string { return d.env[name] }

func (d *droplet) program(t *testing.T, bin, name, body string) {
	t.Helper()
	text := "#!/bin/sh\necho " + name + ` "$*" | tr '\n' ' ' | cut -c 1-60 >>'` + d.calls + "'\n" + body + "\n"
	exectest.Write(t, filepath.Join(bin, name), text)
}

func (d *droplet) called(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(d.calls)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
		out = append(out, strings.TrimSpace(line))
	}
	return out
}

func (d *droplet) path(name string) string { return filepath.Join(d.dir, name) }

func (d *droplet) provision(t *testing.T, as string, files ...fleet.File) (provision.Out, error) {
	t.Helper()
	tell := event.NewTeller(event.SinkFunc(func(e event.Event) {
		if p, ok := e.(event.Phase); ok {
			d.said = append(d.said, p.Text)
		}
	}), event.Subject{Server: "web"}, "provision")
	in := provision.In{
		Target: remote.Target{Name: "web-1", Address: d.server.Host, Port: d.server.Port, User: as},
		Files:  files,
	}
	out, err := provision.Step{Dialer: d.dialer, Getenv: d.getenv}.Run(t.Context(), tell, in)
	text := strings.Join(d.commands, "\n") + strings.Join(d.said, "\n") + out.String()
	if err != nil {
		text += err.Error()
	}
	if strings.Contains(text, "AGE-SECRET") {
		t.Errorf("the secret is in a command, a message or an error:\n%s", text)
	}
	return out, err
}

func TestFileIsWrittenWholeAndUnitsAreRestartedOnce(t *testing.T) {
	t.Parallel()
	d := newDroplet(t)
	files := []fleet.File{
		{Path: d.path("new/dir/it's a key"), From: fleet.Source{Env: "KEY"}, Owner: d.owner, Restart: []string{"a.service", "b.service"}},
		{Path: d.path("two"), From: fleet.Source{Command: []string{"printf", "2"}}, Mode: "0640", Owner: d.owner, Restart: []string{"b.service"}},
	}
	out, err := d.provision(t, "", files...)
	if err != nil {
		t.Fatal(err)
	}
	want := provision.Out{Written: []string{files[0].Path, files[1].Path}, Restarted: []string{"a.service", "b.service"}}
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"systemctl restart -- a.service", "systemctl restart -- b.service"}, d.called(t)); diff != "" {
		t.Errorf("calls (-want +got)\n%s", diff)
	}
	content(t, files[0].Path, secret, 0o400)
	content(t, files[1].Path, "2", 0o640)
	if entries, err := os.ReadDir(d.path("new/dir")); err != nil || len(entries) != 1 {
		t.Errorf("something was left behind: %v, %v", entries, err)
	}

	again, err := d.provision(t, "", files...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(provision.Out{Unchanged: want.Written}, again); diff != "" {
		t.Errorf("the second time (-want +got)\n%s", diff)
	}

	files[1].Mode = "0600"
	mode, err := d.provision(t, "", files...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{files[1].Path}, mode.Written); diff != "" {
		t.Errorf("another mode (-want +got)\n%s", diff)
	}
	content(t, files[1].Path, "2", 0o600)
}

func content(t *testing.T, name, want string, mode os.FileMode) {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != mode {
		t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), mode)
	}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrPermission) {
		t.Fatal(err)
	}
	if string(data) != want {
		t.Errorf("%s holds %q, want %q", name, data, want)
	}
}

func TestOtherUsersBecomeRootWithSudo(t *testing.T) {
	t.Parallel()
	d := newDroplet(t)
	file := fleet.File{Path: d.path("x"), From: fleet.Source{Env: "KEY"}, Owner: d.owner}
	if _, err := d.provision(t, "deploy", file); err != nil {
		t.Fatal(err)
	}
	content(t, file.Path, secret, 0o400)
	for _, call := range d.called(t) {
		if !strings.HasPrefix(call, "sudo -n sh -c") {
			t.Errorf("called %q", call)
		}
	}
}

func TestSudoThatAsksIsSaid(t *testing.T) {
	t.Parallel()
	d := newDroplet(t)
	d.program(t, filepath.Dir(d.calls), "sudo", `echo "sudo: a password is required" >&2; exit 1`)
	_, err := d.provision(t, "deploy", fleet.File{Path: d.path("x"), From: fleet.Source{Env: "KEY"}, Owner: d.owner})
	if err == nil || !strings.Contains(err.Error(), "user deploy may not become root") || !strings.Contains(err.Error(), "a password is required") {
		t.Errorf("error %v", err)
	}
}

func TestNothingIsWrittenWhileASourceIsMissing(t *testing.T) {
	t.Parallel()
	d := newDroplet(t)
	_, err := d.provision(
		t, "",
		fleet.File{Path: d.path("good"), From: fleet.Source{Env: "KEY"}, Owner: d.owner},
		fleet.File{Path: d.path("bad"), From: fleet.Source{Env: "MISSING"}},
		fleet.File{Path: d.path("worse"), From: fleet.Source{File: d.path("none")}},
	)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"nothing was written", "web-1", d.path("bad"), "MISSING", d.path("worse"), "no such file"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if n := d.server.Accepted(); n != 0 {
		t.Errorf("%d connections, want none", n)
	}
}

func TestFailuresOnTheDropletSayWhatItSaid(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file fleet.File
		says []string
	}{
		{"an owner that is not there", fleet.File{Path: "x", Owner: "nobody-of-that-name"}, []string{"write ", "/x on web-1 (127.0.0.1)", "nobody-of-that-name"}},
		{"a directory in the way", fleet.File{Path: "dir"}, []string{"it is a directory"}},
		{"a unit that does not start", fleet.File{Path: "x", Restart: []string{"broken.service"}}, []string{"restart broken.service on web-1", "Job for broken.service failed.", "journalctl"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDroplet(t)
			if err := os.Mkdir(d.path("dir"), 0o700); err != nil {
				t.Fatal(err)
			}
			f := tt.file
			f.Path, f.From = d.path(f.Path), fleet.Source{Env: "KEY"}
			if f.Owner == "" {
				f.Owner = d.owner
			}
			_, err := d.provision(t, "", f)
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error lacks %q:\n%v", part, err)
				}
			}
			entries, readErr := filepath.Glob(d.path(".snowdrop.*"))
			if readErr != nil || len(entries) != 0 {
				t.Errorf("left behind: %v, %v", entries, readErr)
			}
		})
	}
}

func TestCheckFindsEveryFaultWithoutRunningAnything(t *testing.T) {
	t.Parallel()
	touched := filepath.Join(t.TempDir(), "touched")
	env := func(name string) string { return map[string]string{"KEY": secret}[name] }
	good := []fleet.File{
		{Path: "/var/lib/key", From: fleet.Source{Env: "KEY"}, Mode: "0400", Owner: "root"},
		{Path: "/var/lib/other", From: fleet.Source{Command: []string{"touch", touched}}},
	}
	if err := provision.Check("web", good, env); err != nil {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(touched); err == nil {
		t.Error("the command was run")
	}
	bad := []fleet.File{
		{Path: "relative", From: fleet.Source{Env: "KEY"}},
		{Path: "/a/../b", From: fleet.Source{Env: "KEY"}},
		{Path: "/c", From: fleet.Source{Env: "MISSING"}, Mode: "rw"},
		{Path: "/d", From: fleet.Source{Command: []string{"no-such-program-here"}}, Owner: "a:b", Restart: []string{"-H"}},
	}
	err := provision.Check("web", bad, env)
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{
		"web: file relative", "web: file /a/../b", "web: file /c", "MISSING", `"rw" is not an octal mode`,
		"no-such-program-here", `"a:b"`, `"-H"`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), "AGE-SECRET") {
		t.Errorf("the secret is in the error: %v", err)
	}
}

func TestHostKeyMustBeOne(t *testing.T) {
	t.Parallel()
	d := newDroplet(t)
	_, private := sshtest.NewPrivateKey(t)
	d.env["HOST"] = private
	for name, f := range map[string]fleet.File{
		"no key":   {Path: "/etc/ssh/ssh_host_ed25519_key", From: fleet.Source{Env: "KEY"}},
		"readable": {Path: "/etc/ssh/ssh_host_ed25519_key", From: fleet.Source{Env: "HOST"}, Mode: "0644"},
	} {
		if _, err := d.provision(t, "", f); err == nil || !strings.Contains(err.Error(), "host key") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestHostKeyBringsItsPublicHalfAndSshdIsTold(t *testing.T) {
	t.Parallel()
	signer, private := sshtest.NewPrivateKey(t)
	_, login := sshtest.NewPrivateKey(t)
	env := map[string]string{"HOST": strings.TrimSpace(private), remote.EnvPrivateKey: login}
	var commands, inputs []string
	s := sshtest.Start(t, sshtest.Options{Handler: func(_ context.Context, command string, stdin io.Reader, stdout, _ io.Writer) int {
		input, _ := io.ReadAll(stdin)
		commands, inputs = append(commands, command), append(inputs, string(input))
		_, _ = io.WriteString(stdout, "written\n")
		return 0
	}})
	dialer, err := remote.New(remote.Config{Env: func(name string) string { return env[name] }})
	if err != nil {
		t.Fatal(err)
	}
	out, err := provision.Step{Dialer: dialer, Getenv: func(name string) string { return env[name] }}.Run(t.Context(), event.Teller{}, provision.In{
		Target: remote.Target{Address: s.Host, Port: s.Port},
		Files:  []fleet.File{{Path: "/etc/ssh/ssh_host_ed25519_key", From: fleet.Source{Env: "HOST"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	public := sshtest.Line(signer.PublicKey())
	if diff := cmp.Diff([]string{public}, out.HostKeys); diff != "" {
		t.Errorf("host keys (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{private, public + "\n", ""}, inputs); diff != "" {
		t.Errorf("inputs (-want +got)\n%s", diff)
	}
	if !strings.Contains(commands[1], "ssh_host_ed25519_key.pub") || !strings.Contains(commands[2], "reload-or-restart") {
		t.Errorf("commands %q", commands)
	}
}

func TestDryRunReadsNoSecret(t *testing.T) {
	t.Parallel()
	in := provision.In{Files: []fleet.File{{Path: "/a", From: fleet.Source{Env: "MISSING"}}, {Path: "/b"}}}
	_, would, err := provision.Step{}.DryRun(t.Context(), in)
	if err != nil || would != "would write /a, /b" {
		t.Errorf("got %q, %v", would, err)
	}
}
