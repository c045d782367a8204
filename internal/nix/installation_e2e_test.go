//go:build e2e

package nix

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRealInstallations(t *testing.T) {
	dir := t.TempDir()
	text := `{
  outputs = _: {
    nixosConfigurations = {
      web = {
        pkgs.stdenv.hostPlatform.system = "aarch64-linux";
        config.system.build = { toplevel = "x"; diskoScript = throw "not to be built"; };
        config.disko.devices.disk = { b = { device = "/dev/sdb"; }; a = { device = "/dev/disk/by-id/x y"; }; none = { }; };
      };
      "a.b".config.system.build.toplevel = "x";
      broken = throw "it is broken";
    };
  };
}`
	if err := os.WriteFile(filepath.Join(dir, "flake.nix"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := realNix(t, dir)
	before, behind := "path:"+dir+"#nixosConfigurations.", ".config.system.build.toplevel"
	got, err := c.Installation(t.Context(), before+"web"+behind)
	want := Installation{
		Flake: "path:" + dir + "#web", Platform: "aarch64-linux", Disko: true, Devices: []string{"/dev/disk/by-id/x y", "/dev/sdb"},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	got, err = c.Installation(t.Context(), before+`"a.b"`+behind)
	if diff := cmp.Diff(Installation{Flake: "path:" + dir + "#a.b"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for _, name := range []string{"broken", "missing"} {
		if _, err := c.Installation(t.Context(), before+name+behind); !errors.As(err, new(*EvalError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
