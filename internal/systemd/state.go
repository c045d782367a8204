// Package systemd looks at a machine's systemd over SSH: which boot it is, which
// system runs, and how its units are.
package systemd

import (
	"time"

	"github.com/versatus/snowdrop/internal/release"
)

// Command is what the look's script is given to, on its standard input.
const Command = "sh -s"

// Marker is the script's first line. The second is RequestPrefix and the Request
// as JSON, so that a simulated machine can answer without a shell.
const (
	Marker        = "# snowdrop-look v1"
	RequestPrefix = "# request: "
)

// Request says what to look at beside the machine as a whole.
type Request struct {
	// Units are system units that should be active.
	Units []string `json:"units,omitempty"`
	// UserUnits are units of users' managers, by user name.
	UserUnits map[string][]string `json:"userUnits,omitempty"`
	// AllowFailed are units whose failure does not count; globs are allowed. A
	// glob "deploy/name.service" is for a unit of that user's manager.
	AllowFailed []string `json:"allowFailed,omitempty"`
	// JournalLines is how many of the last lines are brought of each unit that is
	// not as it should be; 0 means 10.
	JournalLines int `json:"journalLines,omitempty"`
}

// State is what one look saw.
type State struct {
	BootID string
	// System is the path behind /run/current-system; empty where there is none,
	// as on a machine that is not NixOS.
	System string
	// Claim is what the machine says of itself; nil where it says nothing.
	Claim  *Claim
	Uptime time.Duration
	// Word is systemctl is-system-running's: running, degraded, starting, …
	Word string
	// Units are the wanted ones, in the order of the request: system units first,
	// then those of users by user name.
	Units []release.Unit
	// Failed are all failed units of the system and of the users that were asked
	// for. Allowed is set as the Request says.
	Failed []release.Unit
	// Restarted are the system's services that systemd has restarted since the boot;
	// of their fields Name, Restarts and Allowed are set.
	Restarted []release.Unit
	// Jobs are the jobs that are waiting or running, as systemctl list-jobs names
	// them ("nginx.service start running"); only while the system is starting.
	Jobs []string
	// HostKeys are the machine's public SSH host keys in authorized_keys form.
	HostKeys []string
	// Loaded are the names of the units that systemd knows; only where a wanted
	// unit was not found.
	Loaded []string
	// Notes are what a person should know about the look itself, such as a journal
	// that could not be read or a user without lingering.
	Notes []string
}

// NotFound says of a wanted unit that systemd has no such unit.
func NotFound(u release.Unit) bool { return u.Load == loadNotFound }

const loadNotFound = "not-found"
