package image_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/image"
)

func TestFindTheOneImageOfAnOutput(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files []string
		want  string // relative to the output
		err   error
	}{
		"older name":              {files: []string{"nixos.qcow2.gz", "nix-support/hydra-build-products"}, want: "nixos.qcow2.gz"},
		"newer name":              {files: []string{"nixos-image-digital-ocean-25.05-x86_64-linux.qcow2.gz"}, want: "nixos-image-digital-ocean-25.05-x86_64-linux.qcow2.gz"},
		"uncompressed":            {files: []string{"nixos.img"}, want: "nixos.img"},
		"below a directory":       {files: []string{"image/nixos.raw.bz2", "image/README"}, want: "image/nixos.raw.bz2"},
		"only in nix-support":     {files: []string{"nix-support/x.qcow2"}, err: image.ErrNoImage},
		"nothing":                 {err: image.ErrNoImage},
		"a system, not an image":  {files: []string{"activate", "bin/switch-to-configuration", "init", "nixos-version"}, err: image.ErrNoImage},
		"several":                 {files: []string{"a.qcow2", "b.vmdk"}, err: image.ErrSeveralImages},
		"compressed in a bad way": {files: []string{"nixos.qcow2.zst"}, err: image.ErrCompression},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := output(t, test.files...)
			got, err := image.Find(dir)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				golden(t, "find "+strings.ReplaceAll(name, ",", ""), dir, err.Error())
				return
			}
			if want := filepath.Join(dir, test.want); got != want {
				t.Errorf("found %s, want %s", got, want)
			}
		})
	}
}

func output(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		path := filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAnOutputThatIsTheFileItself(t *testing.T) {
	t.Parallel()
	path := filepath.Join(output(t, "abc-nixos.qcow2"), "abc-nixos.qcow2")
	if got, err := image.Find(path); got != path || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := image.Find(filepath.Join(output(t, "abc-nixos.iso"), "abc-nixos.iso")); !errors.Is(err, image.ErrNoImage) {
		t.Errorf("an ISO: %v", err)
	}
	if _, err := image.Find(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent path: %v", err)
	}
}

func TestLinksToOneFileCountOnce(t *testing.T) {
	t.Parallel()
	dir := output(t, "nixos.qcow2")
	if err := os.Symlink("nixos.qcow2", filepath.Join(dir, "latest.qcow2")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "result")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	got, err := image.Find(link)
	if err != nil || filepath.Dir(got) != link {
		t.Errorf("got %q, %v", got, err)
	}
}
