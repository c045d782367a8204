package toplevel

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// format is raised when an older program could not read what is written, or when
	// texts are changed in another way before they are kept, which would show as changes
	// of units.
	format = 1
	// maxSnapshot is what a snapshot has unpacked at most. A system of a thousand units
	// has some 2 MiB.
	maxSnapshot = 16 << 20
)

// Snapshot is what is known of a system. It holds no store hashes except that of the
// toplevel, and no values of what looks like a secret.
type Snapshot struct {
	Format   int    `json:"format"`
	Toplevel string `json:"toplevel"`
	// Components are versions by name: nixos, kernel, initrd, systemd, openssh.
	Components   map[string]string `json:"components,omitempty"`
	KernelParams []string          `json:"kernelParams,omitempty"`
	// Units are the systemd units by name. Those of the users' managers have " (user)"
	// behind it. Nil where they could not be listed.
	Units map[string]Unit `json:"units"`
	// Firewall is which one NixOS sets up, and Ports is what it lets in.
	Firewall Firewall `json:"firewall,omitempty"`
	Ports    []string `json:"ports,omitempty"`
	// Users are the names of the users; nil where they could not be read.
	Users []string `json:"users"`
	// StateVersion is system.stateVersion. A built system does not say it: it is only
	// known where whoever took the snapshot evaluated it and set it.
	StateVersion string `json:"stateVersion,omitempty"`
	// Unknown are parts that could not be read, and why: a sentence each, without its end.
	Unknown []string `json:"unknown,omitempty"`
}

// Unit is one systemd unit with its drop-ins.
type Unit struct {
	// Text has neither comments nor empty lines. Store paths are without their hashes;
	// where one is a file of the configuration's own, six digits stand for what is in it.
	Text string `json:"text,omitempty"`
	// Unread says that the unit is there and could not be read.
	Unread bool `json:"unread,omitempty"`
}

// Firewall is the kind of a system's firewall.
type Firewall string

// The kinds. The empty one could not be read.
const (
	NoFirewall Firewall = "none"
	Iptables   Firewall = "iptables"
	Nftables   Firewall = "nftables"
)

var errTooLarge = errors.New("it has more than 16 MiB")

// Write writes a snapshot as gzipped JSON. The same snapshot gives the same bytes. It
// errors for one that Read would refuse for its size, before anything is written.
func Write(w io.Writer, s Snapshot) error {
	s.Format = format
	data, err := json.Marshal(s)
	if err == nil && len(data) > maxSnapshot {
		err = errTooLarge
	}
	if err != nil {
		return fmt.Errorf("write the snapshot of %s: %w", s.Toplevel, err)
	}
	zipped := gzip.NewWriter(w)
	if _, err := zipped.Write(data); err != nil {
		return fmt.Errorf("write the snapshot of %s: %w", s.Toplevel, err)
	}
	if err := zipped.Close(); err != nil {
		return fmt.Errorf("write the snapshot of %s: %w", s.Toplevel, err)
	}
	return nil
}

// Read reads what Write wrote. It errors for what is no snapshot, and for one that a
// later version of the program wrote in another way.
func Read(r io.Reader) (Snapshot, error) {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read the snapshot of a system: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(zipped, maxSnapshot+1))
	if err == nil && len(data) > maxSnapshot {
		err = errTooLarge
	}
	if err != nil {
		return Snapshot{}, fmt.Errorf("read the snapshot of a system: %w", err)
	}
	var s Snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return Snapshot{}, fmt.Errorf("read the snapshot of a system: %w", err)
	}
	if s.Format != format {
		return Snapshot{}, fmt.Errorf("the snapshot of a system has format %d, and this version of snowdrop reads format %d: use the version that wrote it, or a later one", s.Format, format)
	}
	return s, nil
}
