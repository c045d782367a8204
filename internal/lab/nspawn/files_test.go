package nspawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinksOfAnImageAreFollowedInsideOfIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, target := range map[string]string{
		"sbin": "usr/sbin", "usr/sbin/init": "/lib/systemd", "lib": "../../usr/lib", "loop": "loop",
		"nix/profiles/system": "system-1-link", "nix/profiles/system-1-link": "/nix/store/x-nixos",
		"escape": "../../../../etc/passwd", "root": "/nix",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]string{
		"sbin/init": "usr/lib/systemd", "/nix/profiles/system/init": "nix/store/x-nixos/init", "escape": "etc/passwd",
		"root/.ssh": "nix/.ssh", "not/there": "not/there", "": ".", "..": ".",
	} {
		got, err := resolve(root, name)
		if err != nil || got != want {
			t.Errorf("%q leads to %q, %v; want %q", name, got, err, want)
		}
	}
	if got, err := resolve(root, "loop"); err == nil {
		t.Errorf("a loop leads to %q", got)
	}
}

func TestACopyIsTheSameWithHolesInIt(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{
		"nothing": 0, "a byte": 1, "zeros at the end": 3*copyBuffer + 17, "a full buffer": copyBuffer,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			content := make([]byte, size)
			for i := 0; i < size/2; i += 3*hole + 1 {
				content[i] = byte(i + 1)
			}
			file, err := os.Create(filepath.Join(t.TempDir(), "disk"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			n, err := copySparse(t.Context(), file, bytes.NewReader(content))
			if err != nil || n != int64(size) {
				t.Fatalf("copied %d bytes, %v", n, err)
			}
			got, err := os.ReadFile(file.Name())
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("the copy of %d bytes differs (%d, %v)", size, len(got), err)
			}
		})
	}
}

func TestACopyEndsWithItsContextAndWithItsSource(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the lab is closed")
	cancel(why)
	if _, err := copySparse(ctx, file, strings.NewReader("x")); !errors.Is(err, why) {
		t.Errorf("a cancelled copy ends with %v", err)
	}
	_, err = copySparse(t.Context(), file, io.MultiReader(strings.NewReader("x"), brokenReader{why}))
	if !errors.Is(err, why) {
		t.Errorf("a broken source ends with %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestTheConsoleIsPlainTextAndShort(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ written, want string }{
		"colours":        {"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh\x1b[0m\r\n", "[  OK  ] Started ssh"},
		"a title":        {"\x1b]0;web-1\alogin:", "login:"},
		"its other end":  {"\x1b]0;web-1\x1b\\login:", "login:"},
		"cut off":        {"ok\x1b[0;3", "ok"},
		"a lone escape":  {"ok\x1b", "ok"},
		"blank lines":    {"a\n\n  \r\nb\n", "a\nb"},
		"other controls": {"a\x00\x07b\tc", "ab\tc"},
		"no UTF-8":       {"a\xffb ü", "a�b ü"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c console
			_, _ = io.WriteString(&c, test.written)
			if diff := cmp.Diff(test.want, c.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
	var c console
	for i := range 10_000 {
		fmt.Fprintf(&c, "line %d\n", i)
	}
	lines := strings.Split(c.String(), "\n")
	if len(lines) != consoleLines || lines[len(lines)-1] != "line 9999" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}

func TestAMissingErrorSaysWhatToType(t *testing.T) {
	t.Parallel()
	err := &MissingError{Programs: []string{"ip", "qemu-img"}, Packages: []string{"iproute2", "qemu-utils"}, NotRoot: true}
	const want = "real droplets cannot run here: it must run as root; not installed: ip, qemu-img (apt-get install -y iproute2 qemu-utils)"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}
