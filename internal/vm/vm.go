// Package vm runs a server as a virtual machine on this computer: the script that
// NixOS builds for it (config.system.build.vm), and the QEMU which that starts.
//
// What is set here is what the script of nixpkgs' qemu-vm.nix leaves open: it reads
// NIX_DISK_IMAGE, QEMU_NET_OPTS, QEMU_KERNEL_PARAMS, TMPDIR and the like, and hands its
// arguments to QEMU behind its own, of which the last one of a kind counts.
package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Script is what starts a virtual machine.
type Script struct {
	// Path is the program; Name what NixOS calls the machine.
	Path, Name string
	// Console is the serial port's device in the machine, such as "ttyS0".
	Console string
}

// Find finds the one script below what nix built, bin/run-NAME-vm. It errors where
// there is none, and where there are several.
func Find(built string) (Script, error) {
	pattern := filepath.Join(built, "bin", "run-*-vm")
	found, err := filepath.Glob(pattern)
	if err != nil {
		return Script{}, fmt.Errorf("look for %s: %w", pattern, err)
	}
	switch len(found) {
	case 0:
		return Script{}, fmt.Errorf("there is no bin/run-NAME-vm in %s: the server's vm has to be NixOS's config.system.build.vm", built)
	case 1:
	default:
		for i := range found {
			found[i] = filepath.Base(found[i])
		}
		return Script{}, fmt.Errorf("there are several scripts in %s/bin, and one is wanted: %s", built, strings.Join(found, ", "))
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		return Script{}, fmt.Errorf("read the script of the virtual machine: %w", err)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "run-"), "-vm")
	s := Script{Path: found[0], Name: name, Console: "ttyS0"}
	if strings.Contains(string(text), "qemu-system-aarch64") || strings.Contains(string(text), "qemu-system-arm") {
		s.Console = "ttyAMA0"
	}
	return s, nil
}

// Options are what a machine is started with.
type Options struct {
	// Disk is the file that holds its state; it is made where it is not there.
	Disk string
	// Dir is where the script keeps what else it has of state.
	Dir string
	// Memory is in MiB; 0 means what the configuration says, as it does for Cores.
	Memory, Cores int
	Forwards      []Forward
	// Lock is that of the state. The machine holds it too, and so for as long as it
	// runs, also where a signal ended this process and not the machine.
	Lock *os.File
	// Headless makes the terminal the machine's console, instead of a window.
	Headless bool
	// KernelParams are added to the kernel's command line.
	KernelParams []string
	// Args are handed to QEMU as they are.
	Args []string
}

// env is the environment of the script: that of this process, with what the options
// say. What somebody has set by hand for QEMU stays, and ours comes behind it.
func (o Options) env(s Script, environ []string) []string {
	set := map[string]string{
		"NIX_DISK_IMAGE": o.Disk,
		// Nix collects nothing that a running process names in its environment: so what
		// the machine runs from stays for as long as it does.
		"SNOWDROP_VM":   s.Path,
		"NIX_EFI_VARS":  filepath.Join(o.Dir, s.Name+"-efi-vars.fd"),
		"NIX_SWTPM_DIR": filepath.Join(o.Dir, s.Name+"-swtpm"),
	}
	var forwards []string
	for _, f := range o.Forwards {
		forwards = append(forwards, fmt.Sprintf("hostfwd=tcp:127.0.0.1:%d-:%d", f.Host, f.Guest))
	}
	params := slices.Clone(o.KernelParams)
	if o.Headless {
		params = append(params, "console="+s.Console) // the last one is where systemd speaks
	}
	for name, joined := range map[string][2]string{
		"QEMU_NET_OPTS":      {strings.Join(forwards, ","), ","},
		"QEMU_KERNEL_PARAMS": {strings.Join(params, " "), " "},
	} {
		parts := slices.DeleteFunc([]string{lookup(environ, name), joined[0]}, func(p string) bool { return p == "" })
		set[name] = strings.Join(parts, joined[1])
	}
	out := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, ours := set[name]
		return ours
	})
	for name, value := range set {
		if value != "" {
			out = append(out, name+"="+value)
		}
	}
	return out
}

func lookup(environ []string, name string) string {
	for _, v := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// args are the script's arguments.
func (o Options) args() []string {
	var args []string
	if o.Memory > 0 {
		args = append(args, "-m", strconv.Itoa(o.Memory))
	}
	if o.Cores > 0 {
		args = append(args, "-smp", strconv.Itoa(o.Cores))
	}
	if o.Headless {
		args = append(args, "-nographic")
	}
	return append(args, o.Args...)
}

// ParseMemory reads a size of memory in MiB: "2048", "2048M", "2G", "2GiB".
func ParseMemory(text string) (int, error) {
	number, unit := text, ""
	if i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		number, unit = text[:i], text[i:]
	}
	factor, known := map[string]int{"": 1, "M": 1, "MB": 1, "MIB": 1, "G": 1024, "GB": 1024, "GIB": 1024}[strings.ToUpper(strings.TrimSpace(unit))]
	n, err := strconv.Atoi(number)
	if err != nil || !known || n <= 0 || n > 1<<30/factor {
		return 0, fmt.Errorf("%q is not a size of memory: write 2G, or 2048 for so many MiB", text)
	}
	return n * factor, nil
}

// Forward is a port of this computer's loopback that leads to one of the machine.
type Forward struct{ Host, Guest int }

// ParseForwards reads HOST:GUEST, and returns all faults in one error: what is no
// port, and what is asked for twice.
func ParseForwards(texts []string) ([]Forward, error) {
	var (
		forwards []Forward
		faults   []error
	)
	for _, text := range texts {
		host, guest, ok := strings.Cut(text, ":")
		f := Forward{port(host), port(guest)}
		switch {
		case !ok || f.Host == 0 || f.Guest == 0:
			faults = append(faults, fmt.Errorf("%q is not HOST:GUEST, two ports between 1 and 65535, as in 2222:22", text))
			continue
		case slices.ContainsFunc(forwards, func(o Forward) bool { return o.Host == f.Host }):
			faults = append(faults, fmt.Errorf("%q: port %d of this computer leads to another port already", text, f.Host))
		}
		forwards = append(forwards, f)
	}
	return forwards, errors.Join(faults...)
}

// port is 0 for what is no port.
func port(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 65535 {
		return 0
	}
	return n
}
