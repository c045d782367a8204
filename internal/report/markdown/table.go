package markdown

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// table is a table of cells that are markdown of ours.
func table(heads []string, rows [][]string) string {
	if len(rows) == 0 {
		return ""
	}
	var b strings.Builder
	row(&b, heads)
	b.WriteString("|" + strings.Repeat(" --- |", len(heads)) + "\n")
	for _, cells := range rows {
		row(&b, cells)
	}
	return b.String()
}

// withoutEmpty leaves those columns away in which no row has anything, in all of the
// tables that share their rows.
func withoutEmpty(heads []string, tables ...[][]string) []string {
	var kept []int
	for i := range heads {
		if slices.ContainsFunc(tables[0], func(cells []string) bool { return cells[i] != "" }) {
			kept = append(kept, i)
		}
	}
	only := func(cells []string) []string {
		out := make([]string, len(kept))
		for to, from := range kept {
			out[to] = cells[from]
		}
		return out
	}
	for _, rows := range tables {
		for i, cells := range rows {
			rows[i] = only(cells)
		}
	}
	return only(heads)
}

func row(b *strings.Builder, cells []string) {
	for _, c := range cells {
		b.WriteString("| ")
		if c = inCell(c); c != "" {
			b.WriteString(c + " ")
		}
	}
	b.WriteString("|\n")
}

// servers is a row a server. Where that is too long, those to which nothing
// happened are counted.
func (v *view) servers() string {
	heads := []string{"Server", "Outcome", "Revision", "Image", "Droplets", "Took"}
	if v.run.dryRun {
		heads = heads[:5]
	}
	if v.run.isPlan() {
		heads = []string{"Server", "Action", "Packages", "Closure", "Image", "Droplets", "Downtime"}
	}
	var all, changed [][]string
	for _, l := range v.run.servers {
		cells := v.server(l)
		if v.run.isPlan() {
			cells = v.plannedServer(l)
		}
		all = append(all, cells)
		if v.run.outcome(l) != event.Unchanged {
			changed = append(changed, cells)
		}
	}
	if v.run.isPlan() {
		heads = withoutEmpty(heads, all, changed)
	}
	text := table(heads, all)
	if rest := len(all) - len(changed); len(text) > v.tableLimit && rest > 0 {
		return join([]string{table(heads, changed), sign(event.Unchanged) + " " + plural(rest, "further server") + " unchanged\n"})
	}
	return text
}

func (v *view) server(l *line) []string {
	o := v.run.outcome(l)
	what := string(o)
	switch o {
	case "":
		what = prose(v.working(l))
	case event.WouldDo:
		what = would(v.run.verb)
	}
	cells := []string{"**" + prose(l.Server) + "**", sign(o) + " " + what, v.revisions(l), images(o, l.end()), v.dropletNames(l)}
	if v.run.dryRun {
		return cells
	}
	took := ""
	if t := l.end().Took; t > 0 {
		took = report.Duration(t)
	}
	return append(cells, took)
}

// dropletLimit is for the names of one server's droplets in the table, in bytes.
const dropletLimit = 150

// dropletNames are a server's droplets, with the outcomes of those that ended
// otherwise than the server.
func (v *view) dropletNames(l *line) string {
	if len(l.droplets) > 0 && l.server != nil && len(others(l)) > 0 {
		var counts []string
		for _, d := range others(l) {
			counts = append(counts, code(d.Droplet)+" "+string(d.droplet.Outcome))
		}
		text := strings.Join(counts, ", ")
		if n := len(l.droplets) - len(counts); n > 0 {
			text = fmt.Sprintf("%d of %d %s, ", n, len(l.droplets), l.server.Outcome) + text
		}
		if len(text) <= dropletLimit {
			return text
		}
		return plural(len(l.droplets), "droplet")
	}
	names := make([]string, len(l.droplets))
	for i, d := range l.droplets {
		names[i] = d.Droplet
	}
	return within(names, dropletLimit)
}

// others are the droplets that ended otherwise than their server.
func others(l *line) []*line {
	var out []*line
	for _, d := range l.droplets {
		if d.droplet != nil && d.droplet.Outcome != l.server.Outcome {
			out = append(out, d)
		}
	}
	return out
}

// hash is a git revision that can be linked to.
var hash = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// linkedHash is how much of a revision stands in an address: enough to be the only
// one, and a large fleet's table has many of them.
const linkedHash = 12

// revision is a git revision, as a link where there is a page for it.
func (v *view) revision(rev string) string {
	short := code(report.Short(clean(rev)))
	if !hash.MatchString(rev) || !address.MatchString(v.frame.RepositoryURL) {
		return short
	}
	return linkTo(short, v.page("commit", rev[:min(linkedHash, len(rev))]))
}

// page is the address of something in the repository.
func (v *view) page(what, which string) string {
	return strings.TrimRight(v.frame.RepositoryURL, "/") + "/" + what + "/" + which
}

// revisions are those of a server before and after the run, or one where they do
// not differ.
func (v *view) revisions(l *line) string {
	end := l.end()
	before, after := end.FormerRevision, end.Revision
	if after == "" && l.server == nil {
		after = v.run.revision
	}
	switch o := v.run.outcome(l); {
	case before == "" || before == after:
		return v.revision(after)
	case o == event.Unchanged || after == "":
		return v.revision(before)
	case !arrived(o):
		return v.revision(before) + " (tried " + v.revision(after) + ")"
	case !hash.MatchString(before) || !hash.MatchString(after) || !address.MatchString(v.frame.RepositoryURL):
		return v.revision(before) + " → " + v.revision(after)
	}
	both := code(report.Short(before)) + " → " + code(report.Short(after))
	return linkTo(both, v.page("compare", before[:min(linkedHash, len(before))]+"..."+after[:min(linkedHash, len(after))]))
}

// arrived says whether a server is, or in a plan would be, where it was to be
// brought. Else each of its droplets may be somewhere else.
func arrived(o event.Outcome) bool {
	return o != event.Failed && o != event.RolledBack && o != event.Cancelled
}

// images are those of a server before and after the run.
func images(o event.Outcome, end event.ServerFinished) string {
	before, after := image(end.FormerImage), image(end.Image)
	switch {
	case after == "" && o == event.WouldDo && before != "":
		return before + " → a new one"
	case after == "" || before == after:
		return before + strings.TrimPrefix(after, before)
	case before == "":
		return after
	case !arrived(o):
		return before + " (tried " + after + ")"
	default:
		return before + " → " + after
	}
}

func image(name string) string { return code(report.ShortImage(clean(name))) }

// address is one that nothing can be hidden in.
var address = regexp.MustCompile(`^https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~:/?#@!&+,;=%-]*)?$`)

// linkTo is a link; empty where the address is none.
func linkTo(text, url string) string {
	if !address.MatchString(url) {
		return ""
	}
	return "[" + text + "](" + url + ")"
}
