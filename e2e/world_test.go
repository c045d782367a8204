//go:build linux && e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/nspawn"
	"github.com/versatus/snowdrop/internal/remote"
)

const token = "dop_v1_e2e0000000000000000000000000000000000000000"

// world is everything that a run of snowdrop meets.
type world struct {
	dir     string
	program string
	project *project
	gateway *gateway
	spy     *spy
	lab     *lab.Lab
	env     []string
	ssh     *remote.Dialer
	// first and second are the custom images that a release made, by name.
	first, second []string
}

// droplets are those of the account, in the order of the fleet file.
func droplets() []string { return []string{"web-1", "web-2", "api-1", "db-1"} }

// newWorld starts everything. All of it ends with the test, and that nothing is
// left is checked.
func newWorld(ctx context.Context, t *testing.T, fleet string, programs ...string) *world {
	t.Helper()
	need(t, append([]string{"nix", "git", "versitygw"}, programs...)...)
	dir, err := os.MkdirTemp("/var/tmp", "snowdrop-e2e-")
	check(t, err)
	w := &world{dir: dir}
	t.Cleanup(func() {
		check(t, os.RemoveAll(dir))
		for _, left := range leftovers(t, dir) {
			t.Errorf("left behind: %s", left)
		}
	})
	for _, name := range []string{"space", "lab", "cache", "project"} {
		check(t, os.Mkdir(filepath.Join(dir, name), 0o700))
	}
	w.program = buildProgram(ctx, t, dir)
	w.project = newProject(ctx, t, filepath.Join(dir, "project"), fleet)
	w.gateway = startGateway(ctx, t, filepath.Join(dir, "space"))
	w.spy = startSpy(ctx, t, w.gateway.address)
	w.startLab(ctx, t)
	w.env = w.environment()
	w.ssh, err = remote.New(remote.Config{Env: w.lab.Getenv})
	check(t, err)
	t.Cleanup(func() { check(t, w.ssh.Close()) })
	return w
}

// startLab starts DigitalOcean's API with four droplets that run a plain Debian.
func (w *world) startLab(ctx context.Context, t *testing.T) {
	t.Helper()
	debian := filepath.Join(w.dir, "debian.raw")
	check(t, nspawn.BaseImage(ctx, tree(), debian))
	log, err := os.Create(filepath.Join(w.dir, "lab.log"))
	check(t, err)
	t.Cleanup(func() { check(t, log.Close()) })
	cfg := lab.Config{
		Real: true, Token: token, Bucket: "unused", StateDir: filepath.Join(w.dir, "lab"), Timings: lab.Fast(),
		GitHub: lab.GitHub{Tokens: forgeTokens()},
		Log:    func(line string) { _, _ = log.WriteString(line + "\n") },
	}
	for _, name := range droplets() {
		cfg.Droplets = append(cfg.Droplets, lab.DropletSpec{Name: name, ImageFile: debian})
	}
	w.lab, err = lab.Start(ctx, cfg)
	check(t, err)
	t.Cleanup(func() {
		check(t, w.lab.Close())
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the lab's log:\n%s", text)
		}
	})
}

// environment is that of the program: the lab's, but for the Space, which is the
// real one; of this process nothing but what programs need.
func (w *world) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(w.dir, "cache"), "XDG_CACHE_HOME=" + filepath.Join(w.dir, "cache"),
		"SNOWDROP_POLL=1s", "API_KEY=" + apiKey,
	}
	env = append(env, slices.DeleteFunc(w.lab.Env(), func(v string) bool { return strings.HasPrefix(v, "SPACES_") })...)
	return append(env,
		"SPACES_ENDPOINT_URL="+w.spy.URL, "SPACES_ACCESS_KEY_ID="+accessKey, "SPACES_SECRET_ACCESS_KEY="+secretKey)
}

// leftovers are mounts, loop devices and processes that are still about a directory.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	for _, path := range []string{"/proc/self/mounts", "/sys/block/loop*/loop/backing_file", "/proc/[0-9]*/cmdline"} {
		files, err := filepath.Glob(path)
		check(t, err)
		for _, file := range files {
			text, _ := os.ReadFile(file) // a process may have ended meanwhile
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, dir) {
					found = append(found, file+": "+strings.ReplaceAll(strings.TrimSpace(line), "\x00", " "))
				}
			}
		}
	}
	return found
}
