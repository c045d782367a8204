package nix

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStateVersionsAreAskedOnceForEachFlake(t *testing.T) {
	t.Parallel()
	ours, theirs := ".#nixosConfigurations.", "github:acme/x#nixosConfigurations."
	const toplevel = ".config.system.build.toplevel"
	c := fake(
		t, Config{},
		play{
			When:   []string{"--apply all: [ (all.web.config.system.stateVersion or null) (all.\"a.b\".config.system.stateVersion or null) (all.db.config.system.stateVersion or null) ] -- .#nixosConfigurations"},
			Stdout: `["24.11",null,"25.05"]`,
		},
		play{
			When:   []string{"--apply all: [ (all.web.config.system.stateVersion or null) ] -- github:acme/x#nixosConfigurations"},
			Stdout: `["23.05"]`,
		},
	)
	got, err := c.StateVersions(t.Context(), []string{
		ours + "web" + toplevel, ours + `"a.b"` + toplevel, theirs + "web" + toplevel, ours + "db" + toplevel,
		".#web-toplevel", "/nix/store/x", ours + "web.pkgs.hello", ours + "web;abort" + toplevel,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{ours + "web" + toplevel: "24.11", ours + "db" + toplevel: "25.05", theirs + "web" + toplevel: "23.05"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsEvaluatedWhereNoStateVersionCanBe(t *testing.T) {
	t.Parallel()
	got, err := fake(t, Config{}).StateVersions(t.Context(), []string{".#web-toplevel"})
	if err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAStateVersionThatCannotBeEvaluatedIsAnError(t *testing.T) {
	t.Parallel()
	eachVersion(t, func(t *testing.T, v string) {
		c := fake(t, Config{}, play{When: []string{"eval"}, Captured: v + "/eval-syntax", Exit: 1})
		_, err := c.StateVersions(t.Context(), []string{".#nixosConfigurations.web.config.system.build.toplevel"})
		if eval := (*EvalError)(nil); !errors.As(err, &eval) {
			t.Errorf("%v", err)
		}
	})
}
