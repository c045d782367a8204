//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/lab/nspawn"
)

// limit ends everything while there is still time to clean up after it.
const limit = 15 * time.Minute

// tree is the Debian that the images are made of, which e2e/run makes.
func tree() string {
	if dir := os.Getenv("SNOWDROP_E2E_TREE"); dir != "" {
		return dir
	}
	return "/var/cache/snowdrop-e2e/trixie"
}

// testContext ends with the test, after limit, or when somebody interrupts it: in
// each case machines, mounts and processes are cleaned up.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, stop := signal.NotifyContext(context.WithoutCancel(t.Context()), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	return ctx
}

// need fails at once, with everything that is missing.
func need(t *testing.T, programs ...string) {
	t.Helper()
	var missing []string
	if err := nspawn.Check(); err != nil {
		missing = append(missing, err.Error())
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, err.Error())
		}
	}
	if _, err := os.Stat(filepath.Join(tree(), "usr/lib/systemd/systemd")); err != nil {
		missing = append(missing, fmt.Sprintf("no Debian tree: %v", err))
	}
	if len(missing) > 0 {
		t.Fatalf("something is missing; e2e/run installs it:\n%v", missing)
	}
}

// check fails the test on an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// output runs a program and returns what it printed.
func output(ctx context.Context, t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return string(out)
}
