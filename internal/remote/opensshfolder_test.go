//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package remote_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/remote/sshtest"
)

// holding has this test program make a private folder, say so, and wait to be killed.
const holding = "SNOWDROP_TEST_HOLDS_FOLDER"

func TestMain(m *testing.M) {
	if os.Getenv(holding) == "" {
		os.Exit(m.Run())
	}
	if _, err := folder(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

// folder is a private folder for a host that nobody connects to.
func folder(ctx context.Context) (*remote.OpenSSH, error) {
	d, err := remote.New(remote.Config{Env: os.Getenv})
	if err != nil {
		return nil, err
	}
	return d.OpenSSH(ctx, remote.Target{
		Name: "web-1", Address: "192.0.2.1", Identity: &fleet.Source{Env: "SNOWDROP_TEST_KEY"},
		Keys: remote.HostKeys{Policy: fleet.Strict, Known: []string{os.Getenv("SNOWDROP_TEST_HOST_KEY")}},
	})
}

func TestWhatAKilledProcessLeftIsRemovedByTheNextOne(t *testing.T) {
	parent := t.TempDir()
	t.Setenv("TMPDIR", parent)
	_, private := sshtest.NewPrivateKey(t)
	t.Setenv("SNOWDROP_TEST_KEY", private)
	t.Setenv("SNOWDROP_TEST_HOST_KEY", sshtest.Line(sshtest.NewKey(t).PublicKey()))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := exec.CommandContext(t.Context(), self) //nolint:gosec // this program
	other.Env = append(os.Environ(), holding+"=1")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("%q, %v", line, err)
	}
	folders := func() []string {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(parent, "snowdrop-ssh-*"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	left := folders()
	if len(left) != 1 {
		t.Fatalf("it has %v", left)
	}
	// Nothing of these is an abandoned folder of ours.
	for name, mode := range map[string]os.FileMode{"snowdrop-ssh-1": 0o755, "snowdrop-ssh-mine": 0o700, "snowdrop-ssh-2": 0o700} {
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, mode); err != nil { //nolint:gosec // that is what is tested
			t.Fatal(err)
		}
		if name == "snowdrop-ssh-2" {
			continue // one that has no lock: it was just made
		}
		if err := os.WriteFile(filepath.Join(dir, "lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(left[0], filepath.Join(parent, "snowdrop-ssh-3")); err != nil {
		t.Fatal(err)
	}
	kept := folders()

	mine, err := folder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(folders()); n != len(kept)+1 {
		t.Errorf("there are %d folders while the other lives, of %d and mine", n, len(kept))
	}
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = other.Wait()
	_ = in.Close()
	again, err := folder(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left[0]); !os.IsNotExist(err) {
		t.Errorf("what was left is there yet: %v", err)
	}
	if n := len(folders()); n != len(kept)+1 { // mine and the other new one, without what was left
		t.Errorf("there are %d folders: %v", n, folders())
	}
	for _, o := range []*remote.OpenSSH{mine, again} {
		if _, err := os.Stat(o.Config()); err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if err := o.Close(); err != nil {
			t.Errorf("the second time: %v", err)
		}
	}
	if n := len(folders()); n != len(kept)-1 {
		t.Errorf("there are %d folders in the end: %v", n, folders())
	}
}
