package nix

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/versatus/snowdrop/internal/closure"
)

// known tells derivations in the order of their names, without what differs between
// versions: the directory of paths, and the path of a download.
func known(derivations []closure.Derivation) []closure.Derivation {
	bare := func(path string) string { return strings.TrimPrefix(path, "/nix/store/") }
	var all []closure.Derivation
	for _, d := range derivations {
		d.Path = bare(d.Path)[33:]
		for name, path := range d.Outputs {
			if d.Fixed {
				path = ""
			}
			if path = bare(path); path != "" {
				path = path[33:]
			}
			d.Outputs[name] = path
		}
		all = append(all, d)
	}
	return all
}

func app() []closure.Derivation {
	return []closure.Derivation{
		{Path: "app-1.2.drv", Outputs: map[string]string{"out": "app-1.2", "dev": "app-1.2-dev"}},
		{Path: "app-1.2.tar.gz.drv", Outputs: map[string]string{"out": ""}, Fixed: true},
	}
}

func byPath() cmp.Option {
	return cmpopts.SortSlices(func(a, b closure.Derivation) bool { return a.Path < b.Path })
}

func TestDerivationsAreReadOfEachVersion(t *testing.T) {
	t.Parallel()
	want := append(app(), closure.Derivation{Path: "tool-0.9.drv", Outputs: map[string]string{"out": "tool-0.9"}})
	eachVersion(t, func(t *testing.T, v string) {
		command := []string{"derivation", "show"}
		if v == "v2.8.0" {
			command = []string{"show-derivation"}
		}
		c := fake(t, Config{}, version(v),
			play{When: append(command, "--recursive", "--no-write-lock-file", "--", ".#app", ".#tool"), Captured: v + "/derivations"})
		got, err := c.Derivations(t.Context(), []string{".#app", ".#tool"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, known(got), byPath()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDerivationsAreReadAsNewVersionsWriteThem(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/written/derivations.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseDerivations(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(app(), known(got), byPath()); diff != "" {
		t.Error(diff)
	}
	// As 2.20 to 2.32 write it: what is not known is null.
	null := `{"/nix/store/41jgrkhn7yyhmbp5bqmq3mdwwwp1wfpm-a.drv":{"outputs":{"out":{"path":null,"hash":null,"method":"nar"}}}}`
	got, err = parseDerivations([]byte(null))
	want := []closure.Derivation{{Path: "a.drv", Outputs: map[string]string{"out": ""}}}
	if diff := cmp.Diff(want, known(got)); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAFaultyFlakeHasNoDerivations(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, version(v), play{When: []string{"--recursive"}, Captured: v + "/eval-syntax", Exit: 1})
		_, err := c.Derivations(t.Context(), []string{".#syntax"})
		if eval := (*EvalError)(nil); !errors.As(err, &eval) || eval.Line != 2 {
			t.Errorf("%v", err)
		}
		c = fake(t, Config{}, version(v), play{When: []string{"--recursive"}, Stdout: "[]"})
		if got, err := c.Derivations(t.Context(), []string{".#syntax"}); err == nil {
			t.Errorf("something else passes for derivations: %v", got)
		}
	})
	if got, err := fake(t, Config{}).Derivations(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}
