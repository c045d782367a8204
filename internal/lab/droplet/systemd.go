package droplet

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/release"
)

// unit is one unit of the system's manager (user "") or of a user's.
type unit struct {
	name, user string
	want       string // the ActiveState that it reaches when it is started
	needs      []string
	fails      *release.Unit // how it fails, if it does
	loops      bool          // it is restarted for ever after it failed

	// What it is now; before startedAt + the time to start it is activating.
	active, sub, result string
	exit                int
	startedAt           time.Time
	startFor            time.Duration
}

// unitState is a unit as systemctl shows it at one moment.
type unitState struct {
	active, sub, result string
	exit, restarts      int
}

// manager is the systemd of one boot. It is driven by the clock: nothing runs.
type manager struct {
	sshAt, upAt time.Time
	hang        bool
	restart     time.Duration
	start       time.Duration
	units       []*unit
	journal     []entry
	files       view
}

// entry is one line of the journal.
type entry struct {
	at         time.Time
	unit, user string
	who        string
	priority   int
	message    string
}

var errNoUnit = errors.New("unit not found")

// newManager starts every unit of the boot's Spec, as far as its files are there.
func newManager(b *boot, t Timings, files view) *manager {
	m := &manager{
		sshAt: b.at.Add(t.SSH), upAt: b.at.Add(t.SSH + t.Units), restart: max(t.Restart, time.Millisecond),
		start: t.Start, hang: b.spec.Boot == disk.BootHang, files: files,
	}
	for _, name := range baseUnits(b.spec) {
		m.units = append(m.units, &unit{name: name, want: "active"})
	}
	for name, want := range b.spec.Units {
		m.add(unit{name: name, want: want})
	}
	for user, units := range b.spec.UserUnits {
		for name, want := range units {
			m.add(unit{name: name, user: user, want: want})
		}
	}
	for _, n := range b.spec.Needs {
		u := m.add(unit{name: n.Unit, want: "active"})
		u.needs = append(u.needs, n.Path)
	}
	m.spoil(b.spec)
	slices.SortFunc(m.units, func(a, b *unit) int { return strings.Compare(a.user+"\x00"+a.name, b.user+"\x00"+b.name) })
	for _, u := range m.units {
		m.launch(u, b.at, t.SSH+t.Units)
	}
	return m
}

// baseUnits are what every system has.
func baseUnits(s disk.Spec) []string {
	units := []string{"dbus.service", "sshd.service", "systemd-journald.service", "systemd-networkd.service", "systemd-udevd.service"}
	if s.System != "" {
		units = append(units, "digitalocean-metadata.service", "digitalocean-set-hostname.service", "nix-daemon.socket")
	}
	return units
}

// add returns the unit of that name, made if it is not there yet.
func (m *manager) add(u unit) *unit {
	if old := m.find(u.name, u.user); old != nil {
		old.want = u.want
		return old
	}
	m.units = append(m.units, &u)
	return &u
}

func (m *manager) find(name, user string) *unit {
	for _, u := range m.units {
		if u.name == name && u.user == user {
			return u
		}
	}
	return nil
}

// spoil lets units fail as the boot behaviour wants.
func (m *manager) spoil(s disk.Spec) {
	if s.Boot != disk.BootFailedUnit && s.Boot != disk.BootCrashLoop {
		return
	}
	failed := slices.Clone(s.Failed)
	if len(failed) == 0 {
		failed = []release.Unit{defaultFailure(s)}
	}
	for i := range failed {
		u := m.add(unit{name: failed[i].Name, user: failed[i].User, want: "active"})
		u.fails = &failed[i]
		u.loops = s.Boot == disk.BootCrashLoop
	}
}

// defaultFailure lets the first unit fail of a Spec that names none.
func defaultFailure(s disk.Spec) release.Unit {
	var names []string
	for name := range s.Units {
		names = append(names, name)
	}
	slices.Sort(names)
	name := append(names, "app.service")[0]
	return release.Unit{Name: name, Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1, Journal: []string{
		"reading configuration", "error: cannot bind to 0.0.0.0:80: address already in use",
	}}
}

// launch starts a unit at a time; it gets to its state after d. It says whether the
// unit starts well.
func (m *manager) launch(u *unit, at time.Time, d time.Duration) bool {
	u.startedAt, u.startFor = at, d
	u.active, u.sub, u.result, u.exit = or(u.want, "active"), "running", "success", 0
	if u.active != "active" {
		u.sub = "dead"
	}
	m.log(u, at, 6, "systemd", "Starting "+u.name+"...")
	at = at.Add(d)
	for _, path := range u.needs {
		if _, err := m.files.stat(path, true); err != nil {
			m.log(u, at, 3, command(u), "cannot open "+path+": No such file or directory")
			return m.failed(u, at, "failed", "exit-code", 1)
		}
	}
	if f := u.fails; f != nil {
		for _, line := range f.Journal {
			m.log(u, at, 3, command(u), line)
		}
		return m.failed(u, at, or(f.Active, "failed"), or(f.Result, "exit-code"), or(f.ExitStatus, 1))
	}
	m.log(u, at, 6, "systemd", "Started "+u.name+".")
	return true
}

func (m *manager) failed(u *unit, at time.Time, active, result string, exit int) bool {
	u.active, u.sub, u.result, u.exit = active, "failed", result, exit
	m.log(u, at, 5, "systemd", fmt.Sprintf("%s: Main process exited, code=exited, status=%d/FAILURE", u.name, exit))
	m.log(u, at, 4, "systemd", fmt.Sprintf("%s: Failed with result '%s'.", u.name, result))
	m.log(u, at, 3, "systemd", "Failed to start "+u.name+".")
	return false
}

func command(u *unit) string { return strings.TrimSuffix(u.name, ".service") }

func (m *manager) log(u *unit, at time.Time, priority int, who, message string) {
	m.journal = append(m.journal, entry{at, u.name, u.user, who, priority, message})
}

// state is what a unit is at a time.
func (m *manager) state(u *unit, now time.Time) unitState {
	ready := u.startedAt.Add(u.startFor)
	s := unitState{u.active, u.sub, u.result, u.exit, 0}
	switch {
	case u.loops && u.fails != nil && !now.Before(ready):
		crashes := now.Sub(ready) / m.restart
		s.restarts = int(crashes)
		if now.Sub(ready)%m.restart < m.restart/2 {
			s.active, s.sub, s.result, s.exit = "active", "running", "success", 0
		} else {
			s.active, s.sub = "activating", "auto-restart"
		}
	case now.Before(ready) && (u.active == "active" || u.active == "failed"),
		m.hang && len(m.waiting()) > 0 && u == m.waiting()[0]:
		s = unitState{active: "activating", sub: "start", result: "success"}
	}
	return s
}

// waiting are the units that a hanging boot waits for.
func (m *manager) waiting() []*unit {
	var found []*unit
	for _, u := range m.units {
		if u.user == "" && u.want == "active" && !slices.Contains(baseUnits(disk.Spec{System: "x"}), u.name) {
			found = append(found, u)
		}
	}
	return found
}

// word is what systemctl is-system-running says.
func (m *manager) word(now time.Time) string {
	switch {
	case now.Before(m.sshAt):
		return "initializing"
	case m.hang || now.Before(m.upAt):
		return "starting"
	}
	for _, u := range m.units {
		if u.user == "" && m.state(u, now).active == "failed" {
			return "degraded"
		}
	}
	return "running"
}

// lines is the journal of some units up to now, all of it if none is named.
func (m *manager) lines(now time.Time, match func(entry) bool) []entry {
	var found []entry
	for _, e := range m.journal {
		if !e.at.After(now) && match(e) {
			found = append(found, e)
		}
	}
	for _, u := range m.units {
		if u.loops && u.fails != nil {
			for i := range min(m.state(u, now).restarts, 20) {
				at := u.startedAt.Add(u.startFor + time.Duration(i+1)*m.restart)
				e := entry{at, u.name, u.user, "systemd", 6, fmt.Sprintf("%s: Scheduled restart job, restart counter is at %d.", u.name, i+1)}
				if match(e) {
					found = append(found, e)
				}
			}
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int { return a.at.Compare(b.at) })
	return found
}
