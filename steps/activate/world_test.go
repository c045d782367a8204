package activate

import (
	"cmp"
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
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

const (
	oldSystem = "/nix/store/0000000000000000000000000000000a-nixos-system-web-25.05"
	newSystem = "/nix/store/0000000000000000000000000000000b-nixos-system-web-25.11"
)

// tick is a second of the machines of these tests and of their client.
const tick = 10 * time.Millisecond

// clock goes pace times as fast as a real one.
type clock struct {
	start time.Time
	pace  time.Duration
}

func newClock(pace time.Duration) clock { return clock{time.Now(), time.Second / pace} }

func (c clock) Now() time.Time { return c.start.Add(time.Since(c.start) * c.pace) }

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / c.pace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// box is a machine: a folder that stands for /, an SSH server that runs commands
// with sh, and the programs of a system, which a test can make misbehave.
type box struct {
	*sshtest.Server
	t      *testing.T
	root   string
	dialer *dialer
	mu     sync.Mutex
	asked  []string // commands, as they came
	events []string
	// before is called with each command before it runs, and mute says whether its
	// answer is lost, and the connection with it.
	before func(command string)
	mute   func(command string) bool
	// second is one of the client's; 0: a tick. The machine's takes a process more than
	// a tick, which is much on a busy computer: a client that waits until the machine is
	// through with a minute needs longer ones.
	second time.Duration
}

// dialer counts, and refuses while the test wants it to.
type dialer struct {
	*remote.Dialer
	mu     sync.Mutex
	dials  int
	refuse func(n int) error
}

func (d *dialer) Dial(ctx context.Context, t remote.Target) (*remote.Conn, error) {
	d.mu.Lock()
	d.dials++
	n, refuse := d.dials, d.refuse
	d.mu.Unlock()
	if refuse != nil {
		if err := refuse(n); err != nil {
			return nil, err
		}
	}
	return d.Dialer.Dial(ctx, t) //nolint:wrapcheck // as it is
}

// The programs of a machine. Each notes that it was called.
var programs = map[string]string{
	"id":    `echo ${FAKE_UID:-0}`,
	"sleep": `exec $sleep 0.01`,
	"systemctl": `case $* in
*is-active*) if [ -d "$root/unit" ]; then echo active; else echo inactive; exit 3; fi ;;
*is-system-running*) cat "$root/word" 2>/dev/null || echo running ;;
*ActiveState*) if [ -d "$root/unit" ]; then echo active; else echo inactive; fi ;;
*ExecMainStartTimestamp*) echo Tue 2025-11-25 12:00:00 UTC ;;
*Description*) cat "$root/unit/description" ;;
esac`,
	// The manager starts one unit of a name at a time, its main process and then
	// what comes after that.
	"systemd-run": `after='' description=''
while [ $# -gt 0 ]; do
  case $1 in
  --description=*) description=${1#*=} ;;
  -p) shift; case $1 in ExecStopPost=*) after=${1#*=} ;; esac ;;
  -*) ;;
  *) break ;;
  esac
  shift
done
if ! mkdir "$root/unit" 2>/dev/null; then echo "Unit snowdrop-switch.service was already loaded" >&2; exit 1; fi
echo "$description" >"$root/unit/description"
(
  "$@" &
  echo $! >"$root/pid"
  wait $!
  $after
  rm -rf "$root/unit"
) >"$root/journal" 2>&1 </dev/null &`,
	"nix-env": `case $3 in
--set)
  if [ -e "$root/nix-env-fails" ]; then echo "error: disk full" >&2; exit 1; fi
  n=$(readlink "$2"); n=${n#system-}; n=$((${n%-link} + 1))
  ln -sfn "$4" "${2%/*}/system-$n-link"; ln -sfn "system-$n-link" "$2" ;;
--switch-generation) ln -sfn "system-$4-link" "$2" ;;
--delete-generations) rm "${2%/*}/system-$4-link" ;;
esac`,
	"sudo": `cat "$root/sudo" >&2; exit 1`,
}

// toplevel is a system whose activation a test can script: "test" and "boot" run the
// file of that name beside it, if there is one, first.
const toplevel = `echo "$SYSTEM $1 ${NIXOS_NO_CHECK:+unchecked}" >>"$root/calls"
if [ -e "$root$SYSTEM/$1" ]; then . "$root$SYSTEM/$1"; fi
if [ "$1" = dry-activate ]; then echo "would start web.service" >&2; exit 0; fi
if [ "$1" = test ]; then
  echo "activating the configuration..." >&2
  ln -sfn "$root$SYSTEM" "$root/run/current-system"
fi
exit ${code:-0}`

func newBox(t *testing.T) *box {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the scripts are for Linux: timeout, readlink -f")
	}
	for _, program := range []string{"sh", "timeout", "readlink", "sleep"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	b := &box{t: t, root: t.TempDir()}
	if strings.ContainsAny(b.root, " \t") {
		t.Skip("the unit of these tests is started by a script that splits words")
	}
	for _, dir := range []string{"run/systemd/system", "nix/var/nix/profiles", "fakes"} {
		b.mkdir(dir)
	}
	for name, text := range programs {
		b.program("fakes/"+name, text)
	}
	for _, system := range []string{oldSystem, newSystem} {
		b.mkdir(system + "/bin")
		b.program(system+"/bin/switch-to-configuration", "SYSTEM="+system+"\n"+toplevel)
	}
	b.link(filepath.Join(b.root, oldSystem), "run/current-system")
	b.link(filepath.Join(b.root, oldSystem), "nix/var/nix/profiles/system-7-link")
	b.link("system-7-link", "nix/var/nix/profiles/system")
	shell := sshtest.Shell("PATH="+filepath.Join(b.root, "fakes")+":"+os.Getenv("PATH"), "root="+b.root)
	b.Server = sshtest.Start(t, sshtest.Options{Handler: func(ctx context.Context, command string, in io.Reader, out, errOut io.Writer) int {
		b.mu.Lock()
		b.asked = append(b.asked, command)
		before, mute := b.before, b.mute
		b.mu.Unlock()
		if before != nil {
			before(command)
		}
		if mute != nil && mute(command) {
			defer b.Drop()
			out = io.Discard
		}
		return shell(ctx, command, in, out, errOut)
	}})
	_, key := sshtest.NewPrivateKey(t)
	d, err := remote.New(remote.Config{Env: func(name string) string {
		return map[string]string{remote.EnvPrivateKey: key}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.dialer = &dialer{Dialer: d}
	t.Cleanup(func() {
		b.wait()
		_ = d.Close()
	})
	return b
}

func (b *box) mkdir(path string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Join(b.root, path), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) write(path, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.root, path), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) program(path, text string) {
	b.t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		b.t.Fatal(err)
	}
	exectest.Write(b.t, filepath.Join(b.root, path), "#!/bin/sh\nroot='"+b.root+"' sleep='"+sleep+"'\n"+text+"\n")
}

func (b *box) link(to, path string) {
	b.t.Helper()
	if err := os.Symlink(to, filepath.Join(b.root, path)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) read(path string) string {
	text, _ := os.ReadFile(filepath.Join(b.root, path)) // what is not there is empty
	return strings.TrimSpace(string(text))
}

// resolved is a path behind links, as the machine sees it.
func (b *box) resolved(path string) string {
	b.t.Helper()
	end, err := filepath.EvalSymlinks(filepath.Join(b.root, path))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(end, b.root)
}

// wait waits until no unit runs.
func (b *box) wait() {
	for range 2000 {
		if _, err := os.Stat(filepath.Join(b.root, "unit")); os.IsNotExist(err) {
			return
		}
		time.Sleep(tick)
	}
	b.t.Error("the unit still runs")
}

func (b *box) target() remote.Target {
	return remote.Target{Name: "web-1", Address: b.Host, Port: b.Port, Keys: remote.HostKeys{Policy: fleet.Rotate}}
}

// Emit implements event.Sink.
func (b *box) Emit(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, fmt.Sprintf("%T %+v", e, e))
}

func (b *box) run(ctx context.Context, in In) (Out, error) {
	in.Target, in.System = b.target(), newSystem
	if in.Verb == "" {
		in.Verb = Switch
	}
	if in.Confirm == 0 {
		in.Confirm = time.Hour // a minute can be too short for a busy computer
	}
	return b.runIn(ctx, in)
}

func (b *box) runIn(ctx context.Context, in In) (Out, error) {
	step := Step{Dialer: b.dialer, Clock: newClock(cmp.Or(b.second, tick)), root: b.root}
	return step.Run(ctx, event.NewTeller(b, event.Subject{}, step.Name()), in)
}

// expect compares what the machine runs, what it boots, and what was called there.
func (b *box) expect(current, boots string, calls ...string) {
	b.t.Helper()
	b.wait()
	if got := b.resolved("run/current-system"); got != current {
		b.t.Errorf("the machine runs %s instead of %s", got, current)
	}
	if got := b.resolved("nix/var/nix/profiles/system"); got != boots {
		b.t.Errorf("the machine boots %s instead of %s", got, boots)
	}
	replacer := strings.NewReplacer(oldSystem, "old", newSystem, "new", " \n", "\n")
	if got := strings.TrimSpace(replacer.Replace(b.read("calls") + "\n")); got != strings.Join(calls, "\n") {
		b.t.Errorf("switch-to-configuration was called with\n%s\ninstead of\n%s\nthe unit's journal:\n%s", got, strings.Join(calls, "\n"), b.read("journal"))
	}
}
