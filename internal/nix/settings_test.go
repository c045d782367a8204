package nix

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildersAreReadFromTheSettingAndItsFiles(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "machines")
	text := "# ours\nssh-ng://builder@linux-builder aarch64-linux,x86_64-linux /etc/nix/key 4 - kvm - c3No # fast\n\nssh://mac -\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, setting string
		want          []string
	}{
		{"none", "", nil},
		{"a file that is not there", "@" + file + ".no", nil},
		{"a file", "@" + file, []string{"aarch64-linux", "x86_64-linux", "aarch64-darwin"}},
		{"entries between semicolons", "ssh://a x86_64-linux ; ssh://b", []string{"x86_64-linux", "aarch64-darwin"}},
		{"entries and a file", "ssh://a riscv64-linux\n@" + file, []string{"riscv64-linux", "aarch64-linux", "x86_64-linux", "aarch64-darwin"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := builderSystems(c.setting, "aarch64-darwin")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if _, err := builderSystems("@"+filepath.Dir(file), "x"); err == nil {
		t.Error("a folder was read as a file of builders")
	}
}

// The command has another name in older versions, which say that they do not know it.
func TestSettingsAreAskedByBothNames(t *testing.T) {
	t.Parallel()
	const settings = `{"system":{"value":"aarch64-darwin"},"extra-platforms":{"value":["x86_64-darwin"]},"builders":{"value":"ssh://a aarch64-linux"}}`
	for name, book := range map[string][]play{
		"new": {{When: []string{"config show --json"}, Stdout: settings}},
		"old": {{When: []string{"config show"}, Exit: 1}, {When: []string{"show-config --json"}, Stdout: settings}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := fake(t, Config{}, book...).Platforms(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !p.Has("x86_64-darwin") || !p.Has("aarch64-linux") || p.Has("x86_64-linux") || p.Local[0] != "aarch64-darwin" {
				t.Errorf("%+v", p)
			}
		})
	}
	_, err := fake(t, Config{}, play{When: []string{"config"}, Exit: 1}).Platforms(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ask nix for its settings") {
		t.Errorf("%v", err)
	}
}

func TestTheSystemOfADerivationIsEvaluated(t *testing.T) {
	t.Parallel()
	got, err := fake(t, Config{}, play{When: []string{"eval", "--json", " .#vm.system"}, Stdout: `"aarch64-darwin"`}).System(t.Context(), ".#vm")
	if got != "aarch64-darwin" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
