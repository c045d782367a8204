package install

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

const debian = `Welcome to db-1!
snowdrop-install v1
os Linux
arch x86_64
kernel 6.1.0-18-amd64
uid 1000
sudo sudo
release PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
release ID=debian
release VERSION_ID="12"
boot 0b1e5ad4-1d5c-4f4c-8f8e-5c1f2b6c2f10
system /nix/store/00000000000000000000000000000000-of-no-nixos
container none
kexec 0
lockdown [none] integrity confidentiality
memory 2012340 kB
device /dev/disk/by-id/virtio-main
is /dev/vda
device /dev/sdz
disk {"blockdevices": [
disk   {"name":"vda","type":"disk","size":53687091200,"model":null,"fstype":null,"mountpoints":[null],
disk    "children":[{"name":"vda1","type":"part","size":53000000000,"model":null,"fstype":"ext4","mountpoints":["/"]}]},
disk   {"name":"sr0","type":"rom","size":1073741312,"model":"QEMU DVD-ROM","fstype":null,"mountpoints":[null]},
disk   {"name":"zram0","type":"disk","size":0,"model":null,"fstype":null,"mountpoints":["[SWAP]"]}
disk ]}
key ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLh7PSyZ4tnhdYGaDHu5eg1LjVyGqPvLV2FAuCuNzYx root@db-1
a-word-of-a-later-version with a value
end
`

func TestAnAnswerIsRead(t *testing.T) {
	t.Parallel()
	got, err := parse(debian)
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{
		OS: "Linux", Arch: "x86_64", Kernel: "6.1.0-18-amd64", Distribution: "Debian GNU/Linux 12 (bookworm)", ID: "debian",
		BootID: "0b1e5ad4-1d5c-4f4c-8f8e-5c1f2b6c2f10", Sudo: "sudo", Memory: 2012340 << 10,
		Disks:    []Disk{{Device: "/dev/vda", Size: 53687091200, Holds: []string{"vda1 ext4 on /"}}},
		Devices:  map[string]string{"/dev/disk/by-id/virtio-main": "/dev/vda", "/dev/sdz": ""},
		HostKeys: []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBLh7PSyZ4tnhdYGaDHu5eg1LjVyGqPvLV2FAuCuNzYx root@db-1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change []string // old, new, …
		is     func(Facts) bool
	}{
		"an installer of NixOS": {
			[]string{"ID=debian\n", "ID=nixos\nrelease VARIANT_ID=installer\n"},
			func(f Facts) bool { return f.Installer && strings.HasPrefix(f.System, "/nix/store/") },
		},
		"an installer of another": {
			[]string{"ID=debian\n", "ID=fedora\nrelease VARIANT_ID=installer\n"},
			func(f Facts) bool { return !f.Installer },
		},
		"quotes in os-release":    {[]string{"ID=debian", `ID="nixos"`}, func(f Facts) bool { return f.ID == "nixos" }},
		"CRLF":                    {[]string{"\n", "\r\n"}, func(f Facts) bool { return f.OS == "Linux" && f.Memory > 0 && len(f.Disks) == 1 }},
		"a container":             {[]string{"container none", "container lxc"}, func(f Facts) bool { return f.Container == "lxc" }},
		"a container's silence":   {[]string{"container none", "container "}, func(f Facts) bool { return f.Container == "" }},
		"kexec switched off":      {[]string{"kexec 0", "kexec 1"}, func(f Facts) bool { return strings.Contains(f.KexecOff, "kexec_load_disabled=1") }},
		"no kexec in the kernel":  {[]string{"kexec 0", "kexec none"}, func(f Facts) bool { return strings.Contains(f.KexecOff, "CONFIG_KEXEC") }},
		"lockdown":                {[]string{"[none] integrity", "none [integrity]"}, func(f Facts) bool { return strings.Contains(f.KexecOff, "Secure Boot") }},
		"memory in words":         {[]string{"2012340 kB", "much"}, func(f Facts) bool { return f.Memory == 0 }},
		"memory beyond all there": {[]string{"2012340 kB", "9223372036854775807 kB"}, func(f Facts) bool { return f.Memory == 0 }},
		"lsblk that is cut off":   {[]string{"disk ]}\n", ""}, func(f Facts) bool { return f.Disks == nil && strings.Contains(f.DisksUnknown, "lsblk") }},
		"no lsblk":                {[]string{"key ssh", "nodisk it has no lsblk\nkey ssh"}, func(f Facts) bool { return f.DisksUnknown == "it has no lsblk" }},
		"a terminal's commands": {
			[]string{"GNU/Linux", "GNU\x1b[8m/Linux", `"mountpoints":["/"]`, `"mountpoints":["/\u001b[8m\u202e"]`},
			func(f Facts) bool { return !strings.ContainsAny(f.String()+f.Disks[0].String(), "\x1b\u202e") },
		},
		"a list without entries": {[]string{`"mountpoints":["/"]`, `"mountpoints":[]`}, func(f Facts) bool { return f.Disks[0].Holds[0] == "vda1 ext4" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.NewReplacer(tc.change...).Replace(debian)
			if text == debian {
				t.Fatal("nothing is odd about it")
			}
			f, err := parse(text)
			if err != nil || !tc.is(f) {
				t.Errorf("%+v, %v", f, err)
			}
		})
	}
	for _, text := range []string{"", "end\n", "snowdrop-install v1\nos Linux\n", strings.TrimSuffix(debian, "end\n"), "bash: sh: not found"} {
		if _, err := parse(text); !errors.Is(err, errIncomplete) {
			t.Errorf("%.40q is taken for an answer: %v", text, err)
		}
	}
}

// TestDisksOfEveryLsblk: sizes in quotes and one mount point are of util-linux
// before 2.33 and 2.37.
func TestDisksOfEveryLsblk(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"older": {
			`{"blockdevices":[{"name":"sda","type":"disk","size":"500107862016","model":"Samsung SSD  ","fstype":null,"mountpoint":null,
			"children":[{"name":"sda1","type":"part","size":"536870912","model":null,"fstype":"vfat","mountpoint":"/boot"}]}]}`,
			[]string{"/dev/sda, 500.1 GB, Samsung SSD: sda1 vfat on /boot"},
		},
		"a mirror of two with LVM": {
			`{"blockdevices":[
			{"name":"sda","type":"disk","size":1000,"children":[{"name":"md0","type":"raid1","fstype":"LVM2_member","size":900,"mountpoints":[null],
			 "children":[{"name":"vg-root","type":"lvm","size":800,"fstype":"xfs","mountpoints":["/","/nix"]}]}]},
			{"name":"sdb","type":"disk","size":1000,"fstype":"linux_raid_member"}]}`,
			[]string{"/dev/sda, 1 kB: md0 LVM2_member; vg-root xfs on /, /nix", "/dev/sdb, 1 kB: sdb linux_raid_member"},
		},
		"an empty one":  {`{"blockdevices":[{"name":"nvme0n1","type":"disk","size":4000787030016,"model":"X"},{"name":"fd0","type":"disk","size":0}]}`, []string{"/dev/nvme0n1, 4 TB, X: no file system"}},
		"none":          {`{"blockdevices":[]}`, nil},
		"no size":       {`{"blockdevices":[{"name":"sda","type":"disk","size":null}]}`, nil},
		"not a number":  {`{"blockdevices":[{"name":"sda","type":"disk","size":"40G"}]}`, []string{"error"}},
		"no JSON":       {`lsblk: unknown column: MOUNTPOINTS`, []string{"error"}},
		"nothing at al": {``, []string{"error"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disks, err := parseDisks(tc.text)
			var got []string
			for _, d := range disks {
				got = append(got, d.String())
			}
			if err != nil {
				got = []string{"error"}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatKeepsAHostFromBeingInstalled(t *testing.T) {
	t.Parallel()
	all := anywhere.Phases()
	later := []anywhere.Phase{anywhere.Disko, anywhere.Install, anywhere.Reboot}
	good := func() Facts {
		f, err := parse(debian)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	for name, tc := range map[string]struct {
		change   func(*Facts)
		want     Want
		faults   []string
		cautions []string
	}{
		"nothing": {nil, Want{Phases: all, Platform: "x86_64-linux", Devices: []string{"/dev/disk/by-id/virtio-main"}}, nil, nil},
		"nothing, of an installer": {
			func(f *Facts) {
				*f = Facts{OS: "Linux", Arch: "riscv64", ID: "nixos", Installer: true, Root: true, Missing: []string{"cpio"}}
			},
			Want{Phases: later},
			nil, nil,
		},
		"all at once": {
			func(f *Facts) {
				f.Sudo, f.Container, f.KexecOff, f.Memory, f.Missing = "", "docker", "reason", 512<<20, []string{"cpio", "setsid"}
			},
			Want{Phases: all, Platform: "aarch64-linux", Devices: []string{"/dev/sdz", "/dev/unknown"}},
			[]string{
				"NOPASSWD", "container (docker)", "it is x86_64-linux, and the configuration is for aarch64-linux", "cannot start another one: reason",
				"cpio, setsid", "536.9 MB of memory", "no /dev/sdz, which the configuration's disko.devices formats; it has /dev/vda", "no /dev/unknown",
			},
			nil,
		},
		"another Unix":          {func(f *Facts) { f.OS = "FreeBSD" }, Want{Phases: all}, []string{"it runs FreeBSD"}, nil},
		"a rare machine":        {func(f *Facts) { f.Arch = "riscv64" }, Want{Phases: all, Platform: "riscv64-linux"}, []string{"there is an installer for"}, nil},
		"a user of a kexec'd":   {func(f *Facts) { f.Installer = true }, Want{Phases: later}, []string{"logs in as root"}, nil},
		"no kexec before":       {func(f *Facts) { f.Root = true }, Want{Phases: later}, []string{"not the NixOS installer"}, nil},
		"little memory":         {func(f *Facts) { f.Memory = 1000 << 20 }, Want{Phases: all}, nil, []string{"1 GB of memory"}},
		"memory that is secret": {func(f *Facts) { f.Memory = 0 }, Want{Phases: all}, nil, []string{"memory"}},
		"disks that are secret": {func(f *Facts) { f.Disks, f.DisksUnknown = nil, "it has no lsblk" }, Want{Phases: all}, nil, []string{"it has no lsblk"}},
		"disks that may change": {
			func(f *Facts) {
				f.Disks = append(f.Disks, Disk{Device: "/dev/vdb"})
				f.Devices = map[string]string{"/dev/vda": "/dev/vda", "/dev/disk/by-id/two": "/dev/vdb"}
			},
			Want{Phases: all, Devices: []string{"/dev/vda", "/dev/disk/by-id/two"}},
			nil,
			[]string{"may give /dev/vda to another of its 2 disks"},
		},
		"a disk not formatted": {nil, Want{Phases: []anywhere.Phase{anywhere.Kexec}, Devices: []string{"/dev/sdz"}}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := good()
			if tc.change != nil {
				tc.change(&f)
			}
			faults, cautions := Judge(f, tc.want)
			var said []string
			for _, err := range faults {
				said = append(said, err.Error())
			}
			for what, pair := range map[string][2][]string{"faults": {said, tc.faults}, "cautions": {cautions, tc.cautions}} {
				if len(pair[0]) != len(pair[1]) {
					t.Fatalf("%s: %q", what, pair[0])
				}
				for i, words := range pair[1] {
					if !strings.Contains(pair[0][i], words) {
						t.Errorf("%s: %q lacks %q", what, pair[0][i], words)
					}
				}
			}
		})
	}
}

func TestWhichDisksAreWiped(t *testing.T) {
	t.Parallel()
	f, err := parse(debian)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		want    Want
		disks   int
		certain bool
	}{
		"the one that disko names":     {Want{Phases: anywhere.Phases(), Devices: []string{"/dev/disk/by-id/virtio-main"}}, 1, true},
		"all, where it names none":     {Want{Phases: anywhere.Phases()}, 1, false},
		"none without the phase disko": {Want{Phases: []anywhere.Phase{anywhere.Kexec, anywhere.Install}}, 0, true},
	} {
		disks, certain := Wiped(f, tc.want)
		if len(disks) != tc.disks || certain != tc.certain {
			t.Errorf("%s: %v, %v", name, disks, certain)
		}
	}
}

// TestTheScriptRunsHere asks this very machine over SSH.
func TestTheScriptRunsHere(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	server := sshtest.Start(t, sshtest.Options{Handler: sshtest.Shell()})
	_, key := sshtest.NewPrivateKey(t)
	d, err := remote.New(remote.Config{Identity: &fleet.Source{Env: "KEY"}, Env: func(name string) string {
		if name == "KEY" {
			return key
		}
		return ""
	}})
	if err != nil {
		t.Fatal(err)
	}
	odd := filepath.Join(t.TempDir(), `it's a "disk" $HOME`)
	if err := os.WriteFile(odd, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	target := remote.Target{Name: "here", Address: server.Host, Port: server.Port, Keys: remote.HostKeys{Known: []string{server.HostKey()}}}
	f, err := Look(t.Context(), d, target, []string{odd, "/dev/no-such-disk"})
	if err != nil {
		t.Fatal(err)
	}
	uname, _ := exec.CommandContext(t.Context(), "uname", "-sm").Output()
	if strings.TrimSpace(string(uname)) != f.OS+" "+f.Arch || f.Trust != remote.Known || f.HostKeys[0] != server.HostKey() {
		t.Errorf("%+v", f)
	}
	real, _ := filepath.EvalSymlinks(odd)
	if len(f.Devices) != 2 || f.Devices[odd] != real || f.Devices["/dev/no-such-disk"] != "" {
		t.Errorf("devices: %q", f.Devices)
	}
	if runtime.GOOS == "linux" && (f.BootID == "" || f.Memory == 0 || f.ID == "") {
		t.Errorf("%+v", f)
	}
}

func TestAnAnswerThatIsNotWholeSaysWhatWasSaid(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, sshtest.Options{Handler: func(_ context.Context, _ string, _ io.Reader, _, stderr io.Writer) int {
		_, _ = io.WriteString(stderr, "This account is currently not available.\n")
		return 1
	}})
	_, key := sshtest.NewPrivateKey(t)
	d, err := remote.New(remote.Config{Env: func(name string) string { return map[string]string{"SSH_PRIVATE_KEY": key}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Look(t.Context(), d, remote.Target{Name: "db-1", Address: server.Host, Port: server.Port}, nil)
	if !errors.Is(err, errIncomplete) || !strings.Contains(err.Error(), "not available") || !strings.Contains(err.Error(), "db-1") {
		t.Errorf("%v", err)
	}
}

func TestHostKeysAmongTheExtraFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "extra [files]")
	folder := filepath.Join(dir, "etc", "ssh")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if keys, err := HostKeysIn(dir); err != nil || len(keys) > 0 {
		t.Errorf("without any: %v, %v", keys, err)
	}
	alone, text := sshtest.NewPrivateKey(t)
	both, other := sshtest.NewPrivateKey(t)
	for name, text := range map[string]string{
		"ssh_host_ed25519_key": text, "ssh_host_rsa_key": other, "ssh_host_rsa_key.pub": sshtest.Line(alone.PublicKey()) + " of a key before\n",
		"ssh_host_ecdsa_key.pub": "of no key",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := HostKeysIn(dir)
	if diff := cmp.Diff([]string{sshtest.Line(alone.PublicKey()), sshtest.Line(both.PublicKey())}, keys); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if runtime.GOOS != "windows" {
		shared := filepath.Join(folder, "ssh_host_rsa_key")
		if err := os.Chmod(shared, 0o640); err != nil { // as git or a copy may leave it; sshd refuses it
			t.Fatal(err)
		}
		if _, err := HostKeysIn(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a key that others may read: %v", err)
		}
		if err := os.Chmod(shared, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "ssh_host_dsa_key"), []byte("secret-of-a-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := HostKeysIn(dir); err == nil || strings.Contains(err.Error(), "secret-of-a-key") {
		t.Errorf("%v", err)
	}
}
