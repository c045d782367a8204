package activate

import (
	_ "embed"
	"strconv"
	"time"
)

// The parts of the scripts, which are plain POSIX sh.
//
//go:embed common.sh
var commonScript string

//go:embed unit.sh
var unitScript string

//go:embed start.sh
var startScript string

//go:embed look.sh
var lookScript string

//go:embed dry.sh
var dryScript string

// The first and last line of every answer.
const (
	firstLine = "== snowdrop-switch v1"
	lastLine  = "== end"
)

// logLines is how many of a log's last lines are brought.
const logLines = 60

// words make the scripts of one switch. Every value is a path that was checked, a
// number, or a word of this package's own: none needs quoting.
type words struct{ root, id string }

// start begins the switch.
func (w words) start(in In) string {
	vars := "system='" + in.System + "' verb=" + string(in.Verb) +
		" confirm=" + seconds(in.Confirm) + " limit=" + seconds(in.Timeout)
	unit := "unit_script() { cat <<'END-OF-UNIT'\n" + commonScript + unitScript + "END-OF-UNIT\n}\n"
	return w.script(vars, unit+startScript)
}

func (w words) dryActivate(in In) string {
	return w.script("system='"+in.System+"' limit="+seconds(in.Timeout), dryScript)
}

// look tells how the switch stands.
func (w words) look() string { return w.script("lines="+strconv.Itoa(logLines), lookScript) }

// confirm decides that the new system stays, if nothing was decided before.
func (w words) confirm() string {
	return w.script("lines="+strconv.Itoa(logLines), "if [ \"$(got state)\" = waiting ]; then decide confirmed; fi\n"+lookScript)
}

// abandon decides that the machine goes back, if nothing was decided before.
func (w words) abandon() string {
	return w.script("lines="+strconv.Itoa(logLines), "if [ -d \"$dir\" ]; then decide back; fi\n"+lookScript)
}

// revive does what the unit does at its end, where it was killed with all that
// belongs to it before it had decided.
func (w words) revive() string {
	return w.script("lines="+strconv.Itoa(logLines), `if [ -d "$dir" ] && [ -z "$(got outcome)" ]; then
  systemd-run --unit="$unit" --collect --no-block --quiet --no-ask-password --setenv=HOME=/root /bin/sh "$dir/unit" after
fi
`+lookScript)
}

// script frames a body. Standard input may hold a password that sudo did not ask
// for: nothing may read it.
func (w words) script(vars, body string) string {
	return "exec </dev/null\nroot='" + w.root + "' id=" + w.id + " " + vars + "\n" + commonScript +
		"echo '" + firstLine + "'\n(\nif [ \"$(id -u)\" != 0 ]; then echo refused=not-root; exit 0; fi\n" + body + ")\necho '" + lastLine + "'\n"
}

// seconds are whole ones, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(max(time.Second, d.Round(time.Second)) / time.Second))
}
