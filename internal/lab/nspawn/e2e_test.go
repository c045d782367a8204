//go:build linux && e2e

package nspawn

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
)

// tree is the Debian that the tests boot, the one of the end-to-end tests;
// EnsureBase makes it once.
func tree() string {
	if dir := os.Getenv("SNOWDROP_E2E_TREE"); dir != "" {
		return dir
	}
	return "/var/cache/snowdrop-e2e/trixie"
}

// client logs in to machines.
type client struct{ signer ssh.Signer }

func newClient(t *testing.T) client {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	check(t, err)
	return client{signer}
}

func (c client) authorizedKey() string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(c.signer.PublicKey())))
}

// run runs a command on a machine once its SSH server answers; it returns the
// output and the host key.
func (c client) run(ctx context.Context, t *testing.T, m *Machine, command string) (string, string) {
	t.Helper()
	start := time.Now()
	var hostKey string
	config := &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(c.signer)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			hostKey = string(ssh.MarshalAuthorizedKey(key))
			return nil
		},
	}
	var conn *ssh.Client
	var last error
	err := until(ctx, func() (bool, error) {
		if !m.Running() {
			return false, errors.New("the machine does not run")
		}
		conn, last = dial(ctx, net.JoinHostPort(m.Address(), "22"), config)
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("log in to %s: %v (%v); console:\n%s", m.Name(), err, last, m.Console())
	}
	defer conn.Close()
	session, err := conn.NewSession()
	check(t, err)
	defer session.Close()
	out, err := session.CombinedOutput(command)
	t.Logf("%s: %.50s: after %s", m.Name(), command, time.Since(start).Round(time.Millisecond))
	if err != nil {
		t.Fatalf("run %q on %s: %v: %s", command, m.Name(), err, out)
	}
	return strings.TrimSpace(string(out)), hostKey
}

func dial(ctx context.Context, address string, config *ssh.ClientConfig) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var dialer net.Dialer
	tcp, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	deadline, _ := ctx.Deadline()
	if err := tcp.SetDeadline(deadline.Add(2 * time.Second)); err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	conn, channels, requests, err := ssh.NewClientConn(tcp, address, config)
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	if err := tcp.SetDeadline(time.Time{}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testContext(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, out)
	}
	return string(out)
}

// baseImage is made once for all tests of a run.
func baseImage(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.TempDir(), fmt.Sprintf("nspawn-e2e-%d.raw", os.Getpid()))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	ctx := testContext(t, 10*time.Minute)
	check(t, EnsureBase(ctx, tree()))
	check(t, BaseImage(ctx, tree(), path))
	return path
}

func TestMain(m *testing.M) {
	if dir := os.Getenv("NSPAWN_E2E_CRASH"); dir != "" {
		crash(dir)
		return
	}
	code := m.Run()
	_ = os.Remove(filepath.Join(os.TempDir(), fmt.Sprintf("nspawn-e2e-%d.raw", os.Getpid())))
	os.Exit(code)
}

// leftovers is everything on this system that a lab's id is found in.
func leftovers(t *testing.T, id labID) []string {
	t.Helper()
	var found []string
	for _, look := range [][]string{
		{"ip", "netns", "list"},
		{"ip", "-o", "link", "show"},
		{"ip", "-4", "route", "show", "table", "all"},
		{"mount"},
		{"losetup", "-l"},
		{"ps", "-eo", "args"},
		{"find", "/run/systemd", "/run/snowdrop-lab", "/sys/fs/cgroup", "/run/netns", "-maxdepth", "5"},
	} {
		for line := range strings.Lines(command(t, look[0], look[1:]...)) {
			if strings.Contains(line, string(id)) {
				found = append(found, look[0]+": "+strings.TrimSpace(line))
			}
		}
	}
	return found
}

func newHost(t *testing.T, c client, dir string) *Host {
	t.Helper()
	h, err := NewHost(testContext(t, 3*time.Minute), Config{
		StateDir: dir, AuthorizedKeys: []string{c.authorizedKey()}, Log: func(line string) { t.Log(line) },
	})
	check(t, err)
	t.Cleanup(func() {
		check(t, h.Close())
		if found := leftovers(t, h.id); len(found) > 0 {
			t.Errorf("Close left behind:\n%s", strings.Join(found, "\n"))
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("Close left files behind: %v, %v", entries, err)
		}
	})
	return h
}

func bootFile(ctx context.Context, t *testing.T, m *Machine, path string) {
	t.Helper()
	start := time.Now()
	check(t, m.BootFile(ctx, path, BootOptions{}))
	t.Logf("%s boots after %s", m.Name(), time.Since(start).Round(time.Millisecond))
}

const look = "systemctl is-system-running --wait; cat /proc/sys/kernel/random/boot_id; hostname; ls /root"

func TestRebuildKeepsTheAddressAndNothingElse(t *testing.T) {
	image := baseImage(t)
	ctx, c := testContext(t, 3*time.Minute), newClient(t)
	m, err := newHost(t, c, t.TempDir()).Machine("web-1")
	check(t, err)

	bootFile(ctx, t, m, image)
	address := m.Address()
	first, firstKey := c.run(ctx, t, m, look+"; echo mine > /root/file; sync")
	t.Log(first)
	bootFile(ctx, t, m, image)
	second, secondKey := c.run(ctx, t, m, look)
	t.Log(second)

	if m.Address() != address {
		t.Errorf("address changed from %s to %s", address, m.Address())
	}
	was, is := strings.Split(first, "\n"), strings.Split(second, "\n")
	if is[0] != "running" || is[2] != "web-1" {
		t.Errorf("the machine is %q and named %q", is[0], is[2])
	}
	if was[1] == is[1] {
		t.Errorf("both boots have the boot id %s", is[1])
	}
	if len(is) > 3 {
		t.Errorf("the disk was not wiped: %v", is[3:])
	}
	if firstKey == secondKey {
		t.Error("both installations have the same host key")
	}
}

func TestQcow2AndPartitionedImagesBootSideBySide(t *testing.T) {
	image := baseImage(t)
	ctx, c, dir := testContext(t, 3*time.Minute), newClient(t), t.TempDir()
	q := filepath.Join(dir, "image.qcow2")
	command(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", image, q)
	images := map[string]string{
		"web-1": q, "web-2": partitioned(t, image, dir, "dos"), "web-3": partitioned(t, image, dir, "gpt"),
	}
	h := newHost(t, c, t.TempDir())
	var machines []*Machine
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		m, err := h.Machine(name)
		check(t, err)
		machines = append(machines, m)
		file, err := os.Open(images[name])
		check(t, err)
		defer file.Close()
		// A reader that cannot seek, as a download is.
		start := time.Now()
		check(t, m.Boot(ctx, io.MultiReader(file), BootOptions{Hostname: name}))
		t.Logf("%s boots after %s", name, time.Since(start).Round(time.Millisecond))
	}
	for _, m := range machines {
		out, _ := c.run(ctx, t, m, "systemctl is-system-running --wait; hostname")
		if diff := cmp.Diff("running\n"+m.Name(), out); diff != "" {
			t.Error(diff)
		}
	}
	// Each has its own units in its own control group: stopping one's does not end the
	// other's.
	c.run(ctx, t, machines[0], "systemctl stop systemd-logind dbus.socket dbus")
	if out, _ := c.run(ctx, t, machines[1], "systemctl is-active systemd-logind dbus"); out != "active\nactive" {
		t.Errorf("units of the neighbour: %s", out)
	}
	// They reach each other.
	banner := fmt.Sprintf("bash -c 'read -t 3 line < /dev/tcp/%s/22; echo $line'", machines[1].Address())
	if out, _ := c.run(ctx, t, machines[0], banner); !strings.HasPrefix(out, "SSH-2.0") {
		t.Errorf("the neighbour answers %q", out)
	}
}

// partitioned puts an image's file system into the last partition of a disk.
func partitioned(t *testing.T, image, dir, label string) string {
	t.Helper()
	disk := filepath.Join(dir, label+".raw")
	info, err := os.Stat(image)
	check(t, err)
	file, err := os.Create(disk)
	check(t, err)
	defer file.Close()
	check(t, file.Truncate(info.Size()+16<<20))
	table := make([]byte, 64*sector)
	parts := []span{{2048, 2048}, {8192, uint32(info.Size() / sector)}}
	if label == "gpt" {
		putGPT(table, parts...)
	} else {
		putMBR(table, parts...)
	}
	_, err = file.Write(table)
	check(t, err)
	command(t, "dd", "if="+image, "of="+disk, "bs=4M", "seek=4194304", "oflag=seek_bytes", "conv=notrunc,sparse", "status=none")
	return disk
}

func TestNixOSsOwnInitIsFoundWhereItsBootLoaderWouldFindIt(t *testing.T) {
	base := baseImage(t)
	ctx, c, dir := testContext(t, 3*time.Minute), newClient(t), t.TempDir()
	image := filepath.Join(dir, "image.raw")
	command(t, "cp", "--sparse=always", base, image)
	// systemd moves to where only links from the system's profile lead, as on NixOS.
	script := filepath.Join(dir, "init")
	check(t, os.WriteFile(script, []byte("#!/bin/sh\nmkdir -p /run/stage-2\nexec /nix/store/x-systemd/systemd\n"), 0o755))
	command(t, "debugfs", "-w", "-R", "dump /usr/lib/systemd/systemd "+dir+"/systemd", image)
	check(t, os.Chmod(dir+"/systemd", 0o755))
	for _, edit := range []string{
		"rm /usr/sbin/init", "rm /usr/lib/systemd/systemd", "mkdir /nix", "mkdir /nix/store", "mkdir /nix/var",
		"mkdir /nix/var/nix", "mkdir /nix/var/nix/profiles", "mkdir /nix/store/x-systemd", "mkdir /nix/store/x-nixos",
		"write " + dir + "/systemd /nix/store/x-systemd/systemd", "write " + script + " /nix/store/x-nixos/init",
		"symlink /nix/var/nix/profiles/system-1-link /nix/store/x-nixos",
		"symlink /nix/var/nix/profiles/system system-1-link",
	} {
		command(t, "debugfs", "-w", "-R", edit, image)
	}
	m, err := newHost(t, c, t.TempDir()).Machine("web-1")
	check(t, err)
	bootFile(ctx, t, m, image)
	if out, _ := c.run(ctx, t, m, "systemctl is-system-running --wait; readlink /proc/1/exe; ls /run/stage-2"); out != "running\n/nix/store/x-systemd/systemd" {
		t.Errorf("it runs %q", out)
	}
}

func TestStopKeepsTheDiskAndStartBootsIt(t *testing.T) {
	image := baseImage(t)
	ctx, c := testContext(t, 3*time.Minute), newClient(t)
	h := newHost(t, c, t.TempDir())
	m, err := h.Machine("web-1")
	check(t, err)
	bootFile(ctx, t, m, image)
	c.run(ctx, t, m, "echo mine > /root/file; sync")
	check(t, m.Stop(ctx))
	if m.Running() {
		t.Error("it runs after Stop")
	}
	check(t, m.Start(ctx))
	out, _ := c.run(ctx, t, m, "cat /root/file /proc/sys/kernel/random/boot_id")
	file, before, _ := strings.Cut(out, "\n")
	if file != "mine" {
		t.Errorf("the disk was not kept: %q", out)
	}

	// A reboot from inside is a reboot.
	c.run(ctx, t, m, "systemctl reboot --no-block")
	err = until(ctx, func() (bool, error) {
		conn, err := dial(ctx, net.JoinHostPort(m.Address(), "22"), &ssh.ClientConfig{
			User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(c.signer)},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // Not what is tested here.
		})
		if err != nil {
			return false, nil
		}
		defer conn.Close()
		session, err := conn.NewSession()
		if err != nil {
			return false, nil
		}
		after, err := session.Output("cat /proc/sys/kernel/random/boot_id")
		return err == nil && strings.TrimSpace(string(after)) != before, nil
	})
	check(t, err)

	// A machine that switches itself off is off, and its address is given free when
	// it is removed.
	c.run(ctx, t, m, "systemctl poweroff --no-block")
	check(t, until(ctx, func() (bool, error) { return !m.Running(), nil }))
	address := m.Address()
	check(t, m.Remove(ctx))
	next, err := h.Machine("web-2")
	check(t, err)
	if next.Address() != address {
		t.Errorf("the new machine has %s, not the removed one's %s", next.Address(), address)
	}
}

func TestImagesThatCannotBootAreTold(t *testing.T) {
	base := baseImage(t)
	ctx, c, dir := testContext(t, 3*time.Minute), newClient(t), t.TempDir()
	empty := filepath.Join(dir, "empty.raw")
	command(t, "mke2fs", "-q", "-t", "ext4", "-F", empty, "16M")
	noInit, err := os.ReadFile(empty)
	check(t, err)
	m, err := newHost(t, c, t.TempDir()).Machine("web-1")
	check(t, err)
	bootFile(ctx, t, m, base)
	for name, image := range map[string][]byte{
		"no init": noInit, "no disk": []byte("hello"), "empty": {}, "zeros": make([]byte, 1<<20),
		"compressed": {0x1f, 0x8b, 8}, "a damaged qcow2": append([]byte("QFI\xfb\x00\x00\x00\x03"), make([]byte, 512)...),
	} {
		err := m.Boot(ctx, bytes.NewReader(image), BootOptions{})
		t.Logf("%s: %v", name, err)
		if err == nil || name != "a damaged qcow2" && !errors.Is(err, ErrNotBootable) {
			t.Errorf("an image with %s: %v", name, err)
		}
		if m.Running() {
			t.Errorf("the machine runs after an image with %s", name)
		}
	}
	bootFile(ctx, t, m, base)
	c.run(ctx, t, m, "true")
}

// crash is a lab that is killed: it tells its id and address and waits for that.
func crash(dir string) {
	ctx := context.Background()
	h, err := NewHost(ctx, Config{StateDir: filepath.Dir(dir)})
	if err == nil {
		var m *Machine
		if m, err = h.Machine("lost"); err == nil {
			err = m.BootFile(ctx, dir, BootOptions{})
		}
	}
	var id labID
	if h != nil {
		id = h.id
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]string{"id": string(id), "err": fmt.Sprint(err)})
	select {}
}

func TestWhatAKilledLabLeftIsRemovedAndALiveLabIsNot(t *testing.T) {
	base := baseImage(t)
	ctx, c, dir := testContext(t, 3*time.Minute), newClient(t), t.TempDir()
	image := filepath.Join(dir, "image.raw")
	command(t, "cp", "--sparse=always", base, image)

	alive := newHost(t, c, t.TempDir())
	neighbour, err := alive.Machine("neighbour")
	check(t, err)
	bootFile(ctx, t, neighbour, image)

	self, err := os.Executable()
	check(t, err)
	lab := exec.CommandContext(ctx, self)
	lab.Env = append(os.Environ(), "NSPAWN_E2E_CRASH="+image)
	out, err := lab.StdoutPipe()
	check(t, err)
	check(t, lab.Start())
	var told struct{ ID, Err string }
	check(t, json.NewDecoder(out).Decode(&told))
	if told.Err != "<nil>" {
		t.Fatal(told.Err)
	}
	check(t, lab.Process.Kill())
	_ = lab.Wait()
	if found := leftovers(t, labID(told.ID)); len(found) < 5 {
		t.Fatalf("the killed lab left only:\n%s", strings.Join(found, "\n"))
	}

	// Another state directory: the lock file leads to the one of the dead lab.
	newHost(t, c, t.TempDir())
	if found := leftovers(t, labID(told.ID)); len(found) > 0 {
		t.Errorf("left of the killed lab:\n%s", strings.Join(found, "\n"))
	}
	if _, err := os.Stat(filepath.Join(dir, labID(told.ID).name())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the killed lab's directory: %v", err)
	}
	if out, _ := c.run(ctx, t, neighbour, "systemctl is-system-running --wait"); out != "running" {
		t.Errorf("the live lab's machine is %s", out)
	}
}

func TestCloseEndsABootThatIsUnderWay(t *testing.T) {
	ctx, c := testContext(t, 3*time.Minute), newClient(t)
	h := newHost(t, c, t.TempDir())
	m, err := h.Machine("web-1")
	check(t, err)
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- m.Boot(ctx, reader, BootOptions{}) }()
	_, err = writer.Write(make([]byte, 3<<20))
	check(t, err)
	go func() {
		for {
			if _, err := writer.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}()
	check(t, h.Close())
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("Boot ended with %v", err)
	}
	check(t, reader.Close())
	if _, err := h.Machine("web-2"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Machine after Close: %v", err)
	}
}
