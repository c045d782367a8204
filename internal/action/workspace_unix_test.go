//go:build unix

package action

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestWhatWasWrittenIsGivenBackToTheWorkspacesOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away; CI's end-to-end run is root")
	}
	const runner = 1001
	outside, workspace := t.TempDir(), filepath.Join(t.TempDir(), "w")
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.Mkdir(workspace, 0o755))
	check(os.WriteFile(filepath.Join(outside, "passwd"), nil, 0o600))
	long := time.Now().Add(-time.Hour)
	for _, name := range []string{"old", "theirs", "new"} {
		check(os.WriteFile(filepath.Join(workspace, name), nil, 0o600))
	}
	check(os.Chtimes(filepath.Join(workspace, "old"), long, long))
	check(os.Chown(filepath.Join(workspace, "theirs"), 1002, 1002))
	check(os.Symlink(filepath.Join(outside, "passwd"), filepath.Join(workspace, "link")))
	check(os.Symlink(outside, filepath.Join(workspace, "folder")))
	check(os.Lchown(workspace, runner, runner))
	check(giveBack(workspace, time.Now()))
	for name, want := range map[string]uint32{
		filepath.Join(workspace, "old"): 0, filepath.Join(workspace, "theirs"): 1002, filepath.Join(workspace, "new"): runner,
		filepath.Join(workspace, "link"): runner, filepath.Join(workspace, "folder"): runner, filepath.Join(outside, "passwd"): 0,
	} {
		info, err := os.Lstat(name)
		check(err)
		if got := info.Sys().(*syscall.Stat_t).Uid; got != want {
			t.Errorf("%s belongs to %d, want %d", name, got, want)
		}
	}
}
