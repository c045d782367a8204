package vm_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/exectest"
	"github.com/versatus/snowdrop/internal/vm"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// built is a folder as nix builds it, with scripts of these texts by name.
func built(t *testing.T, scripts map[string]string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the script is one of a shell's")
	}
	dir := t.TempDir()
	check(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	for name, text := range scripts {
		exectest.Write(t, filepath.Join(dir, "bin", name), text)
	}
	return dir
}

func script(t *testing.T, text string) vm.Script {
	t.Helper()
	s, err := vm.Find(built(t, map[string]string{"run-web-vm": "#!/bin/sh\n" + text}))
	check(t, err)
	return s
}

func TestTheOneScriptIsFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		scripts map[string]string
		console string
		wants   []string
	}{
		{"one", map[string]string{"run-web-vm": "exec qemu-kvm", "other": ""}, "ttyS0", nil},
		{"an ARM machine's serial port has another name", map[string]string{"run-web-vm": "exec /nix/store/x/bin/qemu-system-aarch64 -machine virt"}, "ttyAMA0", nil},
		{"none", map[string]string{"other": ""}, "", []string{"no bin/run-NAME-vm", "config.system.build.vm"}},
		{"several", map[string]string{"run-web-vm": "", "run-api-vm": ""}, "", []string{"run-web-vm", "run-api-vm"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := vm.Find(built(t, c.scripts))
			for _, want := range c.wants {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not say %q", err, want)
				}
			}
			if c.wants == nil && (err != nil || s.Name != "web" || s.Console != c.console) {
				t.Errorf("%+v, %v", s, err)
			}
		})
	}
}

func TestMemoryIsReadAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"512": 512, "2G": 2048, "2g": 2048, "2 GiB": 2048, "1536M": 1536, "1536mib": 1536} {
		if got, err := vm.ParseMemory(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "G", "0", "-1G", "2T", "1.5G", "two", "99999999999999999999", "99999999999G"} {
		if got, err := vm.ParseMemory(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestAllFaultsOfForwardsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	got, err := vm.ParseForwards([]string{"2222:22", "8080:80"})
	if diff := cmp.Diff([]vm.Forward{{2222, 22}, {8080, 80}}, got); diff != "" || err != nil {
		t.Errorf("%s %v", diff, err)
	}
	_, err = vm.ParseForwards([]string{"22", "0:22", "70000:1", "a:b", "2222:22", "2222:23", "1:2:3"})
	for _, want := range []string{`"22"`, `"0:22"`, `"70000:1"`, `"a:b"`, `"2222:23"`, `"1:2:3"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestPortsInUseAreAllNamed(t *testing.T) {
	t.Parallel()
	var forwards []vm.Forward
	for range 2 {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		check(t, err)
		t.Cleanup(func() { _ = l.Close() })
		forwards = append(forwards, vm.Forward{Host: l.Addr().(*net.TCPAddr).Port, Guest: 80})
	}
	free, err := vm.FreePort(t.Context())
	check(t, err)
	check(t, vm.CheckFree(t.Context(), []vm.Forward{{Host: free, Guest: 22}}))
	err = vm.CheckFree(t.Context(), forwards)
	for _, f := range forwards {
		if err == nil || !strings.Contains(err.Error(), strconv.Itoa(f.Host)) {
			t.Errorf("error %v does not name port %d", err, f.Host)
		}
	}
}

// record is a script that writes down how it was started.
const record = `env > "$RECORD/env"; for a in "$@"; do printf '%s\n' "$a"; done > "$RECORD/args"; pwd > "$RECORD/pwd"; `

func recorded(t *testing.T, dir, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	check(t, err)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func TestWhatIsSetByHandStaysAndOursComesBehind(t *testing.T) {
	t.Parallel()
	dir, state := t.TempDir(), t.TempDir()
	var out strings.Builder
	o := vm.Options{
		Disk: filepath.Join(state, "web.qcow2"), Dir: state, Memory: 2048, Cores: 3, Headless: true,
		Forwards: []vm.Forward{{2222, 22}, {8080, 80}}, Args: []string{"-device", "one with blanks"},
	}
	web := script(t, record+"echo hello")
	check(t, vm.Run(t.Context(), web, o, vm.Terminal{Out: &out, Environ: []string{
		"PATH=" + os.Getenv("PATH"), "RECORD=" + dir, "NIX_DISK_IMAGE=/elsewhere", "QEMU_OPTS=-s",
		"QEMU_NET_OPTS=hostfwd=udp::53-:53", "QEMU_KERNEL_PARAMS=quiet",
	}}))
	env := recorded(t, dir, "env")
	for _, want := range []string{
		"NIX_DISK_IMAGE=" + o.Disk, "QEMU_OPTS=-s", "SNOWDROP_VM=" + web.Path,
		"QEMU_NET_OPTS=hostfwd=udp::53-:53,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:8080-:80",
		"QEMU_KERNEL_PARAMS=quiet console=ttyS0", "NIX_EFI_VARS=" + filepath.Join(state, "web-efi-vars.fd"),
	} {
		if !slices.Contains(env, want) {
			t.Errorf("the environment lacks %q:\n%s", want, strings.Join(env, "\n"))
		}
	}
	if diff := cmp.Diff([]string{"-m", "2048", "-smp", "3", "-nographic", "-device", "one with blanks"}, recorded(t, dir, "args")); diff != "" {
		t.Error(diff)
	}
	at := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "TMPDIR=") })
	if _, err := os.Stat(strings.TrimPrefix(env[max(at, 0)], "TMPDIR=")); at < 0 || !os.IsNotExist(err) || !slices.Contains(env, "USE_TMPDIR=1") {
		t.Errorf("its temporary folder is left: %v\n%s", err, strings.Join(env, "\n"))
	}
	if out.String() != "hello\n" {
		t.Errorf("out: %q", out.String())
	}
}

func TestWithoutAScreenSomebodyIsTold(t *testing.T) {
	t.Parallel()
	s, none := script(t, "echo gtk initialization failed >&2; exit 1"), []string{"PATH=" + os.Getenv("PATH")}
	err := vm.Run(t.Context(), s, vm.Options{Dir: t.TempDir()}, vm.Terminal{Environ: none})
	if err == nil || runtime.GOOS == "linux" && !strings.Contains(err.Error(), "--headless") {
		t.Errorf("%v", err)
	}
	for name, one := range map[string]struct {
		headless bool
		environ  []string
	}{"headless": {true, none}, "with a screen": {false, append(none, "DISPLAY=:0")}} {
		err := vm.Run(t.Context(), s, vm.Options{Dir: t.TempDir(), Headless: one.headless}, vm.Terminal{Environ: one.environ})
		if err == nil || strings.Contains(err.Error(), "--headless") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACancelledRunAsksQEMUToEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := net.Pipe()
	go func() {
		_, _ = r.Read(make([]byte, 1)) // it runs, and will see the signal
		cancel()
		for {
			if _, err := r.Read(make([]byte, 64)); err != nil {
				return
			}
		}
	}()
	err := vm.Run(ctx, script(t, `trap 'echo asked > "`+dir+`/end"; exit 0' TERM; echo up; while :; do sleep 0.05; done`),
		vm.Options{Dir: dir}, vm.Terminal{Out: w, Environ: os.Environ()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	recorded(t, dir, "end")
}

func TestTheStateIsThereForOneAndCanBeRemoved(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	getenv := func(name string) string { return env[name] }
	open := func(file string) (*vm.State, error) { return vm.OpenState(getenv, file, "web") }
	s, err := open("/a/snowdrop.yaml")
	check(t, err)
	if !strings.HasPrefix(s.Disk, filepath.Join(home, ".local", "state", "snowdrop", "vm", "web-")) || filepath.Base(s.Disk) != "web.qcow2" {
		t.Errorf("the disk is %s", s.Disk)
	}
	if _, err := open("/a/snowdrop.yaml"); runtime.GOOS != "windows" && !errors.Is(err, vm.ErrRunning) {
		t.Errorf("a second time: %v", err)
	}
	other, err := open("/b/snowdrop.yaml")
	check(t, err)
	if other.Disk == s.Disk {
		t.Errorf("two fleets have the same disk %s", s.Disk)
	}
	check(t, other.Close())
	if gone, err := s.Reset(); err != nil || len(gone) != 0 {
		t.Errorf("nothing was there, and %v was removed, %v", gone, err)
	}
	for _, name := range []string{"web.qcow2", "web-efi-vars.fd", "notes.txt"} {
		check(t, os.WriteFile(filepath.Join(s.Dir, name), nil, 0o600))
	}
	gone, err := s.Reset()
	check(t, err)
	if diff := cmp.Diff([]string{s.Disk, filepath.Join(s.Dir, "web-efi-vars.fd")}, gone); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "notes.txt")); err != nil {
		t.Errorf("what is not the machine's is gone: %v", err)
	}
	check(t, s.Close())
	again, err := open("/a/snowdrop.yaml")
	check(t, err)
	check(t, again.Close())

	env["NIX_DISK_IMAGE"] = filepath.Join(home, "own.qcow2")
	check(t, os.Mkdir(env["NIX_DISK_IMAGE"], 0o700))
	own, err := open("/a/snowdrop.yaml")
	check(t, err)
	if _, err := own.Reset(); err == nil || own.Disk != env["NIX_DISK_IMAGE"] {
		t.Errorf("the folder %s was removed as a disk: %v", own.Disk, err)
	}
	check(t, own.Close())
}

// TestAMachineHoldsItsStateByItself: it may outlive a snowdrop that was killed.
func TestAMachineHoldsItsStateByItself(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks")
	}
	home := t.TempDir()
	open := func() (*vm.State, error) {
		return vm.OpenState(func(name string) string { return map[string]string{"HOME": home}[name] }, "/a/snowdrop.yaml", "web")
	}
	s, err := open()
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	r, w := net.Pipe()
	machine := script(t, `trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done`)
	go func() {
		ended <- vm.Run(ctx, machine, vm.Options{Dir: s.Dir, Lock: s.Lock()}, vm.Terminal{Out: w, Environ: os.Environ()})
	}()
	_, err = r.Read(make([]byte, 3))
	check(t, err)
	check(t, s.Lock().Close()) // as the end of the process does
	if _, err := open(); !errors.Is(err, vm.ErrRunning) {
		t.Errorf("while the machine runs: %v", err)
	}
	cancel()
	<-ended
	again, err := open()
	check(t, err)
	check(t, again.Close())
}

func TestTheStateIsFreeAtOnceWhileProgramsAreStarted(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var started sync.WaitGroup
	for range 4 {
		started.Go(func() {
			for ctx.Err() == nil {
				_ = exec.Command("true").Run()
			}
		})
	}
	for range 300 {
		s, err := vm.OpenState(func(name string) string { return map[string]string{"HOME": home}[name] }, "/a/snowdrop.yaml", "web")
		if err != nil {
			t.Error(err)
			break
		}
		check(t, s.Close())
	}
	cancel()
	started.Wait()
}

func TestADiskThatTheMachineDidNotMakeIsNotRemoved(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	target := filepath.Join(home, "image.raw")
	check(t, os.WriteFile(target, []byte("somebody's own image"), 0o600))
	made, link := filepath.Join(home, "made.qcow2"), filepath.Join(home, "link.qcow2")
	check(t, os.WriteFile(made, []byte("QFI\xfb\x00\x00\x00\x03"), 0o600))
	check(t, os.Symlink(target, link))
	for disk, gone := range map[string]bool{made: true, target: false, link: false} {
		s, err := vm.OpenState(func(name string) string {
			return map[string]string{"HOME": filepath.Join(home, "[odd]"), "NIX_DISK_IMAGE": disk}[name]
		}, "/a/snowdrop.yaml", "web")
		check(t, err)
		vars := filepath.Join(s.Dir, "web-efi-vars.fd")
		check(t, os.WriteFile(vars, nil, 0o600))
		wants := 0
		if gone {
			wants = 2 // in a folder whose name is none of a pattern
		}
		if removed, err := s.Reset(); (err == nil) != gone || len(removed) != wants {
			t.Errorf("%s: removed %v, %v", disk, removed, err)
		}
		check(t, s.Close())
	}
}

func TestNothingIsLeftOfAMachineThatWasStopped(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"that ends": "exit 0", "that has ended": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, log := t.TempDir(), filepath.Join(t.TempDir(), "log")
			text := record + `touch "$NIX_DISK_IMAGE" "$TMPDIR/store.img"; echo on the console; echo ready > "$RECORD/ready"; `
			if end == "" {
				text += "exit 3"
			} else {
				text += "trap '" + end + "' TERM; while :; do sleep 0.05; done"
			}
			s := script(t, text)
			m, err := vm.Start(s, vm.Options{Args: []string{"-s"}, KernelParams: []string{"a=b"}}, log, append(os.Environ(), "RECORD="+dir, "NIX_DISK_IMAGE=/mine"))
			check(t, err)
			if end == "" {
				ctx, done := m.Pull(t.Context())
				<-ctx.Done()
				done()
				if cause := context.Cause(ctx); !strings.Contains(cause.Error(), "exit status 3") {
					t.Errorf("it ended: %v", cause)
				}
			}
			waitFor(t, filepath.Join(dir, "ready"))
			check(t, m.Stop())
			env := recorded(t, dir, "env")
			at := slices.IndexFunc(env, func(v string) bool { return strings.HasPrefix(v, "NIX_DISK_IMAGE=") })
			disk := strings.TrimPrefix(env[at], "NIX_DISK_IMAGE=")
			if _, err := os.Stat(filepath.Dir(disk)); !os.IsNotExist(err) || disk == "/mine" {
				t.Errorf("%s is left: %v", disk, err)
			}
			if !slices.Contains(env, "QEMU_KERNEL_PARAMS=a=b console=ttyS0") || !slices.Contains(env, "USE_TMPDIR=1") {
				t.Errorf("the environment is %v", env)
			}
			args := strings.Join(recorded(t, dir, "args"), " ")
			if !strings.HasPrefix(args, "-display none -monitor none ") || !strings.Contains(args, "append=on,path="+log) || !strings.HasSuffix(args, " -s") {
				t.Errorf("the arguments are %s", args)
			}
			if said := vm.Tail(log, 5); len(said) == 0 || said[0] != "on the console" {
				t.Errorf("the log has %q", said)
			}
		})
	}
}

// TestWhatAMachineStartedEndsWithIt: a script may not be what QEMU runs in, and has
// helpers beside it, which would hold a disk that is gone.
func TestWhatAMachineStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	helper := filepath.Join(dir, "helper")
	s := script(t, `sh -c 'trap "" TERM; echo $$ > "`+helper+`.new"; mv "`+helper+`.new" "`+helper+`"; while :; do sleep 0.05; done' &
trap 'exit 0' TERM; while :; do sleep 0.05; done`)
	m, err := vm.Start(s, vm.Options{}, filepath.Join(dir, "log"), os.Environ())
	check(t, err)
	waitFor(t, helper)
	check(t, m.Stop())
	for i := 0; exectest.Lives(t, helper); i++ {
		if i == 5000 {
			t.Fatal("the helper lives on")
		}
		time.Sleep(time.Millisecond)
	}
}

// waitFor waits until a script has written a file.
func waitFor(t *testing.T, file string) {
	t.Helper()
	for {
		if _, err := os.Stat(file); err == nil {
			return
		}
		if t.Context().Err() != nil {
			t.Fatalf("there is no %s", file)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTheTailIsWhatWasSaidLast(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log")
	if got := vm.Tail(log, 3); got != nil {
		t.Errorf("of no file: %q", got)
	}
	check(t, os.WriteFile(log, []byte("one\r\ntwo\r\nthree\r\n\r\n"), 0o600))
	if diff := cmp.Diff([]string{"two", "three"}, vm.Tail(log, 2)); diff != "" {
		t.Error(diff)
	}
}

func TestAKeyIsLetInByLinesOfTmpfiles(t *testing.T) {
	t.Parallel()
	param := vm.AuthorizeRoot("ssh-ed25519 AAAA of one boot")
	name, value, _ := strings.Cut(param, ":")
	if name != "systemd.set_credential_binary=tmpfiles.extra" || strings.ContainsAny(param, " \n") {
		t.Errorf("the parameter is %s", param)
	}
	lines, err := base64.StdEncoding.DecodeString(value)
	check(t, err)
	for _, path := range []string{"/root/.ssh/authorized_keys", "/etc/ssh/authorized_keys.d/root"} {
		_, rest, found := strings.Cut(string(lines), "f~ "+path+" ")
		if !found {
			t.Errorf("%s is not among\n%s", path, lines)
			continue
		}
		line, _, _ := strings.Cut(rest, "\n")
		key, err := base64.StdEncoding.DecodeString(line[strings.LastIndex(line, " ")+1:])
		if err != nil || string(key) != "ssh-ed25519 AAAA of one boot\n" {
			t.Errorf("%s gets %q, %v", path, key, err)
		}
	}
}

func TestTheAddressIsWhereTheConnectionCameIn(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{"10.0.2.2 52942 10.0.2.15 22\n": "10.0.2.15", "": "", "\n": "", "nonsense": ""} {
		if got := vm.Address(said); got != want {
			t.Errorf("%q: %q", said, got)
		}
	}
}
