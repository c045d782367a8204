package install

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/remote"
)

// script finds out what a host is; see parse for what it prints.
//
//go:embed look.sh
var script string

// lookTimeout bounds the look.
const lookTimeout = time.Minute

// Facts are what a host said of itself.
type Facts struct {
	// OS is that of uname, Arch its machine, Kernel its release.
	OS, Arch, Kernel string
	// Distribution is the name in os-release, ID its id.
	Distribution, ID string
	// Installer says that a NixOS installer runs, which leaves no need of a kexec.
	Installer bool
	BootID    string
	// System is the NixOS system that runs; empty where none does.
	System string
	Root   bool
	// Sudo is the program that gives root without a password, or empty.
	Sudo string
	// Container is the kind of container that it is, or empty.
	Container string
	// KexecOff is why the kernel loads no other kernel, or empty.
	KexecOff string
	// Memory is in bytes, swap excluded.
	Memory int64
	// Missing are the programs that nixos-anywhere needs there and that are missing.
	Missing []string
	Disks   []Disk
	// DisksUnknown is why Disks is empty.
	DisksUnknown string
	// Devices are the files in /dev that were asked for, each with what it is in
	// truth; one that is not there is empty.
	Devices map[string]string
	// HostKeys are its public host keys, in authorized_keys form: first the one that
	// it has proven.
	HostKeys []string
	// Trust is why the host key was accepted.
	Trust remote.Trust
}

// Look asks a host, once, for all that decides whether it can be installed.
// devices are the disks that would be formatted. It changes nothing there. Its
// errors are those of Dial, or say what the answer lacks.
func Look(ctx context.Context, d Dialer, t remote.Target, devices []string) (Facts, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lookTimeout, fmt.Errorf("%w after %s", remote.ErrTimeout, lookTimeout))
	defer cancel()
	conn, err := d.Dial(ctx, t)
	if err != nil {
		return Facts{}, err //nolint:wrapcheck // it says whom and why
	}
	defer conn.Close() //nolint:errcheck // all was seen
	command := "sh -s --"
	for _, device := range devices {
		command += " '" + strings.ReplaceAll(device, "'", `'\''`) + "'"
	}
	res, err := conn.Run(ctx, command, strings.NewReader(script))
	if err != nil {
		return Facts{}, fmt.Errorf("look at %s: %w", t, err)
	}
	facts, err := parse(string(res.Stdout))
	if err != nil {
		said := strings.TrimSpace(string(res.Stderr))
		return facts, fmt.Errorf("look at %s: %w (exit status %d; it said: %.300s)", t, err, res.Exit, said)
	}
	facts.HostKeys = unique(append([]string{conn.HostKey()}, facts.HostKeys...))
	facts.Trust = conn.Trust()
	return facts, nil
}
