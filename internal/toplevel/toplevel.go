// Package toplevel compares two NixOS systems by what people know them by: units,
// kernel, open ports, users. A system is known by a Snapshot of its toplevel, which
// a deploy leaves in the Space, because the store path itself is gone by the time
// of the next one.
package toplevel

// Diff is what is different between two systems.
type Diff struct {
	Units []UnitChange `json:"units,omitempty"`
	// Components are parts that have a version: nixos, kernel, initrd, systemd, openssh.
	Components []Component `json:"components,omitempty"`
	// PortsOpened and PortsClosed are those of the firewall, as "tcp 443".
	PortsOpened []string `json:"portsOpened,omitempty"`
	PortsClosed []string `json:"portsClosed,omitempty"`
	// UsersAdded and UsersRemoved are names.
	UsersAdded   []string `json:"usersAdded,omitempty"`
	UsersRemoved []string `json:"usersRemoved,omitempty"`
	// StateVersionBefore and StateVersionAfter are set where system.stateVersion
	// changed, which is hardly ever meant.
	StateVersionBefore string `json:"stateVersionBefore,omitempty"`
	StateVersionAfter  string `json:"stateVersionAfter,omitempty"`
	// Unknown are parts that could not be compared, and why: a sentence each, without its
	// end.
	Unknown []string `json:"unknown,omitempty"`
}

// UnitChange is one systemd unit that is not what it was.
type UnitChange struct {
	Name string `json:"name"`
	// Kind is added, removed or changed.
	Kind string `json:"kind"`
	// Lines are the lines that changed, each with "+" or "-" before it. Behind them
	// are the packages that it names in another version. Where there are too many, the
	// last one is "… 12 more lines".
	Lines []string `json:"lines,omitempty"`
	// OnlyVersions says that nothing but versions of packages changed in it.
	OnlyVersions bool `json:"onlyVersions,omitempty"`
	// OnSwitch is what a switch does with a changed unit that runs: restart, reload or
	// nothing; empty for units of users' managers, aliases and masked units. A rebuild
	// starts all anew.
	OnSwitch string `json:"onSwitch,omitempty"`
}

// Component is a part of the system that has a version.
type Component struct {
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Empty says whether nothing is different, as far as is known.
func (d Diff) Empty() bool {
	return len(d.Units)+len(d.Components)+len(d.PortsOpened)+len(d.PortsClosed)+len(d.UsersAdded)+len(d.UsersRemoved) == 0 &&
		d.StateVersionBefore == d.StateVersionAfter
}
