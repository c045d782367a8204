//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

// screenshots looks at the lab's pages with a browser, as people would: the pull
// request that was merged, and the check of the broken release. SNOWDROP_E2E_SCREENSHOTS
// names a folder in which the pictures stay; those of the README were made so.
func (s *stage) screenshots(ctx context.Context, t *testing.T) {
	t.Helper()
	dir := os.Getenv("SNOWDROP_E2E_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(s.dir, "screenshots")
	}
	check(t, os.MkdirAll(dir, 0o755))
	var red hub.Check
	for _, c := range s.lab.GitHub().State().Checks {
		if c.Conclusion == "failure" && strings.Contains(c.Title, "rolled back") {
			red = c
		}
	}
	for name, path := range map[string]string{
		"pull-request": "/acme/fleet/pull/1", "check": fmt.Sprintf("/acme/fleet/runs/%d", red.ID),
	} {
		file := filepath.Join(dir, name+".png")
		out, err := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
			"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
			"--user-data-dir="+filepath.Join(s.dir, "chromium"), "--window-size=1280,1900", "--screenshot="+file, s.lab.GitHubURL()+path).CombinedOutput()
		if err != nil {
			t.Errorf("take a screenshot of %s: %v\n%s", path, err, out)
			continue
		}
		if info, err := os.Stat(file); err != nil || info.Size() < 20_000 {
			t.Errorf("the screenshot of %s shows nothing: %v", path, err)
		}
	}
}
