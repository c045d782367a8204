package systemd_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

var update = flag.Bool("update", false, "write the golden files")

// asked is the Request that the answers in testdata are to: they were taken from
// Debian trixie's systemd 257, logged in as root, as a user with sudo, and as one
// without; and while the machine was starting.
func asked() systemd.Request {
	return systemd.Request{
		Units:       []string{"ssh.service", "loop.service", "web.service", "ngimx.service", "dbus.socket"},
		UserUnits:   map[string][]string{"deploy": {"node-start.service", "node-bad.service"}, "guest": {"x.service"}, "nobody2": {"y.service"}},
		AllowFailed: []string{"web"},
	}
}

func TestAnswersOfARealSystemd(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no answers in testdata", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			answer := read(t, file)
			state, err := systemd.Parse(answer, asked())
			if err != nil {
				t.Fatal(err)
			}
			got, err := json.MarshalIndent(state, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(file, ".txt") + ".golden.json"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(read(t, golden)), string(got)); diff != "" {
				t.Errorf("(-golden +got)\n%s", diff)
			}
			again, err := systemd.Parse(systemd.Render(state), asked())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(state, again); diff != "" {
				t.Errorf("rendered and read again (-before +after)\n%s", diff)
			}
		})
	}
}

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestStateSurvivesRenderAndParse(t *testing.T) {
	t.Parallel()
	want := systemd.State{
		BootID: "b", System: "/nix/store/x-nixos-system-web-25.05",
		Claim:  &systemd.Claim{Server: "web", Flake: "github:acme/servers", Revision: "0123abcd"},
		Uptime: 12340 * time.Millisecond, Word: "degraded",
		Units: []release.Unit{
			{Name: "nginx.service", Active: "active", Sub: "running", Result: "success"},
			{Name: "gone.service", Load: "not-found", Active: "inactive", Sub: "dead", Result: "success"},
			{Name: "node.service", User: "deploy", Active: "activating", Sub: "auto-restart", Result: "exit-code", ExitStatus: 1, Restarts: 4, Journal: []string{`say "hello" == end`, "<tag> ✓"}},
		},
		Failed:    []release.Unit{{Name: "web.service", Active: "failed", Sub: "failed", Result: "signal", ExitStatus: 9, Allowed: true, Journal: []string{"== end"}}},
		Restarted: []release.Unit{{Name: "web.service", Restarts: 3, Allowed: true}},
		Jobs:      []string{"a.service start running"},
		HostKeys:  []string{"ssh-ed25519 AAAA"},
		Loaded:    []string{"nginx.service"},
		Notes:     []string{"a note", "== end"},
	}
	got, err := systemd.Parse(systemd.Render(want), systemd.Request{AllowFailed: []string{"web.*"}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestRequestIsReadBackFromTheScript(t *testing.T) {
	t.Parallel()
	want := asked()
	want.JournalLines = 7
	script, err := systemd.Script(want)
	if err != nil {
		t.Fatal(err)
	}
	got, ok := systemd.ParseRequest(script)
	if !ok {
		t.Fatal("no request in the script")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for _, text := range []string{"", "uname -a", systemd.Marker + "\n", systemd.Marker + "\n" + systemd.RequestPrefix + "{\n"} {
		if _, ok := systemd.ParseRequest(text); ok {
			t.Errorf("%q passes for a script", text)
		}
	}
}

func TestNamesCannotBecomeCommands(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.service", "a;id", "$(id).service", "`id`", "a'b", "-x.service", "*.service", "a\nb", ""} {
		if _, err := systemd.Script(systemd.Request{Units: []string{name}}); err == nil {
			t.Errorf("unit %q is let through", name)
		}
		if _, err := systemd.Script(systemd.Request{UserUnits: map[string][]string{name: nil}}); err == nil {
			t.Errorf("user %q is let through", name)
		}
	}
	for _, name := range []string{"nginx", "getty@tty1.service", `dev-disk-by\x2dlabel.swap`, "a:b_c.d-e.mount"} {
		if _, err := systemd.Script(systemd.Request{Units: []string{name}}); err != nil {
			t.Errorf("unit %q: %v", name, err)
		}
	}
}

// The script is POSIX sh that ends whole even where there is neither systemd nor
// a journal nor a system.
func TestScriptEndsWholeOnAnyMachine(t *testing.T) {
	t.Parallel()
	script, err := systemd.Script(asked())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(out), "== snowdrop-look v1\n") || !strings.HasSuffix(string(out), "== end\n") {
		t.Errorf("the answer is not whole:\n%s", out)
	}
	for _, u := range []string{"== unit - ssh.service\n", "== unit deploy node-bad.service\n", "== unit nobody2 y.service\n"} {
		if !strings.Contains(string(out), u) {
			t.Errorf("the answer lacks %q", u)
		}
	}
}

type fake struct {
	res remote.Result
	err error
}

func (f fake) Run(context.Context, string, io.Reader) (remote.Result, error) { return f.res, f.err }

func TestCutOffAnswersAreNotTakenForWhole(t *testing.T) {
	t.Parallel()
	whole := systemd.Render(systemd.State{BootID: "b", Word: "running", Units: []release.Unit{{Name: "a.service", Active: "active"}}})
	req := systemd.Request{Units: []string{"a.service"}}
	if _, err := systemd.Look(t.Context(), fake{res: remote.Result{Stdout: whole}}, req); err != nil {
		t.Fatal(err)
	}
	// All but the last line end, without which the answer says the same.
	for n := range len(whole) - 1 {
		if _, err := systemd.Look(t.Context(), fake{res: remote.Result{Stdout: whole[:n]}}, req); err == nil {
			t.Fatalf("%d of %d bytes pass for whole", n, len(whole))
		}
	}
	if _, err := systemd.Look(t.Context(), fake{res: remote.Result{Stdout: whole}}, systemd.Request{Units: []string{"b.service"}}); !errors.Is(err, systemd.ErrIncomplete) {
		t.Errorf("a unit that is not answered: %v", err)
	}
	banner := append([]byte("Welcome!\n== hello\n boot\n"), whole...)
	if s, err := systemd.Look(t.Context(), fake{res: remote.Result{Stdout: banner}}, req); err != nil || s.BootID != "b" {
		t.Errorf("a login shell's banner: %+v, %v", s, err)
	}
	_, err := systemd.Look(t.Context(), fake{res: remote.Result{Stderr: []byte("sh: not found\n"), Exit: 127}}, req)
	if err == nil || !strings.Contains(err.Error(), `exited 127, saying "sh: not found"`) {
		t.Errorf("error %v does not say what the machine said", err)
	}
}

func TestJournalMessagesOfEveryShape(t *testing.T) {
	t.Parallel()
	answer := "== snowdrop-look v1\n== failed - a.service\n ActiveState=failed\n== journal\n" +
		` {"MESSAGE":"plain"}` + "\n" +
		` {"MESSAGE":[104,105,255]}` + "\n" +
		` {"MESSAGE":null}` + "\n" +
		` {"MESSAGE":["one","two"]}` + "\n" +
		` {"MESSAGE":"two\nlines"}` + "\n" +
		` {"MESSAGE":"\u001b[31mred\u001b[0m\r"}` + "\n" +
		` {}` + "\n" +
		" No journal files were found.\n== end\n"
	s, err := systemd.Parse([]byte(answer), systemd.Request{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"plain", "hi?", "(a message that the journal does not show)", "one", "two", "lines", "[31mred[0m",
		"(a message that the journal does not show)", "No journal files were found.",
	}
	if diff := cmp.Diff(want, s.Failed[0].Journal); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestNearestName(t *testing.T) {
	t.Parallel()
	list := []string{"nginx.service", "sshd.service", "docker.socket"}
	for name, want := range map[string]string{"ngimx.service": "nginx.service", "ngnix.service": "nginx.service", "ssh.service": "sshd.service", "postgresql.service": "", "x": ""} {
		if got := systemd.Nearest(name, list); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range []string{"debian-trixie-root.txt", "debian-trixie-starting.txt"} {
		f.Add(read(f, filepath.Join("testdata", file)))
	}
	f.Add([]byte("== snowdrop-look v1\n== uptime\n NaN\n== end\n"))
	f.Add([]byte("== snowdrop-look v1\n== unit -\n== journal\n {\n== end\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		req := asked()
		first, err := systemd.Parse(answer, req)
		if err != nil {
			return
		}
		second, err := systemd.Parse(systemd.Render(first), req)
		if err != nil {
			t.Fatalf("what was rendered cannot be read: %v", err)
		}
		if first.BootID != second.BootID || len(first.Units) != len(second.Units) || len(first.Failed) != len(second.Failed) {
			t.Errorf("read %+v, and again %+v", first, second)
		}
	})
}
