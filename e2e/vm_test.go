//go:build linux && e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vmFleetFile is that of a project whose server is run as a virtual machine. Nothing
// of it is deployed.
const vmFleetFile = `flake: .
space: {bucket: ` + bucket + `, region: ` + region + `}
nix:
  options: {sandbox: "false", build-users-group: "", substituters: ""}
servers:
  web:
    verify:
      units: [web.service]
      http: [{url: "http://{{.IPv4}}:8080/healthz"}, {url: "https://www.example.com/"}]
      tcp: [22, 8080]
      run: ['grep -q "^QEMU" /sys/class/dmi/id/sys_vendor']
      soak: 2s
`

// kernel is Debian's, which e2e/kernel fetches.
func kernel() string {
	if dir := os.Getenv("SNOWDROP_E2E_KERNEL"); dir != "" {
		return dir
	}
	return "/var/cache/snowdrop-e2e/kernel"
}

// TestVM verifies a server in QEMU, one whose unit fails, and runs it attached. There
// is no token and no key in its environment, and no authorized key in the image.
func TestVM(t *testing.T) {
	ctx := testContext(t)
	need(t, "nix", "git", "qemu-system-x86_64", "qemu-img")
	if _, err := os.Stat(filepath.Join(kernel(), "initrd")); err != nil {
		t.Fatalf("no kernel for virtual machines; e2e/run fetches it: %v", err)
	}
	dir, err := os.MkdirTemp("/var/tmp", "snowdrop-e2e-")
	check(t, err)
	home := filepath.Join(dir, "home")
	check(t, os.MkdirAll(filepath.Join(home, "tmp"), 0o700))
	t.Cleanup(func() {
		for _, left := range leftovers(t, dir) {
			t.Errorf("left behind: %s", left)
		}
		check(t, os.RemoveAll(dir))
	})
	w := &world{dir: dir, program: buildProgram(ctx, t, dir), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + filepath.Join(home, "tmp"),
	}}
	w.project = newProject(ctx, t, filepath.Join(dir, "project"), vmFleetFile)
	base, err := os.ReadFile(filepath.Join(w.project.dir, "base.nix"))
	check(t, err)
	w.project.write(t, "base.nix", strings.ReplaceAll(string(base), "/var/cache/snowdrop/kernel", kernel()))
	t.Cleanup(func() { w.forgetMachines(t) })

	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *world)
	}{
		{"a good system is verified", vmVerified},
		{"it runs attached, once, and its disk can be reset", vmAttached},
		{"a unit that fails is named, with the console", vmFailed},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, w) }) {
			t.FailNow()
		}
	}
	left, err := filepath.Glob(filepath.Join(home, "tmp", "*"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func vmVerified(ctx context.Context, t *testing.T, w *world) {
	w.project.release(ctx, t, 1)
	run := w.snowdrop(ctx, t, "vm", "web", "--verify", "--json") // with all evidence
	run.demand(t, 0, `"outcome":"verified"`, "https://www.example.com/ is left out", "http http://10.0.2.15:8080/healthz", "tcp 8080", `"steady"`)
	if logs := w.vmLogs(t); len(logs) > 0 {
		t.Errorf("logs are kept of what went well: %v", logs)
	}
}

func vmFailed(ctx context.Context, t *testing.T, w *world) {
	w.project.release(ctx, t, 2, `bin/httpd 8080`, `bin/httpd eighty`, "Restart=on-failure", "Restart=no")
	run := w.snowdrop(ctx, t, "vm", "web", "--verify")
	run.demand(t, 1, "unit web.service: failed", "last lines of web.service", "last lines of the virtual machine's console")
	logs := w.vmLogs(t)
	if len(logs) != 1 || !strings.Contains(run.text, logs[0]) {
		t.Fatalf("the logs %v are not those that were named:\n%s", logs, run.text)
	}
	text, err := os.ReadFile(logs[0])
	check(t, err)
	for _, want := range []string{"Linux version", "web.service"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the console did not say %q", want)
		}
	}
}

// vmAttached starts a machine that is halted before its first instruction.
func vmAttached(ctx context.Context, t *testing.T, w *world) {
	halted := w.start(ctx, t, "vm", "web", "--headless", "--memory", "256M", "--", "-S")
	disk := filepath.Join(w.dir, "home", ".local", "state", "snowdrop", "vm", "web-*", "web.qcow2")
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if found, err := filepath.Glob(disk); err == nil && len(found) == 1 && qemuRuns(found[0]) {
			break
		}
		if ctx.Err() != nil || time.Since(start) > 3*time.Minute {
			_ = halted.cmd.Process.Signal(syscall.SIGTERM)
			t.Fatalf("no QEMU runs on %s:\n%s", disk, halted.wait(t).text)
		}
	}
	w.snowdrop(ctx, t, "vm", "web", "--headless").demand(t, 1, "the virtual machine runs already")
	check(t, halted.cmd.Process.Signal(syscall.SIGTERM))
	halted.wait(t).demand(t, 130, "disk: ")

	w.snowdrop(ctx, t, "vm", "web", "--headless", "--reset", "--", "-version").demand(t, 0, "removed ", "web.qcow2", "QEMU emulator version")
	w.snowdrop(ctx, t, "vm", "web", "--forward", "22", "--memory", "much").demand(t, 2, "--forward", "--memory")
	w.snowdrop(ctx, t, "vm", "web", "--revision", w.project.revisions[0], "--headless", "--", "-version").demand(t, 0, "QEMU emulator version")
}

// qemuRuns says whether a process has a disk open.
func qemuRuns(disk string) bool {
	files, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return false
	}
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && target == disk {
			return true
		}
	}
	return false
}

func (w *world) vmLogs(t *testing.T) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(w.dir, "home", ".cache", "snowdrop", "logs", "vm-*.log"))
	check(t, err)
	return logs
}

// forgetMachines removes the images and scripts of all releases from the Nix store.
func (w *world) forgetMachines(t *testing.T) {
	t.Helper()
	var paths []string
	for _, revision := range w.project.revisions {
		attribute := "git+file://" + w.project.dir + "?rev=" + revision + "#nixosConfigurations.web.config.system.build"
		out, err := nix(t, "eval", "--json", attribute, "--apply", "b: [ b.vm.outPath b.digitalOceanImage.outPath ]").Output()
		if err != nil {
			t.Errorf("find what was built of %s: %v", revision, err)
			continue
		}
		var found []string
		check(t, json.Unmarshal(out, &found))
		for _, path := range found {
			if _, err := os.Stat(path); err == nil {
				paths = append(paths, path)
			}
		}
	}
	if out, err := nix(t, append([]string{"store", "delete"}, paths...)...).CombinedOutput(); err != nil {
		t.Errorf("remove what was built from the Nix store: %v\n%s", err, out)
	}
}
