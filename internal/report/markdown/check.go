package markdown

import (
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// Check is how one server stands: the page of its check run.
type Check struct {
	// Outcome is empty while the run works on the server, or has not come to it.
	Outcome event.Outcome
	// Title is one short line of plain text.
	Title string
	// Summary is a table of the droplets, Text all that is known. Both are markdown
	// of 60,000 bytes at most.
	Summary, Text string
}

const (
	// pageLimit is for what GitHub limits to 65,535: a comment, a check run's summary
	// and its text. The rest is left for what is put around them.
	pageLimit = 60_000
	// titleLimit is in bytes; the description of a deployment, where the title stands
	// too, may have 140 characters.
	titleLimit = 120
)

// Check tells how a server stands now, at any moment of the run. A server that the
// run has not named is one that it has not come to.
func (s *Story) Check(server string) Check {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := view{run: &s.run, now: s.now(), whole: true, errorLimit: pageLimit * 2 / 3, packageLimit: pageLimit / 3}
	l := &line{Subject: event.Subject{Server: server}}
	if i := slices.IndexFunc(s.run.servers, func(l *line) bool { return l.Server == server }); i >= 0 {
		l = s.run.servers[i]
	}
	const more = "The rest was too long for a check run; the step's log has all of it."
	return Check{
		Outcome: s.run.outcome(l),
		Title:   shorten(clean(v.title(l)), titleLimit),
		Summary: Cut(v.checkSummary(l), pageLimit, more),
		Text:    Cut(v.checkText(l), pageLimit, more),
	}
}

// title is how a server stands, in a line.
func (v *view) title(l *line) string {
	switch o := v.run.outcome(l); o {
	case "":
		return v.working(l)
	case event.WouldDo:
		return v.wouldDo(l) + changes(l)
	case event.Unchanged:
		if l.planned != nil && len(l.planned.Drift) > 0 {
			return "nothing to do, but it has drifted"
		}
		return "nothing to do: it is as it should be"
	case event.Evaluated:
		image := report.ShortImage(clean(l.end().Image))
		return "image " + image + "; what it runs is not known" + changes(l)
	case event.Untouched:
		return "not touched"
	default:
		text := string(o)
		if n := count(l.droplets, event.Verified); o == event.Verified && n > 0 {
			text += " on " + plural(n, "droplet")
		}
		if reason := v.run.reason(l); reason != "" && o != event.Cancelled {
			return text + ": " + reason
		}
		took := l.end().Took
		switch {
		case took <= 0:
			return text
		case o == event.Cancelled:
			return text + " after " + report.Duration(took)
		default:
			return text + " in " + report.Duration(took)
		}
	}
}

func (v *view) wouldDo(l *line) string {
	if l.planned != nil && l.planned.Action == event.OnlyVerify {
		return would("verify")
	}
	if wiped := v.run.wipes(l); len(wiped) > 0 {
		return of(len(wiped), max(len(wiped), len(l.droplets)), "droplet") + " " + would(v.run.verb)
	}
	return would(v.run.verb)
}

// changes are those of a server's packages, in a few characters.
func changes(l *line) string {
	if l.planned == nil || l.planned.Packages == nil {
		return ""
	}
	d := *l.planned.Packages
	text := "; packages " + report.ChangeCounts(d)
	if d.SizeBefore > 0 && d.SizeAfter > 0 {
		text += ", " + report.Growth(d.SizeAfter-d.SizeBefore)
	}
	return text
}

// end is how the server ended, as far as it was told.
func (l *line) end() event.ServerFinished {
	if l.server == nil {
		return event.ServerFinished{}
	}
	return *l.server
}

func count(droplets []*line, o event.Outcome) int {
	n := 0
	for _, d := range droplets {
		if d.droplet != nil && d.droplet.Outcome == o {
			n++
		}
	}
	return n
}

// working is what is done for a server now: "rebuilding web-1 (2 of 3)".
func (v *view) working(l *line) string {
	var busy []string
	step, first, back := "", 0, false
	for i, d := range l.droplets {
		if len(d.tasks) == 0 {
			continue
		}
		if len(busy) == 0 {
			step, first, back = d.tasks[len(d.tasks)-1].step, i+1, d.rebuilds > 1
		}
		busy = append(busy, d.Droplet)
	}
	verb := doing(step)
	if back {
		verb = "rolling back, " + verb
	}
	switch {
	case len(busy) == 1 && len(l.droplets) == 1:
		return verb + " " + busy[0]
	case len(busy) == 1:
		return fmt.Sprintf("%s %s (%d of %d)", verb, busy[0], first, len(l.droplets))
	case len(busy) > 1:
		return fmt.Sprintf("%s %s and %d more (of %d)", verb, busy[0], len(busy)-1, len(l.droplets))
	}
	for _, at := range []*line{l, &v.run.fleet} {
		if n := len(at.tasks); n > 0 {
			t := at.tasks[n-1]
			return strings.TrimSuffix(doing(t.step)+": "+t.detail(), ": ")
		}
	}
	if l.began.IsZero() {
		return "waiting"
	}
	return "at work"
}

// checkSummary is what a check run says first.
func (v *view) checkSummary(l *line) string {
	var parts []string
	if line := v.moved(l); line != "" {
		parts = append(parts, line+"\n")
	}
	if wiped := v.run.wipes(l); len(wiped) > 0 {
		parts = append(parts, caution(wiped))
	}
	var own []event.Warning
	for _, w := range v.run.warnings {
		if w.Server == l.Server {
			own = append(own, w)
		}
	}
	parts = append(parts, v.warnings(v.risks([]*line{l}), own), v.droplets(l))
	text := join(parts)
	if text == "" {
		return prose(v.title(l)) + "\n" // GitHub wants a summary
	}
	return text
}

// moved says from what to what a server is brought.
func (v *view) moved(l *line) string {
	var words []string
	if r := v.revisions(l); r != "" {
		words = append(words, "Revision "+r)
	}
	if i := images(v.run.outcome(l), l.end()); i != "" {
		words = append(words, "Image "+i)
	}
	return strings.Join(words, " · ")
}

// checkText is all that is known of a server, what failed first.
func (v *view) checkText(l *line) string {
	return join([]string{
		v.failure(l), v.evidence(l), v.plan(l), identity(l), v.steps(append([]*line{&v.run.fleet, l}, l.droplets...)),
	})
}

// join puts a blank line between the parts that there are.
func join(parts []string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), "\n")
}
