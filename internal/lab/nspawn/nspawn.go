// Package nspawn gives the lab real droplets: machines that systemd-nspawn boots
// from the very image that was uploaded, each with a disk, a network namespace
// and an address of its own. It needs Linux and root; see Check.
//
// What stands in for a hypervisor differs from one in one thing that matters: the
// kernel, its boot loader and the initrd of the image are not run. The first
// program of the image that runs is its init.
package nspawn

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotBootable says that an image cannot become a droplet: it is no disk image,
// holds no ext4 file system, or has no init. The error around it says which.
var ErrNotBootable = errors.New("image cannot be booted")

// ErrUnsupported says that this system cannot run real droplets at all.
var ErrUnsupported = errors.New("real droplets need Linux with systemd-nspawn; take simulated ones here")

// Config describes the Host of one lab.
type Config struct {
	// StateDir is where the disks lie, in a directory of the lab's own below it;
	// default /var/tmp. The disks are sparse, but a droplet of a 2 GB image may
	// fill 2 GB.
	StateDir string
	// AuthorizedKeys may log in as root on every machine (authorized_keys form).
	AuthorizedKeys []string
	// Log is told in one line each what happens; nil says nothing.
	Log func(line string)
}

func (c Config) log(format string, args ...any) {
	if c.Log != nil {
		c.Log(fmt.Sprintf(format, args...))
	}
}

// BootOptions is what the metadata service would tell a droplet at its first boot.
type BootOptions struct {
	// Hostname is the droplet's name; default: the machine's.
	Hostname string
	// AuthorizedKeys are added to those of the Config.
	AuthorizedKeys []string
}

// MissingError says what a system lacks for real droplets.
type MissingError struct {
	// Programs are not installed; Packages are Debian's names of what has them.
	Programs, Packages []string
	// NotRoot says that the process is not root.
	NotRoot bool
}

// Error names everything that is missing, and what to type.
func (e *MissingError) Error() string {
	var faults []string
	if e.NotRoot {
		faults = append(faults, "it must run as root")
	}
	if len(e.Programs) > 0 {
		faults = append(faults, fmt.Sprintf("not installed: %s (apt-get install -y %s)",
			strings.Join(e.Programs, ", "), strings.Join(e.Packages, " ")))
	}
	return "real droplets cannot run here: " + strings.Join(faults, "; ")
}
