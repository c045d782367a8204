//go:build e2e

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/nix"
)

// madeStore is a Nix store of its own with made-up paths registered in it: of all but
// the two systems there is nothing but the entry in the database, which is all that
// either side asks.
type madeStore struct {
	env           []string
	before, after string
}

func newMadeStore(t *testing.T, n int, share float64) madeStore {
	t.Helper()
	dir := t.TempDir()
	s := madeStore{env: []string{
		"NIX_STORE_DIR=" + filepath.Join(dir, "nix", "store"), "NIX_STATE_DIR=" + filepath.Join(dir, "var"),
		"NIX_LOG_DIR=" + filepath.Join(dir, "log"), "NIX_CONF_DIR=" + dir, "NIX_REMOTE=",
		"NIX_CONFIG=extra-experimental-features = nix-command\nbuild-users-group =\n",
	}}
	store := filepath.Join(dir, "nix", "store")
	if err := os.MkdirAll(store, 0o700); err != nil {
		t.Fatal(err)
	}
	var entries bytes.Buffer
	seen := map[string]bool{}
	register := func(paths []storedPath) string {
		for _, p := range paths {
			if seen[p.base] {
				continue
			}
			seen[p.base] = true
			fmt.Fprintf(&entries, "%s\nsha256:%s\n%d\n\n%d\n", filepath.Join(store, p.base), p.narHash, p.size, len(p.needs))
			for _, other := range p.needs {
				fmt.Fprintln(&entries, filepath.Join(store, other))
			}
		}
		top := filepath.Join(store, paths[0].base)
		if err := os.WriteFile(top, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return top
	}
	s.before, s.after = register(madeClosure(n, 1, share)), register(madeClosure(n, 2, share))
	load := s.command(t.Context(), "nix-store", "--load-db")
	load.Stdin = &entries
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("nix-store --load-db: %v\n%s", err, out)
	}
	return s
}

func (s madeStore) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

func (s madeStore) output(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := s.command(t.Context(), "nix", args...).Output()
	if err != nil {
		t.Fatalf("nix %v: %v", args, err)
	}
	return out
}

// fastest is the shortest of a few runs: on a machine that does other things too it
// is the one that says most.
func fastest(runs int, f func()) time.Duration {
	var all []time.Duration
	for range runs {
		start := time.Now()
		f()
		all = append(all, time.Since(start))
	}
	return slices.Min(all)
}

// TestRealClosuresNameWhatNixNames compares two closures in a real local store, once as
// nix store diff-closures does it, once read from the database, and once from the JSON
// of both, as from the snapshots of deploys. It logs how long each took; the times
// depend on the machine, so they fail nothing.
func TestRealClosuresNameWhatNixNames(t *testing.T) {
	for _, n := range []int{5_000, 50_000} {
		for name, share := range shares() {
			t.Run(fmt.Sprintf("%d/%s", n, name), func(t *testing.T) {
				s := newMadeStore(t, n, share)
				var said []byte
				theirs := fastest(3, func() { said = s.output(t, "store", "diff-closures", s.before, s.after) })

				c := nix.New(nix.Config{Env: s.env})
				var d closure.Diff
				ours := fastest(5, func() {
					before, err := c.Closure(t.Context(), s.before)
					if err != nil {
						t.Fatal(err)
					}
					after, err := c.Closure(t.Context(), s.after)
					if err != nil {
						t.Fatal(err)
					}
					d = closure.Compare(before, after)
				})
				x, y := s.output(t, "path-info", "--json", "--recursive", s.before), s.output(t, "path-info", "--json", "--recursive", s.after)
				fromJSON := fastest(5, func() { closure.Compare(parse(t, x), parse(t, y)) })
				t.Logf("nix store diff-closures %v; from the database %v (%.1f times faster); from JSON %v (%.1f times faster); %d changes",
					theirs, ours, ratio(theirs, ours), fromJSON, ratio(theirs, fromJSON), len(d.Changes))

				if missing := without(namedByNix(said), namedByUs(d)); len(missing) > 0 {
					t.Errorf("nix names %d packages that we do not, such as %s", len(missing), missing[0])
				}
			})
		}
	}
}

func ratio(theirs, ours time.Duration) float64 { return float64(theirs) / float64(ours) }

// namedByNix are the packages of nix store diff-closures, whatever it says of them.
func namedByNix(said []byte) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(string(said)) {
		name, _, _ := strings.Cut(line, ": ")
		names[name] = true
	}
	return names
}

// namedByUs are the packages of a Diff as Nix would call them: it takes any word at
// the end for an output.
func namedByUs(d closure.Diff) map[string]bool {
	word := regexp.MustCompile(`^(.*)-(?:[a-z]+|lib32|lib64)$`)
	names := map[string]bool{}
	for _, c := range d.Changes {
		name := c.Name
		if m := word.FindStringSubmatch(name); m != nil && len(c.Before)+len(c.After) == 0 {
			name = m[1]
		}
		names[name] = true
	}
	return names
}

func without(all, known map[string]bool) []string {
	var left []string
	for name := range all {
		if !known[name] {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	return left
}
