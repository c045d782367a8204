//go:build linux && e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fleetFile is the project's snowdrop.yaml. Installables are left out: the defaults
// are what a NixOS flake has.
const fleetFile = `flake: .
space: {bucket: ` + bucket + `, region: ` + region + `, prefix: ` + prefix + `}
nix:
  options: {sandbox: "false", build-users-group: "", substituters: ""}
defaults:
  keep: 2
  rollout: {on-failure: rollback}
  verify: {soak: 2s, timeout: 60s}
servers:
  web:
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1}
    verify:
      units: [web.service]
      http: [{url: "http://{{.IPv4}}:8080/healthz"}]
  api:
    droplets: {names: [api-1]}
    files:
      - {path: /var/lib/api/key, from: {env: API_KEY}, restart: [api.service]}
    verify:
      units: [api.service]
      run: ['test "$(stat -c %a:%U /var/lib/api/key)" = 400:root']
  db:
    droplets: {names: [db-1]}
    verify: {units: [db.service], tcp: [22, 5432]}
`

// apiKey is the secret that is written to /var/lib/api/key.
const apiKey = "correct-horse-battery-staple-e2e"

// project is a git repository with the flake and the fleet file.
type project struct {
	dir string
	// salt makes the images of this run new to Nix, so that they are built.
	salt string
	// original is release.nix as the flake brings it.
	original string
	commits  time.Time
	// revisions are those that were released, the oldest first.
	revisions []string
}

func newProject(ctx context.Context, t *testing.T, dir, fleet string) *project {
	t.Helper()
	p := &project{dir: dir, salt: time.Now().UTC().Format("20060102-150405.000"), commits: time.Now().Add(-time.Hour)}
	check(t, os.CopyFS(dir, os.DirFS("flake")))
	original, err := os.ReadFile(filepath.Join(dir, "release.nix"))
	check(t, err)
	p.original = string(original)
	base, err := os.ReadFile(filepath.Join(dir, "base.nix"))
	check(t, err)
	p.write(t, "base.nix", strings.NewReplacer("/var/cache/snowdrop/debian", tree(), "/var/cache/snowdrop/tools/bin", filepath.Join(toolsDir(), "bin")).Replace(string(base)))
	p.write(t, "snowdrop.yaml", fleet)
	p.git(ctx, t, "init", "-q", "-b", "main")
	p.git(ctx, t, "config", "user.name", "e2e")
	p.git(ctx, t, "config", "user.email", "e2e@example.com")
	p.git(ctx, t, "remote", "add", "origin", "https://github.com/acme/fleet")
	return p
}

// release commits release n of all servers and returns the revision. changes are
// further replacements in release.nix, old and new in turn; each must be found.
func (p *project) release(ctx context.Context, t *testing.T, n int, changes ...string) string {
	t.Helper()
	text := strings.ReplaceAll(p.original, "release 1", fmt.Sprintf("release %d", n))
	text = p.replace(t, text, "[Unit]", "[Unit]\n      # "+p.salt)
	// api does not start before its secret is there.
	text = p.replace(t, text, "Description=api,", "ConditionPathExists=/var/lib/api/key\n      Description=api,")
	for i := 0; i < len(changes); i += 2 {
		text = p.replace(t, text, changes[i], changes[i+1])
	}
	p.write(t, "release.nix", text)
	p.commits = p.commits.Add(time.Minute)
	at := p.commits.Format(time.RFC3339)
	p.git(ctx, t, "add", "--all")
	output(ctx, t, p.dir, "env", "GIT_COMMITTER_DATE="+at, "GIT_AUTHOR_DATE="+at, "git", "commit", "-q", "-m", fmt.Sprintf("Release %d", n))
	revision := p.git(ctx, t, "rev-parse", "HEAD")
	p.revisions = append(p.revisions, revision)
	return revision
}

// forget removes the images of all releases from the Nix store: each run makes
// hundreds of megabytes that no other run uses.
func (p *project) forget(t *testing.T) {
	t.Helper()
	var paths []string
	for _, revision := range p.revisions {
		cmd := nix(t, "eval", "--json", fmt.Sprintf("git+file://%s?rev=%s#packages.x86_64-linux", p.dir, revision),
			"--apply", "builtins.mapAttrs (_: image: image.outPath)")
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("find the images of %s: %v", revision, err)
			continue
		}
		var images map[string]string
		check(t, json.Unmarshal(out, &images))
		for _, path := range images {
			if _, err := os.Stat(path); err == nil {
				paths = append(paths, path)
			}
		}
	}
	if out, err := nix(t, append([]string{"store", "delete"}, paths...)...).CombinedOutput(); err != nil {
		t.Errorf("remove the images from the Nix store: %v\n%s", err, out)
	}
}

// nix is the program with the same settings as in the fleet file. It is for
// cleaning up, so it does not end with the test.
func nix(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "nix", args...)
	cmd.Env = append(os.Environ(), "NIX_CONFIG=extra-experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\n")
	return cmd
}

func (p *project) replace(t *testing.T, text, before, after string) string {
	t.Helper()
	if !strings.Contains(text, before) {
		t.Fatalf("release.nix has no %q", before)
	}
	return strings.ReplaceAll(text, before, after)
}

func (p *project) write(t *testing.T, name, text string) {
	t.Helper()
	check(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
}

func (p *project) git(ctx context.Context, t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(output(ctx, t, p.dir, "git", args...))
}
