package knownhosts_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/versatus/snowdrop/internal/knownhosts"
)

func open(t *testing.T, path string) knownhosts.File {
	t.Helper()
	f, err := knownhosts.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func to(text string) func([]byte) ([]byte, error) {
	return func([]byte) ([]byte, error) { return []byte(text), nil }
}

func TestUpdateKeepsModeLinkAndBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "dotfiles"), filepath.Join(dir, "known_hosts")
	write(t, real, "old\n", 0o640)
	if err := os.Symlink("dotfiles", link); err != nil {
		t.Skip(err)
	}
	f := open(t, link)
	if err := f.Update(t.Context(), to("new\n")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(real)
	if err != nil || read(t, link) != "new\n" || read(t, f.Backup()) != "old\n" {
		t.Errorf("file %q, backup %q, %v", read(t, link), read(t, f.Backup()), err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	if to, err := os.Readlink(link); err != nil || to != "dotfiles" {
		t.Errorf("the link leads to %q, %v", to, err)
	}
	if err := os.Remove(f.Backup()); err != nil {
		t.Fatal(err)
	}
	if err := f.Update(t.Context(), to("new\n")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("an update without a change left %v, %v", entries, err)
	}
}

func TestUpdateMakesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".ssh", "known_hosts")
	f := open(t, path)
	if err := f.Update(t.Context(), to("new\n")); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if _, err := os.Stat(f.Backup()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a backup of nothing: %v", err)
	}
}

func TestUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "known_hosts")
	write(t, path, "", 0o600)
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			f, err := knownhosts.Open(path)
			if err == nil {
				err = f.Update(t.Context(), func(text []byte) ([]byte, error) {
					return fmt.Appendf(text, "line %d\n", i), nil
				})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if text := read(t, path); strings.Count(text, "line ") != 8 {
		t.Errorf("left are: %s", text)
	}

	calls := 0
	err := open(t, path).Update(t.Context(), func(text []byte) ([]byte, error) {
		if calls++; calls == 1 { // ssh, which asks for no lock
			write(t, path, string(text)+"of ssh\n", 0o600)
		}
		return append(text, "ours\n"...), nil
	})
	if text := read(t, path); err != nil || !strings.HasSuffix(text, "of ssh\nours\n") {
		t.Errorf("%v, left are: %s", err, text)
	}
}

func TestUpdateThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "known_hosts")
	write(t, path, "old\n", 0o600)
	broken := errors.New("broken")
	if err := open(t, path).Update(t.Context(), func([]byte) ([]byte, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := open(t, path).Update(t.Context(), func(text []byte) ([]byte, error) {
		cancel()
		if err := open(t, path).Update(ctx, to("x")); !errors.Is(err, context.Canceled) {
			t.Errorf("under another's lock: %v", err)
		}
		return text, nil
	})
	if entries, _ := os.ReadDir(dir); err != nil || len(entries) != 1 || read(t, path) != "old\n" {
		t.Errorf("%v, left are %v", err, entries)
	}
	if _, err := knownhosts.Open(dir); err == nil {
		t.Error("a folder was taken")
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err == nil {
		if _, err := knownhosts.Open(loop); err == nil {
			t.Error("a link to itself was taken")
		}
	}
}
