package contract

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// SpecFile is the path of a vendor's description, such as "digitalocean.json".
// It looks in SNOWDROP_SPECS, by default in ../shared/specs seen from the
// project's root, and skips the test where there is none: the descriptions are
// the vendors' and are not copied into the project.
func SpecFile(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SNOWDROP_SPECS")
	if dir == "" {
		dir = filepath.Join(projectRoot(t), "..", "shared", "specs")
	}
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) { //nolint:gosec // whoever runs the tests says where
		t.Skipf("no API description at %s: set SNOWDROP_SPECS to the folder that holds %s", file, name)
	} else if err != nil {
		t.Fatalf("look at the API description %s: %v", file, err)
	}
	return file
}

func projectRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("find the project's root: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("find the project's root: no go.mod above this package")
		}
		dir = parent
	}
}
