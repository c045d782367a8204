// Package nix_test keeps the NixOS module, the package and the flake right, as far as
// that can be seen without nixpkgs and without a network. It needs Nix, and is skipped
// where there is none, or none that the user may use.
package nix_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files and the vendor hash")

// run runs a program of Nix, with flakes. It returns both of what it prints.
func run(t *testing.T, program string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("Nix is not installed: %v", err)
	}
	if os.Geteuid() > 0 { // a store of root's alone
		if out, err := exec.CommandContext(t.Context(), "nix-instantiate", "--eval", "-E", "1").CombinedOutput(); err != nil {
			t.Skipf("Nix cannot be used here: %v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "NIX_CONFIG=experimental-features = nix-command flakes")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// must is run for what has to work.
func must(t *testing.T, program string, args ...string) string {
	t.Helper()
	out, errs, err := run(t, program, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, errs)
	}
	return out
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-golden +got)\n%s", file, diff)
	}
}

func TestEveryNixFileIsRightInItsSyntax(t *testing.T) {
	t.Parallel()
	var files []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && len(d.Name()) > 2 && d.Name()[0] == '.':
			return fs.SkipDir // the repository's own, and tools
		case d.IsDir() && path == filepath.Join("..", "internal", "nix", "testdata"):
			return fs.SkipDir // wrong on purpose
		case filepath.Ext(path) == ".nix":
			files = append(files, path)
		}
		return nil
	})
	if err != nil || len(files) < 10 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		must(t, "nix-instantiate", "--parse", file)
	}
}
