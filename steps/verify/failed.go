package verify

import (
	"net"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
	"github.com/versatus/snowdrop/internal/systemd"
)

// FailedError says that a droplet is not as it should be. It carries the evidence.
type FailedError struct {
	Target   remote.Target
	Evidence release.Evidence
	// Notes are the look's own, such as a journal that could not be read.
	Notes []string
	// Err is why the droplet could not be looked at; nil where it could.
	Err error
}

// Unwrap is the error of a droplet that could not be looked at.
func (e *FailedError) Unwrap() error { return e.Err }

// Error says what did not hold, with the units' last journal lines and what to
// type next; it has several lines.
func (e *FailedError) Error() string {
	var b strings.Builder
	b.WriteString(e.Target.String() + " is not verified:")
	failures := e.Evidence.Failures()
	for _, c := range failures {
		b.WriteString("\n  " + c.Name + ": " + c.Got)
		if c.Want != "" {
			b.WriteString(" (expected: " + c.Want + ")")
		}
	}
	for _, u := range unexpected(e.Evidence.Failed) {
		if len(u.Journal) > 0 {
			b.WriteString("\n  last lines of " + fullName(u) + ":")
		}
		for _, line := range u.Journal {
			b.WriteString("\n    | " + line)
		}
	}
	for _, n := range e.Notes {
		b.WriteString("\n  note: " + n)
	}
	if next := e.Next(); next != "" {
		b.WriteString("\nlook closer: " + next)
	}
	return b.String()
}

// Next is a command worth typing now, or empty where there is none.
func (e *FailedError) Next() string {
	if e.Target.Address == "" { // it is gone
		return ""
	}
	if e.Err != nil {
		return "nc -vz " + e.Target.Address + " " + strconv.Itoa(port(e.Target)) + "  (or the droplet's console in the control panel)"
	}
	login := e.Target.User
	if login == "" {
		login = "root"
	}
	ssh := "ssh"
	if p := port(e.Target); p != 22 {
		ssh += " -p " + strconv.Itoa(p)
	}
	if j := e.Target.Jump; j != nil {
		ssh += " -J " + jumpWord(j.User, j.Host, j.Port)
	}
	ssh += " " + login + "@" + e.Target.Address + " "
	units := unexpected(e.Evidence.Failed)
	switch {
	case isStarting(e.Evidence.State):
		return ssh + "systemctl list-jobs"
	case len(units) == 0:
		return ssh + "journalctl -b -p warning -n 100"
	case systemd.NotFound(units[0]):
		return ssh + "systemctl list-unit-files"
	case units[0].User != "":
		return ssh + "journalctl -b -n 100 _SYSTEMD_USER_UNIT=" + units[0].Name
	default:
		return ssh + "journalctl -b -n 100 -u " + units[0].Name
	}
}

func port(t remote.Target) int {
	if t.Port == 0 {
		return 22
	}
	return t.Port
}

func jumpWord(user, host string, port int) string {
	if user != "" {
		host = user + "@" + host
	}
	if port != 0 && port != 22 {
		host = net.JoinHostPort(host, strconv.Itoa(port))
	}
	return host
}
