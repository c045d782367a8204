//go:build e2e

package closure

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// evaluate asks Nix for the value of an expression.
func evaluate(t *testing.T, expression string, into any) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nix-instantiate", "--eval", "--strict", "--json", "-E", expression).Output()
	if err != nil {
		t.Fatalf("nix-instantiate: %v\n%s", err, expression)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// random makes words out of pieces that mean something in a version.
func random(r *rand.Rand) string {
	pieces := []string{".", "-", "pre", "a", "b", "rc", "dev", "0", "1", "2", "10", "007", "2147483648", "_", "+", "A"}
	var b strings.Builder
	for range r.IntN(7) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func TestRealNixOrdersVersionsAlike(t *testing.T) {
	pairs := ordered()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		a, b := random(r), random(r)
		pairs = append(pairs, struct {
			a, b string
			want int
		}{a, b, compareVersions(a, b)})
	}
	var list strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&list, "(builtins.compareVersions %q %q) ", p.a, p.b)
	}
	var said []int
	evaluate(t, "["+list.String()+"]", &said)
	for i, p := range pairs {
		if said[i] != p.want {
			t.Errorf("%q against %q: Nix says %d, we %d", p.a, p.b, said[i], p.want)
		}
	}
}

func TestRealNixSplitsNamesAlike(t *testing.T) {
	var names []string
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		names = append(names, "x"+random(r))
	}
	var list strings.Builder
	for _, n := range names {
		fmt.Fprintf(&list, "(builtins.parseDrvName %q) ", n)
	}
	var said []struct{ Name, Version string }
	evaluate(t, "["+list.String()+"]", &said)
	for i, n := range names {
		if name, version := splitVersion(n); name != said[i].Name || version != said[i].Version {
			t.Errorf("%q: Nix says %+v, we %q and %q", n, said[i], name, version)
		}
	}
}
