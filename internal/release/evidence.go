package release

import (
	"slices"
	"time"
)

// Evidence is what a verification saw. It is verified only if no check failed.
type Evidence struct {
	At time.Time `json:"at"`
	// Took is the time from the first look to the end of the soak.
	Took     time.Duration `json:"took"`
	BootID   string        `json:"bootId"`
	System   string        `json:"system"`
	State    string        `json:"state"` // the word of systemctl is-system-running
	Checks   []Check       `json:"checks"`
	Failed   []Unit        `json:"failed,omitempty"`
	HostKeys []string      `json:"hostKeys,omitempty"`
}

// Check is one thing that was looked at: "boot", "system", "state",
// "unit nginx.service", "http http://…", "tcp 22", "run …", "soak".
type Check struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Want and Got are what was expected and seen, in a few words.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
}

// Unit is a systemd unit that is not as it should be.
type Unit struct {
	Name string `json:"name"`
	// User is the user whose manager runs it; empty for a system unit.
	User string `json:"user,omitempty"`
	// Load is the LoadState where the unit is not loaded: not-found, masked, ….
	Load       string   `json:"load,omitempty"`
	Active     string   `json:"active"`           // ActiveState
	Sub        string   `json:"sub,omitempty"`    // SubState
	Result     string   `json:"result,omitempty"` // systemd's Result
	ExitStatus int      `json:"exitStatus,omitempty"`
	Restarts   int      `json:"restarts,omitempty"` // NRestarts
	Allowed    bool     `json:"allowed,omitempty"`  // named in allow-failed
	Journal    []string `json:"journal,omitempty"`  // the last lines
}

// Clone returns a copy that shares nothing with e.
func (e *Evidence) Clone() *Evidence {
	c := *e
	c.Checks, c.Failed, c.HostKeys = slices.Clone(e.Checks), slices.Clone(e.Failed), slices.Clone(e.HostKeys)
	for i := range c.Failed {
		c.Failed[i].Journal = slices.Clone(c.Failed[i].Journal)
	}
	return &c
}

// OK says whether every check held.
func (e *Evidence) OK() bool {
	if e == nil || len(e.Checks) == 0 {
		return false
	}
	for _, c := range e.Checks {
		if !c.OK {
			return false
		}
	}
	return true
}

// Failures are the checks that did not hold.
func (e *Evidence) Failures() []Check {
	var failed []Check
	if e != nil {
		for _, c := range e.Checks {
			if !c.OK {
				failed = append(failed, c)
			}
		}
	}
	return failed
}
