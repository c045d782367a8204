package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
)

// closing is what stays on the screen after a run: one line that says it all, a
// table of the servers, what is planned for each of them, each failure in full, when
// what was done, and the commands to type now.
func closing(s *state, l look, verbose bool) []string {
	if s.end == nil {
		return nil
	}
	out := []string{l.paint(headline(s, l))}
	if table := closingTable(s, l); len(table) > 0 {
		out = append(out, "")
		out = append(out, table...)
	}
	if s.isPlan() {
		out = append(out, plannedBlocks(s, l, verbose)...)
	}
	for _, f := range failures(s) {
		out = append(out, "")
		out = append(out, f.lines(l)...)
	}
	if lines := gantt(s, l, verbose); len(lines) > 0 {
		out = append(out, "")
		out = append(out, lines...)
	}
	if len(s.end.Next) > 0 {
		out = append(out, "", l.dye(bold, "Next:"))
		for _, command := range s.end.Next {
			out = append(out, "  "+clean(command))
		}
	}
	return out
}

func headline(s *state, l look) row {
	sym := l.symbols()
	verb := s.end.Verb
	if verb == "" {
		verb = s.verb
	}
	var r row
	switch {
	case errors.Is(s.end.Err, context.Canceled):
		r.add(warn, sym.idle+" "+verb+" was cancelled")
	case s.end.Err != nil:
		r.add(bad, sym.bad+" "+verb+" failed")
	default:
		r.add(good, sym.good)
		r.add(bold, " "+verb)
	}
	if s.dryRun {
		r.add(warn, " (dry run, nothing was changed)")
	}
	if text := tally(s); text != "" {
		r.add(normal, ": "+text)
	}
	r.add(dim, "  "+Duration(s.end.Took))
	return r
}

// tally counts how the servers ended: "2 servers verified, 1 unchanged".
func tally(s *state) string {
	order := []event.Outcome{
		event.Failed, event.RolledBack, event.Verified, event.Built, event.Prepared, event.Begun, event.Pruned, event.WouldDo, event.Evaluated,
		event.Unchanged, event.Cancelled, event.Untouched,
	}
	counts := map[event.Outcome]int{}
	for _, server := range s.servers {
		counts[ending(server)]++
	}
	if n := counts[event.Unchanged]; n > 0 && n == len(s.servers) && s.end.Err == nil {
		return "nothing to do, " + be(n)
	}
	var parts []string
	for _, o := range order {
		n := counts[o]
		switch {
		case n == 0:
		case len(parts) == 0:
			parts = append(parts, plural(n, "server")+" "+string(o))
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	return strings.Join(parts, ", ")
}

func be(servers int) string {
	if servers == 1 {
		return "1 server is as it should be"
	}
	return fmt.Sprintf("%d servers are as they should be", servers)
}

// ending is a server's outcome; a run that broke off leaves some without.
func ending(server *line) event.Outcome {
	if o := server.outcome(); o != "" {
		return o
	}
	return untold(server)
}

// untold is how a line ended that nobody said the end of.
func untold(l *line) event.Outcome {
	if l.began.IsZero() {
		return event.Untouched
	}
	return event.Cancelled
}

// closingTable is a row a server. Where the states of the droplets do not fit
// beside the rest, they stand below.
func closingTable(s *state, l look) []string {
	if len(s.servers) == 0 {
		return nil
	}
	headers := []string{"SERVER", "OUTCOME", "REVISION", "IMAGE", "TOOK"}
	if s.isPlan() {
		headers[1], headers[4] = "ACTION", "PACKAGES"
	}
	if slices.ContainsFunc(s.servers, func(l *line) bool { return l.server != nil && l.server.System != "" }) {
		headers[3] = "SYSTEM"
	}
	rows := make([][]cell, len(s.servers))
	droplets := make([][]string, len(s.servers))
	longest := 0
	for i, server := range s.servers {
		rows[i] = closingRow(s, l, server)
		droplets[i] = dropletLines(server, l)
		for _, line := range droplets[i] {
			longest = max(longest, width(line))
		}
	}
	table := l.grid(headers, rows)
	beside := l.width - widest(table) - columnGap
	if longest > 0 && (l.width <= 0 || beside >= min(longest, dropletColumn)) {
		for i := range rows {
			c := cell{lines: droplets[i], wrap: true}
			rows[i] = append(rows[i][:4:4], c, rows[i][4])
		}
		return l.grid(slices.Insert(headers, 4, "DROPLETS"), rows)
	}
	below := []string{""}
	for i, lines := range droplets {
		for _, line := range lines {
			if len(s.servers[i].droplets) == 0 || !strings.Contains(line, l.symbols().arrow) {
				line = clean(s.servers[i].subject.Server) + ": " + line
			}
			below = append(below, wrap(line, l.width)...)
		}
	}
	if len(below) == 1 {
		return table
	}
	return append(table, below...)
}

// dropletColumn is the least width in which sentences are good to read.
const dropletColumn = 36

func widest(lines []string) int {
	n := 0
	for _, line := range lines {
		n = max(n, width(clean(line)))
	}
	return n
}

func closingRow(s *state, l look, server *line) []cell {
	outcome := ending(server)
	sign, st := l.glyph(outcome)
	var end event.ServerFinished
	if server.server != nil {
		end = *server.server
	}
	revision := end.Revision
	if revision == "" {
		revision = s.revision
	}
	what, took := string(outcome), ""
	if p := server.planned; p != nil && s.isPlan() {
		if outcome == event.WouldDo {
			what = string(p.Action)
		}
		if p.Packages != nil {
			took = changeCounts(*p.Packages, func(k kind) string { return l.sign(k.Kind) }, l.symbols().about)
		}
	} else if end.Took > 0 && !s.dryRun {
		took = Duration(end.Took)
	}
	return []cell{
		text(clean(server.subject.Server)),
		{lines: []string{sign + " " + what}, style: st},
		text(Short(clean(revision))),
		text(ShortImage(clean(cmp.Or(end.Image, end.System)))),
		text(took),
	}
}

func text(s string) cell { return cell{lines: []string{s}} }

// dropletLines say what state each droplet is in: "web-1 → runs …". Where a
// server has none to tell of, its detail stands there.
func dropletLines(server *line, l look) []string {
	var out []string
	outcome := ending(server)
	for _, d := range server.droplets {
		state := ""
		switch {
		case d.droplet != nil && d.droplet.State != "":
			state = firstLine(d.droplet.State)
		case d.droplet != nil:
			state = string(d.droplet.Outcome)
		case !d.began.IsZero():
			state = "state unknown"
		case outcome == event.Failed, outcome == event.RolledBack, outcome == event.Cancelled, outcome == event.Untouched:
			state = string(event.Untouched)
		default:
			continue
		}
		out = append(out, clean(d.subject.Droplet)+" "+l.symbols().arrow+" "+state)
	}
	if len(out) == 0 && server.server != nil && server.server.Err == nil {
		if detail := firstLine(server.server.Detail); detail != "" {
			out = append(out, detail)
		}
	}
	return out
}
