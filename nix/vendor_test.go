package nix_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nixpkgs builds Go programs with the modules as `go mod vendor` lays them out, and wants
// that tree's hash beforehand. A change of go.mod, or a package of a module that nothing
// imported before, changes it: go test ./nix -run VendorHash -update.
func TestVendorHashIsThatOfTheModules(t *testing.T) {
	t.Parallel()
	// The test's result is not to be taken from the cache when these have changed.
	for _, name := range []string{"go.mod", "go.sum"} {
		if _, err := os.ReadFile(filepath.Join("..", name)); err != nil {
			t.Fatal(err)
		}
	}
	vendor := filepath.Join(t.TempDir(), "vendor")
	cmd := exec.CommandContext(t.Context(), "go", "mod", "vendor", "-o", vendor)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("the modules of other systems are not at hand: %v\n%s", err, out)
		}
		t.Fatalf("go mod vendor: %v\n%s", err, out)
	}
	hash := sha256.New()
	archive{hash, t}.write(vendor)
	got := "sha256-" + base64.StdEncoding.EncodeToString(hash.Sum(nil))

	if *update {
		if err := os.WriteFile("vendor-hash", []byte(got+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("vendor-hash")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != got {
		t.Errorf("vendor-hash is %s, the modules have %s: run go test ./nix -run VendorHash -update", want, got)
	}
	if _, err := exec.LookPath("nix"); err != nil {
		return
	}
	if nix := strings.TrimSpace(must(t, "nix", "hash", "path", vendor)); nix != got {
		t.Errorf("Nix has %s for it, this test %s", nix, got)
	}
}

// archive writes a tree in Nix's archive format (NAR), of which Nix takes the hash. See
// "The Purely Functional Software Deployment Model", figure 5.2.
type archive struct {
	to io.Writer
	t  *testing.T
}

func (a archive) write(path string) {
	a.word("nix-archive-1")
	a.node(path)
}

func (a archive) node(path string) {
	info, err := os.Lstat(path)
	a.must(err)
	a.word("(")
	a.word("type")
	switch {
	case info.IsDir():
		a.word("directory")
		entries, err := os.ReadDir(path) // sorted
		a.must(err)
		for _, e := range entries {
			a.words("entry", "(", "name", e.Name(), "node")
			a.node(filepath.Join(path, e.Name()))
			a.word(")")
		}
	case info.Mode().IsRegular():
		a.word("regular")
		if info.Mode()&0o100 != 0 {
			a.words("executable", "")
		}
		data, err := os.ReadFile(path)
		a.must(err)
		a.words("contents", string(data))
	default:
		a.t.Fatalf("%s: a vendored tree has no %s", path, info.Mode().Type())
	}
	a.word(")")
}

func (a archive) words(all ...string) {
	for _, w := range all {
		a.word(w)
	}
}

// word is a string: its length, itself, and zeros up to eight bytes.
func (a archive) word(text string) {
	a.must(binary.Write(a.to, binary.LittleEndian, uint64(len(text))))
	_, err := io.WriteString(a.to, text+strings.Repeat("\x00", (8-len(text)%8)%8))
	a.must(err)
}

func (a archive) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}
