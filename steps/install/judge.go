package install

import (
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/anywhere"
)

// The memory that the installer wants, which lives in it: its authors ask for 1.5 GB,
// swap not counted. A little less is missing from every machine, for the kernel.
const (
	leastMemory  = 900 << 20
	wantedMemory = 1400 << 20
)

// Want is what is to be done with a host.
type Want struct {
	Phases []anywhere.Phase
	// Platform is what the configuration is for, as in "x86_64-linux", or empty.
	Platform string
	// Devices are the disks that disko formats; none where they are not known.
	Devices []string
}

func (w Want) does(p anywhere.Phase) bool { return slices.Contains(w.Phases, p) }

// Judge says what keeps a host from being installed, all of it, and of what its
// owner should know.
func Judge(f Facts, w Want) (faults []error, cautions []string) {
	no := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...)) //nolint:err113 // each is said once
	}
	if f.OS != "Linux" {
		no("it runs %s: nixos-anywhere starts from Linux", f.OS)
		return faults, nil
	}
	if !f.Root && f.Sudo == "" {
		no("its user is not root and has neither sudo nor doas without a password: log in as root (--ssh-user root), or allow it (NOPASSWD in sudoers)")
	}
	if !f.Root && !w.does(anywhere.Kexec) {
		no("without the phase kexec nixos-anywhere logs in as root: add --ssh-user root")
	}
	if f.Container != "" {
		no("it is a container (%s): there is no kernel of its own and no disk to install on", f.Container)
	}
	if platform := f.platform(); w.Platform != "" && platform != "" && platform != w.Platform {
		no("it is %s, and the configuration is for %s: set nixpkgs.hostPlatform", platform, w.Platform)
	}
	switch {
	case f.Installer:
	case w.does(anywhere.Kexec):
		more, warn := f.judgeKexec()
		faults, cautions = append(faults, more...), append(cautions, warn...)
	default:
		no("it runs %s, not the NixOS installer: the phases %s go on where a kexec ended; add kexec to them", f, anywhere.Join(w.Phases))
	}
	if w.does(anywhere.Disko) {
		for _, device := range w.Devices {
			if f.Devices[device] == "" {
				no("it has no %s, which the configuration's disko.devices formats; %s", device, f.disks())
			}
		}
		if named := f.byOrder(w); len(named) > 0 {
			cautions = append(cautions, fmt.Sprintf("the installer's kernel may give %s to another of its %d disks than the kernel that runs: name disks in disko.devices by /dev/disk/by-id",
				strings.Join(named, ", "), len(f.Disks)))
		}
		if f.DisksUnknown != "" {
			cautions = append(cautions, "what is on its disks is not known: "+f.DisksUnknown)
		}
	}
	return faults, cautions
}

// byOrder are devices whose names a kernel gives in the order in which it finds the
// disks, on a host with several, where another kernel is to format them.
func (f Facts) byOrder(w Want) []string {
	if len(f.Disks) < 2 || f.Installer {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.Devices), func(device string) bool { return f.Devices[device] != device })
}

// judgeKexec looks at what leaving the former system needs.
func (f Facts) judgeKexec() (faults []error, cautions []string) {
	if f.KexecOff != "" {
		faults = append(faults, fmt.Errorf("its kernel cannot start another one: %s. Boot a NixOS installer on it, and leave out the phase kexec", f.KexecOff))
	}
	if arch := f.Arch; arch != "x86_64" && arch != "aarch64" {
		faults = append(faults, fmt.Errorf("it is %s: there is an installer for x86_64 and aarch64", arch))
	}
	if len(f.Missing) > 0 {
		faults = append(faults, fmt.Errorf("it lacks %s, which nixos-anywhere needs there: install them", strings.Join(f.Missing, ", ")))
	}
	switch {
	case f.Memory == 0:
		cautions = append(cautions, "how much memory it has is not known; the installer needs 1.5 GB")
	case f.Memory < leastMemory:
		faults = append(faults, fmt.Errorf("it has %s of memory: the installer, which lives there, needs 1.5 GB", Size(f.Memory)))
	case f.Memory < wantedMemory:
		cautions = append(cautions, fmt.Sprintf("it has %s of memory, the installer asks for 1.5 GB: the kexec may fail, and the machine then needs a reset", Size(f.Memory)))
	}
	return faults, cautions
}

// platform is the host's as Nix calls it; empty for one that Nix calls otherwise.
func (f Facts) platform() string {
	if f.Arch == "x86_64" || f.Arch == "aarch64" {
		return f.Arch + "-linux"
	}
	return ""
}

func (f Facts) disks() string {
	if len(f.Disks) == 0 {
		return "its disks are not known"
	}
	names := make([]string, len(f.Disks))
	for i, d := range f.Disks {
		names[i] = d.Device
	}
	return "it has " + strings.Join(names, ", ")
}

// Wiped are the disks that disko formats: those of the configuration, or all where
// it does not say which; certain is false then.
func Wiped(f Facts, w Want) (disks []Disk, certain bool) {
	if !w.does(anywhere.Disko) {
		return nil, true
	}
	if len(w.Devices) == 0 {
		return f.Disks, false
	}
	for _, device := range w.Devices {
		is := f.Devices[device]
		at := slices.IndexFunc(f.Disks, func(d Disk) bool { return d.Device == is })
		switch {
		case at >= 0:
			disks = append(disks, f.Disks[at])
		case is != "":
			disks = append(disks, Disk{Device: is, Holds: []string{"not among the disks that lsblk shows"}})
		}
	}
	return disks, true
}
