//go:build e2e

package nix

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// realNix makes a client of the machine's own nix program.
func realNix(t *testing.T, dir string) *Client {
	t.Helper()
	return New(Config{Dir: dir, LogDir: t.TempDir(), RootDir: t.TempDir(), Options: map[string]string{
		"sandbox": "false", "build-users-group": "", "substituters": "", //nolint:misspell // nix's own word
	}})
}

// writeFlake writes a flake whose derivations need nothing but /bin/sh. salt makes
// their paths new, so that they are built and not found.
func writeFlake(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text, err := os.ReadFile("testdata/flake.nix")
	if err != nil {
		t.Fatal(err)
	}
	system := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH] + "-" + runtime.GOOS
	filled := strings.NewReplacer("@salt@", time.Now().Format(time.RFC3339Nano), "@system@", system).Replace(string(text))
	write(t, dir, "flake.nix", filled)
	write(t, dir, "broken.nix", "{\n  a = ;\n}\n")
	return dir
}

func TestRealOutPathsAreKnownBeforeTheBuildAndKept(t *testing.T) {
	c := realNix(t, writeFlake(t))
	ask := []string{".#web-image", ".#nixosConfigurations.web.config.system.build.toplevel", ".#multi", ".#web-image"}
	evaluated, err := c.Evaluate(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range evaluated {
		if o.Installable != ask[i] {
			t.Errorf("output %d is %s, asked for %s", i, o.Installable, ask[i])
		}
		if _, err := os.Stat(o.Path); err == nil {
			t.Errorf("%s was built by an evaluation", o.Path)
		}
	}
	if got := evaluated[1].Path; !strings.HasSuffix(got, "-nixos-system-web-25.05") {
		t.Errorf("second output is %s", got)
	}
	var lines []string
	var done, total int64
	built, err := c.Build(t.Context(), ask, Progress{
		Log: func(l string) { lines = append(lines, l) }, Count: func(d, n int64) { done, total = d, n },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range built {
		if o != evaluated[i] {
			t.Errorf("built %+v, evaluated %+v", o, evaluated[i])
		}
		if _, err := os.Stat(o.Path); err != nil {
			t.Error(err)
		}
	}
	if log := strings.Join(lines, "\n"); !strings.Contains(log, "web-image> building image") {
		t.Errorf("builders' lines:\n%s", log)
	}
	if done == 0 || done != total {
		t.Errorf("progress ended at %d of %d", done, total)
	}
	if links, _ := filepath.Glob(filepath.Join(c.cfg.RootDir, "*")); len(links) < 3 {
		t.Errorf("links that keep the outputs: %v", links)
	}
	// What is a store path already needs no flake.
	again, err := c.Build(t.Context(), []string{built[0].Path}, Progress{})
	if err != nil || again[0].Path != built[0].Path {
		t.Errorf("a store path as installable: %+v, %v", again, err)
	}
	closure, err := c.Closure(t.Context(), built[1].Path)
	if err != nil || len(closure) != 2 || closure[0].NarSize == 0 {
		t.Errorf("closure: %+v, %v", closure, err)
	}
}

func TestRealFailuresNameTheirDerivation(t *testing.T) {
	c := realNix(t, writeFlake(t))
	_, err := c.Build(t.Context(), []string{".#bad-image", ".#web-image"}, Progress{})
	build := (*BuildError)(nil)
	if !errors.As(err, &build) {
		t.Fatal(err)
	}
	if !strings.HasSuffix(build.Drv, "-bad-dep.drv") || len(build.Tail) != tailLength || !strings.Contains(build.Reason, "exit code 3") {
		t.Errorf("%+v", build)
	}
	if len(build.Installables) != 1 || build.Installables[0] != ".#bad-image" {
		t.Errorf("not built because of it: %v", build.Installables)
	}
	if log, err := os.ReadFile(build.LogFile); err != nil || !strings.Contains(string(log), "bad-dep> line 1") {
		t.Errorf("log: %v\n%s", err, log)
	}
	t.Log(err)
}

func TestRealEvaluationNamesEachFaultyInstallable(t *testing.T) {
	c := realNix(t, writeFlake(t))
	_, err := c.Evaluate(t.Context(), []string{".#web-image", ".#broken", ".#nowhere", ".#attribute"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"evaluate .#broken: broken.nix:2:7: syntax error", "evaluate .#nowhere: ", "evaluate .#attribute: flake.nix:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	t.Log(err)
}

func TestRealMetadata(t *testing.T) {
	dir := writeFlake(t)
	c := realNix(t, dir)
	plain, err := c.Metadata(t.Context(), ".")
	if err != nil || !plain.Dirty || plain.Revision != "" || plain.LastModified.IsZero() {
		t.Errorf("a directory: %+v, %v", plain, err)
	}
	git(t, dir, "init", "-q")
	git(t, dir, "add", ".")
	git(t, dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "one")
	clean, err := c.Metadata(t.Context(), ".")
	if err != nil || clean.Dirty || len(clean.Revision) != 40 || clean.LastModified.IsZero() {
		t.Errorf("a clean tree: %+v, %v", clean, err)
	}
	write(t, dir, "broken.nix", "{}")
	dirty, err := c.Metadata(t.Context(), ".")
	if err != nil || !dirty.Dirty || dirty.Revision != "" {
		t.Errorf("a dirty tree: %+v, %v", dirty, err)
	}
	_, err = c.Metadata(t.Context(), t.TempDir())
	if eval := (*EvalError)(nil); !errors.As(err, &eval) {
		t.Errorf("no flake: %v", err)
	}
}

func TestRealShow(t *testing.T) {
	shown, err := realNix(t, writeFlake(t)).Show(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(shown.Configurations) != 1 || shown.Configurations[0] != "web" {
		t.Errorf("configurations: %v", shown.Configurations)
	}
	if len(shown.Images) != 2 || !strings.HasSuffix(shown.Images[1], ".web-image") {
		t.Errorf("images: %v", shown.Images)
	}
	dir := t.TempDir()
	write(t, dir, "flake.nix", "{ outputs = { self }: { }; }")
	if shown, err := realNix(t, dir).Show(t.Context(), "."); err != nil || len(shown.Configurations)+len(shown.Images) != 0 {
		t.Errorf("an empty flake: %+v, %v", shown, err)
	}
}

func TestRealBuildEndsWhenCancelled(t *testing.T) {
	c := realNix(t, writeFlake(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the user pressed Ctrl-C")
	start := time.Now()
	_, err := c.Build(ctx, []string{".#slow"}, Progress{Log: func(line string) {
		if strings.Contains(line, "sleeping") {
			cancel(stop)
		}
	}})
	if !errors.Is(err, stop) || time.Since(start) > 20*time.Second {
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
