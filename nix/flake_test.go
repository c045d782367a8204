package nix_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// copied is the flake without the rest of the repository, which Nix would copy whole.
func copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "nix"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"flake.nix", "nix/module.nix", "nix/package.nix", "nix/check.nix", "nix/vendor-hash"} {
		data, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// elsewhere is a copy of a folder, where the path has no blanks: Nix knows none in URLs.
func elsewhere(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestFlakeWithAStandInForNixpkgs(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	standIn := elsewhere(t, "tests")
	nix := func(args ...string) string {
		return must(t, "nix", append(args, "--no-write-lock-file", "--override-input", "nixpkgs", "path:"+standIn)...)
	}
	nix("flake", "check", "--no-build", "path:"+dir)

	var made struct {
		Pname, VendorHash string
		SubPackages       []string
	}
	if err := json.Unmarshal([]byte(nix("eval", "--json", "path:"+dir+"#packages.aarch64-darwin.default.args")), &made); err != nil {
		t.Fatal(err)
	}
	if made.Pname != "snowdrop" || !strings.HasPrefix(made.VendorHash, "sha256-") || strings.ContainsAny(made.VendorHash, "\n ") || !slices.Equal(made.SubPackages, []string{"."}) {
		t.Errorf("%+v", made)
	}
	if got := nix("eval", "--raw", "path:"+dir+"#apps.x86_64-linux.default.program"); !strings.HasSuffix(got, "-snowdrop-devel/bin/snowdrop") {
		t.Errorf("program %s", got)
	}
	for _, module := range []string{"default", "snowdrop"} {
		if got := nix("eval", "--json", "path:"+dir+"#nixosModules."+module, "--apply", "m: map (file: builtins.functionArgs (import file)) m.imports"); !strings.Contains(got, `"config":false`) {
			t.Errorf("module %s: %s", module, got)
		}
	}
}

func TestExampleFleetWithAStandInForNixpkgs(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	standIn := elsewhere(t, "tests")
	example := elsewhere(t, filepath.Join("..", "examples", "fleet"))
	got := must(t, "nix", "eval", "--json", "path:"+example+"#nixosConfigurations", "--apply", "c: builtins.mapAttrs (_: one: one.modules) c",
		"--no-write-lock-file", "--override-input", "nixpkgs", "path:"+standIn, "--override-input", "snowdrop", "path:"+dir)
	for _, part := range []string{`"db":[`, `"web":[`, `"networking":{"hostName":"web"}`, `"snowdrop":{"server":"web"}`, "module.nix"} {
		if !strings.Contains(got, part) {
			t.Errorf("the configurations lack %s: %s", part, got)
		}
	}
}
