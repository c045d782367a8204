// Package examples_test keeps the examples loadable: what people copy must work.
package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/versatus/snowdrop/internal/fleet"
)

func TestEveryFleetFileLoads(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*/snowdrop.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("fleet files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			if _, err := fleet.Load(file); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryServerIsAConfigurationOfItsFlake(t *testing.T) {
	t.Parallel()
	configuration := regexp.MustCompile(`(?m)^\s+(\w+) = (?:\./\w+\.nix;|\{)$`)
	for _, dir := range []string{"fleet", "lab"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			f, err := fleet.Load(filepath.Join(dir, "snowdrop.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(dir, "flake.nix"))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, m := range configuration.FindAllStringSubmatch(string(text), -1) {
				names = append(names, m[1])
			}
			for name := range f.Servers {
				if !slices.Contains(names, name) {
					t.Errorf("server %s is none of the flake's configurations %v", name, names)
				}
			}
		})
	}
}
