package report

import (
	"strings"
	"time"
)

const (
	// ganttRows is how many bars a time line has, ganttRowsVerbose with --verbose.
	ganttRows, ganttRowsVerbose = 16, 80
	// ganttLeast is the narrowest time line that tells anything, ganttMost the widest
	// that is good to look at, both in columns of bars.
	ganttLeast, ganttMost = 16, 60
)

// gantt draws what was done when: a line a step, with how long it took. There is
// none for a run that changed nothing, of fewer than two steps, or where it would
// be too narrow.
func gantt(s *state, l look, verbose bool) []string {
	limit := ganttRows
	if verbose {
		limit = ganttRowsVerbose
	}
	bars := s.timeline.Bars(limit)
	if s.dryRun || len(bars) < 2 {
		return nil
	}
	begin, end := bars[0].Start, bars[0].End
	servers, labels, tooks := len("fleet"), 0, 0
	for _, b := range bars {
		if b.Start.Before(begin) {
			begin = b.Start
		}
		if b.End.After(end) {
			end = b.End
		}
		servers = max(servers, width(clean(b.Server)))
		labels = max(labels, width(barLabel(b)))
		tooks = max(tooks, width(Duration(b.End.Sub(b.Start))))
	}
	servers, labels = min(servers, nameLimit), min(labels, nameLimit+stepColumn)
	room := ganttMost
	if l.width > 0 {
		room = min(room, l.width-servers-labels-tooks-3*columnGap)
	}
	if room < ganttLeast || !end.After(begin) {
		return nil
	}
	out := make([]string, 0, len(bars))
	last := ""
	for i, b := range bars {
		name := clean(b.Server)
		if name == "" {
			name = "fleet"
		}
		if i > 0 && name == last {
			name = ""
		} else {
			last = name
		}
		from, to := column(b.Start.Sub(begin), end.Sub(begin), room), column(b.End.Sub(begin), end.Sub(begin), room)
		if from == to { // one column at least, within the room
			from, to = min(from, room-1), min(from, room-1)+1
		}
		st := busy
		if b.Failed {
			st = bad
		}
		var r row
		r.add(normal, pad(l.cut(name, servers), servers+columnGap))
		r.add(normal, pad(l.cut(barLabel(b), labels), labels+columnGap))
		r.add(dim, strings.Repeat(l.symbols().rest, from))
		r.add(st, strings.Repeat(l.symbols().full, to-from))
		r.add(dim, strings.Repeat(l.symbols().rest, room-to))
		r.add(normal, strings.Repeat(" ", columnGap)+Duration(b.End.Sub(b.Start)))
		out = append(out, l.paint(r))
	}
	return out
}

// column is where a moment stands in a time line of a width.
func column(at, whole time.Duration, room int) int {
	return int(at.Seconds()/whole.Seconds()*float64(room) + 0.5)
}

// barLabel is what was done: "rebuild web-1".
func barLabel(b Bar) string {
	text := strings.TrimSpace(clean(b.Step) + " " + clean(b.Droplet))
	if text == "" {
		return "all steps"
	}
	return text
}
