package report

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// frame draws the live view as it is at now: a head, then a line a server with
// its droplets below while they run. No line is wider than the look, and there
// are fewer lines than it is high, so that the cursor can come back to the top.
func frame(s *state, l look, now time.Time) []string {
	if s.began.IsZero() && len(s.servers) == 0 && len(s.fleet.tasks) == 0 {
		return nil
	}
	d := drawing{look: l, symbols: l.symbols(), now: now, names: nameColumn(s)}
	var items []item
	if len(s.fleet.tasks) > 0 {
		items = append(items, item{rankRunning, d.line(s.fleet, "fleet", 0)})
	}
	for _, server := range s.servers {
		items = append(items, item{rank(server), d.line(server, server.subject.Server, 0)})
		if !showsDroplets(server) {
			continue
		}
		for _, droplet := range server.droplets {
			items = append(items, item{rank(droplet) + rankDroplet, d.droplet(server, droplet)})
		}
	}
	rows := append([]row{d.head(s)}, d.fit(items)...)
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = l.paint(r)
	}
	return lines
}

// drawing is what the rows of one frame share.
type drawing struct {
	look
	symbols symbols
	now     time.Time
	names   int // width of the column of names
}

// item is a row with how much it matters: the least go first where the
// terminal is too low.
type item struct {
	rank int
	row  row
}

const (
	rankRunning = iota
	rankFailed
	rankDone
	rankWaiting
	rankDroplet = 2 // added for a droplet
)

const (
	stepColumn = 12
	nameLimit  = 28
	barLimit   = 24
)

func nameColumn(s *state) int {
	n := 5
	for _, server := range s.servers {
		n = max(n, width(server.subject.Server))
		for _, d := range server.droplets { // seen or not, lest the columns move
			n = max(n, width(d.subject.Droplet)+2)
		}
	}
	return min(n, nameLimit)
}

// showsDroplets says whether a server's droplets have lines of their own: from
// when the first is worked on, until all went well.
func showsDroplets(server *line) bool {
	switch server.outcome() {
	case event.Verified, event.Unchanged, event.Built, event.Prepared, event.Begun, event.Pruned, event.WouldDo, event.WouldVerify:
		return false
	}
	for _, d := range server.droplets {
		if !d.began.IsZero() {
			return true
		}
	}
	return false
}

func rank(l *line) int {
	switch l.outcome() {
	case "":
		if l.began.IsZero() {
			return rankWaiting
		}
		return rankRunning
	case event.Failed, event.RolledBack:
		return rankFailed
	default:
		return rankDone
	}
}

// fit leaves away what does not fit in the height, and says how much.
func (d drawing) fit(items []item) []row {
	room := d.height - 2 // the head, and the line that the cursor stands on
	rows := make([]row, 0, len(items))
	if d.height <= 0 || len(items) <= room {
		for _, i := range items {
			rows = append(rows, i.row)
		}
		return rows
	}
	room = max(room-1, 0)
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return items[order[a]].rank < items[order[b]].rank })
	kept := order[:min(room, len(order))]
	sort.Ints(kept)
	for _, i := range kept {
		rows = append(rows, items[i].row)
	}
	if d.height < 3 {
		return rows
	}
	return append(rows, row{left: []span{{fmt.Sprintf("%s %d more", d.symbols.dots, len(items)-len(kept)), dim}}})
}

func (d drawing) head(s *state) row {
	var r row
	r.add(bold, "snowdrop "+s.verb)
	if s.revision != "" {
		r.add(dim, " "+Short(s.revision))
	}
	if s.dryRun {
		r.add(warn, "  dry run")
	}
	if n := len(s.servers); n > 1 {
		done := 0
		for _, server := range s.servers {
			if server.outcome() != "" {
				done++
			}
		}
		r.add(dim, fmt.Sprintf("  %d of %d servers done", done, n))
	}
	if !s.began.IsZero() {
		r.right = span{elapsed(d.now.Sub(s.began)), dim}
	}
	return r
}

// droplet draws a droplet, two columns to the right of its server.
func (d drawing) droplet(server, l *line) row {
	if server.outcome() != "" && l.outcome() == "" {
		l = &line{subject: l.subject, droplet: &event.DropletFinished{Outcome: untold(l)}}
	}
	return d.line(l, l.subject.Droplet, 1)
}

// line draws a server, a droplet or the fleet.
func (d drawing) line(l *line, name string, indent int) row {
	n := d.names - 2*indent
	name = pad(d.cut(clean(name), n), n)
	var r row
	r.add(normal, strings.Repeat("  ", indent))
	switch outcome := l.outcome(); {
	case outcome != "":
		sign, st := d.glyph(outcome)
		d.begin(&r, sign, st, name, string(outcome), st)
		d.ended(&r, l)
	case len(l.tasks) > 0:
		t := l.tasks[len(l.tasks)-1]
		d.begin(&r, d.spinner(), busy, name, t.step, normal)
		r.right = span{elapsed(d.now.Sub(t.began)), dim}
		d.doing(&r, t)
	case showsDroplets(l):
		d.begin(&r, d.spinner(), busy, name, "rollout", normal)
		r.add(dim, dropletCount(l))
		r.right = span{elapsed(d.now.Sub(l.began)), dim}
	case l.last != nil:
		d.between(&r, l, name)
	default:
		d.begin(&r, d.symbols.idle, dim, name, "waiting", dim)
	}
	return r
}

func (d drawing) begin(r *row, sign string, signStyle style, name, step string, stepStyle style) {
	r.add(signStyle, sign+" ")
	nameStyle := normal
	if stepStyle == dim {
		nameStyle = dim
	}
	r.add(nameStyle, name+"  ")
	r.add(stepStyle, pad(step, stepColumn)+"  ")
}

func (d drawing) spinner() string {
	spin := d.symbols.spin
	return spin[int(d.now.UnixMilli()/100)%len(spin)]
}

// ended says what became of a server or a droplet.
func (d drawing) ended(r *row, l *line) {
	if l.server == nil {
		r.add(dim, firstLine(l.droplet.State))
		return
	}
	text := l.server.Detail
	if text == "" && l.server.Err != nil {
		text = reason(l.server.Err, l.subject, "")
	}
	if text == "" {
		text = strings.TrimSpace(Short(l.server.Revision) + " " + ShortImage(l.server.Image))
	}
	r.add(dim, firstLine(text))
	if l.server.Took > 0 {
		r.right = span{Duration(l.server.Took), dim}
	}
}

// between is the moment after a step in which no other runs.
func (d drawing) between(r *row, l *line, name string) {
	sign, st, text := d.symbols.idle, busy, l.last.Result
	switch {
	case l.last.Err != nil:
		sign, st, text = d.symbols.bad, bad, reason(l.last.Err, l.subject, l.last.Step)
	case l.last.Skipped != "":
		text = l.last.Skipped
	}
	d.begin(r, sign, st, name, l.last.Step, normal)
	r.add(dim, firstLine(text))
}

func dropletCount(server *line) string {
	done := 0
	for _, d := range server.droplets {
		if d.droplet != nil {
			done++
		}
	}
	return fmt.Sprintf("%d of %s done", done, plural(len(server.droplets), "droplet"))
}
