package markdown

import (
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report"
)

// plural is "1 server" or "3 servers".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// of is "3 servers" of 3, and else "2 of 3 servers".
func of(n, total int, noun string) string {
	if n == total {
		return plural(total, noun)
	}
	return fmt.Sprintf("%d of %s", n, plural(total, noun))
}

// sign is what an outcome is known by at a glance.
func sign(o event.Outcome) string {
	switch o {
	case event.Verified, event.Built, event.Prepared, event.Begun, event.Pruned, event.Evaluated:
		return "✅"
	case event.Unchanged:
		return "➖"
	case event.Failed:
		return "❌"
	case event.RolledBack:
		return "↩️"
	case event.Cancelled:
		return "🚫"
	case event.WouldDo, event.WouldVerify:
		return "🔁"
	case event.Untouched:
		return "⏸️"
	default: // still at work
		return "⏳"
	}
}

// would is what a run that is not a dry one will do with a server.
func would(verb string) string {
	switch verb {
	case "build":
		return "will get a new image"
	case "prune":
		return "will be pruned"
	case "verify":
		return "will be verified"
	default:
		return "will be rebuilt"
	}
}

// doing is a step at work.
func doing(step string) string {
	switch step {
	case "plan":
		return "planning"
	case "compare":
		return "comparing"
	case "evaluate":
		return "evaluating"
	case "build":
		return "building"
	case "upload":
		return "uploading"
	case "transfer":
		return "transferring"
	case "rebuild":
		return "rebuilding"
	case "boot":
		return "booting"
	case "provision":
		return "provisioning"
	case "verify":
		return "verifying"
	case "prune":
		return "pruning"
	default:
		return step
	}
}

// within lists names, in code, for as long as they take no more than n bytes.
func within(names []string, n int) string {
	var b strings.Builder
	for i, name := range names {
		word := code(name)
		switch {
		case b.Len()+len(word) > n && i > 0:
			fmt.Fprintf(&b, " and %d more", len(names)-i)
			return b.String()
		case i > 0 && i == len(names)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(word)
	}
	return b.String()
}

// since is how long something is at work, in whole seconds: more would only make
// two texts of one moment differ.
func since(began, now time.Time) string {
	return report.Duration(max(0, now.Sub(began)).Truncate(time.Second))
}

// now is what a step does at this moment: "uploading for 12s: 18.2 MB of 40 MB".
func (t *task) now(at time.Time) string {
	return strings.TrimSuffix(doing(t.step)+" for "+since(t.began, at)+": "+t.detail(), ": ")
}

// detail is how far a step is, and where that says nothing any more, what it does.
func (t *task) detail() string {
	switch {
	case t.done >= t.total:
		return oneLine(t.phase)
	case t.unit == "bytes":
		return report.Bytes(t.done) + " of " + report.Bytes(t.total)
	default:
		return strings.TrimSpace(fmt.Sprintf("%d of %d %s", t.done, t.total, t.unit))
	}
}

// troubled says what a unit is that is not as it should be, in a word.
func troubled(u release.Unit) string {
	if u.Load != "" {
		return u.Load
	}
	return u.Active
}

// unitWords say all that systemd knows of such a unit.
func unitWords(u release.Unit) string {
	words := []string{troubled(u)}
	if u.Result != "" && u.Result != "success" {
		words = append(words, u.Result)
	}
	if u.ExitStatus != 0 {
		words = append(words, fmt.Sprintf("exit status %d", u.ExitStatus))
	}
	if u.Restarts > 0 {
		words = append(words, plural(u.Restarts, "restart"))
	}
	if u.User != "" {
		words = append(words, "of user "+u.User)
	}
	if u.Allowed {
		words = append(words, "allowed to fail")
	}
	return strings.Join(words, ", ")
}

// reason says in a line why a server failed; empty where it did not.
func (r *run) reason(l *line) string {
	if l.server == nil || l.server.Err == nil && l.server.Detail == "" {
		return ""
	}
	if detail := oneLine(l.server.Detail); detail != "" {
		return detail
	}
	for _, d := range l.droplets {
		for _, e := range d.evidence {
			for _, u := range e.Failed {
				if !u.Allowed && !e.OK() {
					return clean(u.Name) + " " + unitState(u) + " on " + clean(d.Droplet)
				}
			}
			for _, c := range e.Failures() {
				return oneLine(c.Name+": "+c.Got) + " on " + clean(d.Droplet)
			}
		}
	}
	text := firstOf(l.server.Err)
	for _, at := range append([]*line{&r.fleet, l}, l.droplets...) {
		for _, s := range at.steps {
			text = cutPrefix(text, s)
		}
	}
	return text
}

func unitState(u release.Unit) string {
	if state := troubled(u); state != "failed" {
		return "is " + state
	}
	return "failed"
}
