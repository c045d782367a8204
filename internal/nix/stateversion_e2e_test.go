//go:build e2e

package nix

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRealStateVersions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "flake.nix", `{
  outputs = { self }: {
    nixosConfigurations = {
      web.config.system = { stateVersion = "24.11"; build.toplevel = throw "not asked for"; };
      "a.b".config.system.stateVersion = "25.05";
      old.config.system = { };
    };
  };
}`)
	const before, behind = ".#nixosConfigurations.", ".config.system.build.toplevel"
	got, err := realNix(t, dir).StateVersions(t.Context(), []string{before + "web" + behind, before + `"a.b"` + behind, before + "old" + behind})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{before + "web" + behind: "24.11", before + `"a.b"` + behind: "25.05"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
