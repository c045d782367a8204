package nspawn

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// system lays out what labs and others left on a system, in a directory.
func system(t *testing.T, files map[string]string) traces {
	t.Helper()
	dir := t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	return traces{
		locks: at("locks"), cgroups: []string{at("unified"), at("systemd")}, namespaces: at("netns"),
		links: at("net"), propagate: at("propagate"), mountinfo: at("mountinfo"), stateDirs: []string{at("state")},
	}
}

func TestEverythingOfALabIsFoundAndNothingElse(t *testing.T) {
	t.Parallel()
	tr := system(t, map[string]string{
		"mountinfo":                            "30 21 7:0 / /data/snowdrop-lab-a1b2c3/2/root rw - ext4 /dev/loop0 rw\n31 21 7:1 / /home rw - ext4 /dev/vdb rw\n",
		"locks/snowdrop-lab-a1b2c3.lock":       `{"pid":12,"dir":"/data/snowdrop-lab-a1b2c3"}`,
		"locks/lock":                           "",
		"unified/snowdrop-lab-a1b2c3-2/x":      "",
		"unified/user.slice/x":                 "",
		"systemd/snowdrop-lab-a1b2c3-2/x":      "",
		"netns/snowdrop-lab-a1b2c3-2":          "",
		"netns/vpn":                            "",
		"net/sdl-a1b2c3/ifalias":               "snowdrop-lab-a1b2c3\n",
		"net/sdl-ffffff/ifalias":               "someone else's\n",
		"net/eth0/ifalias":                     "",
		"propagate/snowdrop-lab-a1b2c3-2/x":    "",
		"state/snowdrop-lab-0d0d0d/2/disk.raw": "",
		"state/snowdrop-lab-mine/x":            "",
		"state/important/x":                    "",
	})
	got, err := tr.find()
	if err != nil {
		t.Fatal(err)
	}
	want := map[labID]*found{
		"a1b2c3": {
			lock:       filepath.Join(tr.locks, "snowdrop-lab-a1b2c3.lock"),
			dirs:       []string{"/data/snowdrop-lab-a1b2c3"},
			cgroups:    []string{"snowdrop-lab-a1b2c3-2", "snowdrop-lab-a1b2c3-2"},
			namespaces: []string{"snowdrop-lab-a1b2c3-2"},
			links:      []string{"sdl-a1b2c3"},
			propagate:  []string{filepath.Join(tr.propagate, "snowdrop-lab-a1b2c3-2")},
			mounts:     []string{"/data/snowdrop-lab-a1b2c3/2/root"},
		},
		// What a reboot of the system leaves: only files.
		"0d0d0d": {
			lock: filepath.Join(tr.locks, "snowdrop-lab-0d0d0d.lock"),
			dirs: []string{filepath.Join(tr.stateDirs[0], "snowdrop-lab-0d0d0d")},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(found{})); diff != "" {
		t.Error(diff)
	}
}

func TestADamagedLockFileLeadsToNoDirectory(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":              "",
		"no JSON":            "12",
		"a relative path":    `{"dir":"snowdrop-lab-a1b2c3"}`,
		"someone's files":    `{"dir":"/home"}`,
		"another lab's":      `{"dir":"/data/snowdrop-lab-ffffff"}`,
		"a way out by dots":  `{"dir":"/data/snowdrop-lab-a1b2c3/.."}`,
		"the root directory": `{"dir":"/"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "snowdrop-lab-a1b2c3.lock")
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if dir, ok := lockedDir(path); ok {
				t.Errorf("it leads to %s", dir)
			}
		})
	}
}
