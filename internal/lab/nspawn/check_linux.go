package nspawn

import (
	"os"
	"os/exec"
	"slices"
)

// Check says whether real droplets can run here. Its error is a *MissingError.
func Check() error {
	needed := []struct{ program, debian string }{
		{"systemd-nspawn", "systemd-container"},
		{"ip", "iproute2"},
		{"qemu-img", "qemu-utils"},
		{"mke2fs", "e2fsprogs"},
		{"mount", "mount"},
	}
	missing := MissingError{NotRoot: os.Geteuid() != 0}
	for _, need := range needed {
		if _, err := exec.LookPath(need.program); err != nil {
			missing.Programs = append(missing.Programs, need.program)
			missing.Packages = append(missing.Packages, need.debian)
		}
	}
	missing.Packages = slices.Compact(missing.Packages)
	if missing.NotRoot || len(missing.Programs) > 0 {
		return &missing
	}
	return nil
}
