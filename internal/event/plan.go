package event

import (
	"time"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// Action is what a plan does with a server.
type Action string

// The actions of a plan.
const (
	BuildAndRebuild Action = "build and rebuild" // there is no custom image of it yet
	RebuildOnly     Action = "rebuild"
	OnlyVerify      Action = "verify"
	DoNothing       Action = "nothing"
	OnlyEvaluated   Action = "evaluated" // what the server runs is not known
)

// ServerPlanned says what a plan does with one server, and what that changes there.
type ServerPlanned struct {
	Subject
	Action Action `json:"action"`
	// Batches are the droplets that are rebuilt, which wipes their disks, batch by
	// batch.
	Batches [][]string `json:"batches,omitempty"`
	// Packages and System compare what runs with what is planned; nil where they
	// could not be compared, which Unknown explains, or where nothing is to do.
	Packages *closure.Diff  `json:"packages,omitempty"`
	System   *toplevel.Diff `json:"system,omitempty"`
	// FromBase is what of that a pull request changes itself; nil where there is no base,
	// or where the base is what runs.
	FromBase *FromBase `json:"fromBase,omitempty"`
	// Prune are the custom images that go afterwards, Keep those that stay.
	Prune []PlannedImage `json:"prune,omitempty"`
	Keep  []PlannedImage `json:"keep,omitempty"`
	// Drift are the ways in which what runs differs from what is recorded: a sentence
	// each.
	Drift []string `json:"drift,omitempty"`
	// Unknown is what could not be known, and why: a sentence each.
	Unknown []string `json:"unknown,omitempty"`
	// Downtime is how long a droplet was away in earlier releases, from the rebuild to
	// the verified boot; 0 where there was none.
	Downtime time.Duration `json:"downtime,omitempty"`
}

// FromBase compares the base of a pull request with what is planned. What else a plan
// changes is in the base already, and was not deployed.
type FromBase struct {
	// Revision is the base.
	Revision string       `json:"revision"`
	Packages closure.Diff `json:"packages"`
}

// PlannedImage is a custom image and why it goes or stays.
type PlannedImage struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// FleetPlanned says what a plan does to the storage that is paid for: the custom
// images before and after it.
type FleetPlanned struct {
	Before Stored `json:"before"`
	After  Stored `json:"after"`
}

// Stored is what custom images take.
type Stored struct {
	Images int     `json:"images"`
	GB     float64 `json:"gb"`
	// Dollars is what they cost in a month.
	Dollars float64 `json:"dollars"`
}

// Kind implements Event.
func (ServerPlanned) Kind() string { return "server.planned" }

// Kind implements Event.
func (FleetPlanned) Kind() string { return "fleet.planned" }
