package nix_test

import (
	"encoding/json"
	"net/url"
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

// flake is the URL of one in a folder.
func flake(dir string) string { return "path:" + (&url.URL{Path: dir}).EscapedPath() }

func TestFlakeWithAStandInForNixpkgs(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	standIn, err := filepath.Abs("tests")
	if err != nil {
		t.Fatal(err)
	}
	nix := func(args ...string) string {
		return must(t, "nix", append(args, "--no-write-lock-file", "--override-input", "nixpkgs", flake(standIn))...)
	}
	nix("flake", "check", "--no-build", flake(dir))

	var made struct {
		Pname, VendorHash string
		SubPackages       []string
	}
	if err := json.Unmarshal([]byte(nix("eval", "--json", flake(dir)+"#packages.aarch64-darwin.default.args")), &made); err != nil {
		t.Fatal(err)
	}
	if made.Pname != "snowdrop" || !strings.HasPrefix(made.VendorHash, "sha256-") || strings.ContainsAny(made.VendorHash, "\n ") || !slices.Equal(made.SubPackages, []string{"."}) {
		t.Errorf("%+v", made)
	}
	if got := nix("eval", "--raw", flake(dir)+"#apps.x86_64-linux.default.program"); !strings.HasSuffix(got, "-snowdrop-devel/bin/snowdrop") {
		t.Errorf("program %s", got)
	}
	for _, module := range []string{"default", "snowdrop"} {
		if got := nix("eval", "--json", flake(dir)+"#nixosModules."+module, "--apply", "m: map (file: builtins.functionArgs (import file)) m.imports"); !strings.Contains(got, `"config":false`) {
			t.Errorf("module %s: %s", module, got)
		}
	}
}

func TestExampleFleetWithAStandInForNixpkgs(t *testing.T) {
	t.Parallel()
	dir := copied(t)
	standIn, err := filepath.Abs("tests")
	if err != nil {
		t.Fatal(err)
	}
	example, err := filepath.Abs(filepath.Join("..", "examples", "fleet"))
	if err != nil {
		t.Fatal(err)
	}
	got := must(t, "nix", "eval", "--json", flake(example)+"#nixosConfigurations", "--apply", "c: builtins.mapAttrs (_: one: one.modules) c",
		"--no-write-lock-file", "--override-input", "nixpkgs", flake(standIn), "--override-input", "snowdrop", flake(dir))
	for _, part := range []string{`"db":[`, `"web":[`, `"networking":{"hostName":"web"}`, `"snowdrop":{"server":"web"}`, "module.nix"} {
		if !strings.Contains(got, part) {
			t.Errorf("the configurations lack %s: %s", part, got)
		}
	}
}
