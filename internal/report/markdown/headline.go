package markdown

import (
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
)

// headline says it all in a line.
func (v *view) headline() string {
	mark, text := v.verdict()
	return strings.TrimSpace(mark + " " + prose(v.frame.Title) + ": " + text)
}

// verdict is how the run ended, or stands.
func (v *view) verdict() (mark, text string) {
	r := v.run
	total := len(r.servers)
	n := v.counts()
	lost := n[event.Failed] + n[event.RolledBack]
	switch {
	case r.cancelled() && !r.started:
		return sign(event.Cancelled), "cancelled before anything was changed"
	case r.cancelled():
		return sign(event.Cancelled), "cancelled: " + v.tally(n)
	case !r.started && v.broken():
		return sign(event.Failed), "failed before anything was changed"
	case lost > 0 && r.dryRun:
		return sign(event.Failed), of(lost, total, "server") + " cannot be planned"
	case lost > 0:
		return sign(event.Failed), of(lost, total, "server") + " failed" + back(n[event.RolledBack], lost)
	case r.started && r.end == nil && v.broken():
		return sign(event.Failed), "broke off: " + v.tally(n)
	case r.end == nil:
		return sign(""), "at work"
	case v.broken():
		return sign(event.Failed), "failed: " + v.tally(n)
	case r.isPlan() && n[event.Unchanged]+n[event.WouldDo] == total && (r.verb == "plan" || r.verb == "deploy"):
		mark = sign(event.WouldDo)
		if n[event.WouldDo] == 0 {
			mark = "✅"
		}
		return mark, v.planned()
	case n[event.Unchanged] == total:
		return "✅", "nothing to do, " + areAsTheyShouldBe(total)
	case n[event.WouldDo] > 0:
		return sign(event.WouldDo), of(n[event.WouldDo], total, "server") + " " + would(r.verb)
	case n[event.Evaluated] == total:
		return "✅", v.evaluated()
	default:
		return "✅", v.tally(n)
	}
}

// broken says whether the run has errors of its own.
func (v *view) broken() bool { return len(v.faultTexts()) > 0 }

// back says how many of those that failed were rolled back.
func back(n, failed int) string {
	switch {
	case n == 0:
		return ""
	case n == failed && n == 1:
		return " and was rolled back"
	case n == failed:
		return " and were rolled back"
	case n == 1:
		return ", 1 of them was rolled back"
	default:
		return fmt.Sprintf(", %d of them were rolled back", n)
	}
}

func areAsTheyShouldBe(servers int) string {
	if servers == 1 {
		return "1 server is as it should be"
	}
	return fmt.Sprintf("%d servers are as they should be", servers)
}

func (v *view) counts() map[event.Outcome]int {
	n := map[event.Outcome]int{}
	for _, l := range v.run.servers {
		n[v.run.outcome(l)]++
	}
	return n
}

// tally counts how the servers ended: "2 servers verified, 1 unchanged".
func (v *view) tally(n map[event.Outcome]int) string {
	var parts []string
	for _, o := range []event.Outcome{
		event.Failed, event.RolledBack, event.Verified, event.Built, event.Prepared, event.Begun, event.Pruned, event.WouldDo, event.Evaluated,
		event.Unchanged, event.Cancelled, event.Untouched, "",
	} {
		word := string(o)
		if o == "" {
			word = "unfinished"
		}
		switch {
		case n[o] == 0:
		case len(parts) == 0:
			parts = append(parts, plural(n[o], "server")+" "+word)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n[o], word))
		}
	}
	if len(parts) == 0 {
		return "no server"
	}
	return strings.Join(parts, ", ")
}
