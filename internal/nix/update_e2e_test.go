//go:build e2e

package nix

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRealInputsAreUpdatedInAFolderOfARepository updates a flake that lies below the
// top of a repository, as git's own inputs of it move.
func TestRealInputsAreUpdatedInAFolderOfARepository(t *testing.T) {
	dir := t.TempDir()
	git := func(repo string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = filepath.Join(dir, repo)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("", "init", "-q", "input")
	write(t, filepath.Join(dir, "input"), "flake.nix", "{ outputs = { self }: { }; }")
	git("input", "add", ".")
	git("input", "commit", "-q", "-m", "1")
	git("", "init", "-q", "fleet")
	below := filepath.Join(dir, "fleet", "nix")
	if err := os.Mkdir(below, 0o700); err != nil {
		t.Fatal(err)
	}
	address := "git+file://" + filepath.Join(dir, "input")
	write(t, below, "flake.nix", `{ inputs.one.url = "`+address+`"; inputs.two.url = "`+address+`"; outputs = { self, one, two }: { }; }`)
	git("fleet", "add", ".")
	c := realNix(t, below)
	locked := func() Lock {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(below, "flake.lock"))
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseLock(data)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	moved := func(former Lock) []string {
		own, _ := locked().Since(former)
		names := []string{}
		for _, m := range own {
			names = append(names, m.Input)
		}
		return names
	}
	if err := c.Update(t.Context(), below, nil, Progress{}); err != nil {
		t.Fatal(err)
	}
	first := locked()
	if diff := cmp.Diff([]string{"one", "two"}, first.Names()); diff != "" {
		t.Error(diff)
	}
	git("input", "commit", "-q", "--allow-empty", "-m", "2")
	if err := c.Update(t.Context(), below, []string{"two"}, Progress{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"two"}, moved(first)); diff != "" {
		t.Error(diff)
	}
	if err := c.Update(t.Context(), below, nil, Progress{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one", "two"}, moved(first)); diff != "" {
		t.Error(diff)
	}
}
