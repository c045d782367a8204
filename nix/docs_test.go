package nix_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryOptionIsDocumented(t *testing.T) {
	t.Parallel()
	names := func(file, pattern string) []string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
		return all
	}
	options := names("module.nix", `(?m)^    (\w+) = mk(?:Enable)?Option `)
	rows := names(filepath.Join("..", "docs", "nixos-module.md"), "(?m)^\\| `snowdrop\\.(\\w+)` \\|")
	if len(options) < 5 {
		t.Errorf("only %v were found in module.nix", options)
	}
	if diff := cmp.Diff(options, rows); diff != "" {
		t.Errorf("module.nix and the table in docs/nixos-module.md (-module +page)\n%s", diff)
	}
}
