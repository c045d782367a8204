//go:build e2e

package deploy_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/nix"
)

// TestRealUpdatesArePushedOnlyIfTheyEvaluate updates a flake whose input breaks it, and
// then mends it, with the machine's own Nix: in a clone with one commit, and of a
// repository elsewhere. The flake refuses, as many do, to be built from a dirty tree.
func TestRealUpdatesArePushedOnlyIfTheyEvaluate(t *testing.T) {
	for _, where := range []string{"clone", "elsewhere"} {
		t.Run(where, func(t *testing.T) {
			f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
			input := t.TempDir()
			release := func(text string) {
				f.git(input, "init", "--quiet", "--initial-branch=main")
				check(t, os.WriteFile(filepath.Join(input, "flake.nix"), []byte("{ outputs = { self }: { "+text+" }; }"), 0o600))
				f.git(input, "add", ".")
				f.git(input, "commit", "--quiet", "-m", text)
			}
			release(`version = "1";`)
			client := nix.New(nix.Config{Dir: filepath.Join(f.clone, "nix"), LogDir: t.TempDir(), Options: map[string]string{
				"sandbox": "false", "build-users-group": "", "substituters": "", //nolint:misspell // nix's own word
			}})
			system := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + "-" + runtime.GOOS
			f.git(f.work, "rm", "--quiet", "flake.lock")
			f.write("flake.nix", `{
  inputs.one.url = "git+file://`+input+`";
  outputs = { self, one }: { web = derivation {
    name = "web-${one.version}-${self.rev or (throw "from a dirty tree")}"; system = "`+system+`"; builder = "/bin/sh";
  }; };
}`)
			check(t, client.Update(t.Context(), f.work, nil, nix.Progress{}))
			f.commit("a real flake")
			f.source.Nix = client
			if where == "elsewhere" {
				f.elsewhere()
			} else {
				f.source.Fleet.Flake = "../"
				for name, s := range f.source.Fleet.Servers {
					s.Image, s.System, s.VM = "../#"+name, "", ""
					f.source.Fleet.Servers[name] = s
				}
			}
			before := f.at("main")
			release("broken = true;")
			taken, err := f.take(nightly())
			check(t, err)
			if f.at("main") != before || taken.NotUpdated == nil || !strings.Contains(taken.NotUpdated.Error(), "'version' missing") {
				t.Fatalf("main is at %s, before %s: %v", f.at("main"), before, taken.NotUpdated)
			}
			release(`version = "2";`)
			taken, err = f.take(nightly())
			check(t, err)
			if taken.NotUpdated != nil || taken.Revision == before || f.at("main") != taken.Revision {
				t.Fatalf("main is at %s, deployed is %s: %v", f.at("main"), taken.Revision, taken.NotUpdated)
			}
		})
	}
}
