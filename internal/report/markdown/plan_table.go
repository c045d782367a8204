package markdown

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// isPlan says whether the run only tells what a deploy would do, and knows it.
func (r *run) isPlan() bool {
	return r.dryRun && slices.ContainsFunc(r.servers, func(l *line) bool { return l.planned != nil })
}

// plannedServer is a server's row in the table of a plan.
func (v *view) plannedServer(l *line) []string {
	o := v.run.outcome(l)
	p := l.planned
	if p == nil {
		p = &event.ServerPlanned{}
	}
	what := string(p.Action)
	if o != event.WouldDo && (o != event.Unchanged || what == "") {
		what = string(o)
	}
	if o == "" {
		what = prose(v.working(l))
	}
	downtime := ""
	if p.Downtime > 0 && len(p.Batches) > 0 {
		downtime = "≈ " + report.Duration(p.Downtime)
	}
	return []string{
		"**" + prose(l.Server) + "**", sign(o) + " " + what, packageCell(p), closureCell(p.Packages), images(o, l.end()), v.dropletNames(l), downtime,
	}
}

func packageCell(p *event.ServerPlanned) string {
	switch {
	case p.Packages != nil && p.FromBase != nil:
		return report.ChangeCounts(*p.Packages) + " (own: " + report.ChangeCounts(p.FromBase.Packages) + ")"
	case p.FromBase != nil:
		return "not known (own: " + report.ChangeCounts(p.FromBase.Packages) + ")"
	case p.Packages != nil:
		return report.ChangeCounts(*p.Packages)
	case len(p.Batches) > 0:
		return "not known"
	default:
		return ""
	}
}

func closureCell(d *closure.Diff) string {
	switch {
	case d == nil || d.SizeAfter == 0:
		return ""
	case d.SizeBefore == 0:
		return report.Bytes(d.SizeAfter)
	default:
		return report.Bytes(d.SizeAfter) + " (" + report.Growth(d.SizeAfter-d.SizeBefore) + ")"
	}
}

// legend says what the signs in the table mean, and what the images cost.
func (v *view) legend() string {
	if !v.run.isPlan() {
		return ""
	}
	var lines []string
	counted, about, away, guess, base := false, false, false, "", ""
	for _, l := range v.run.servers {
		if p := l.planned; p != nil {
			counted = counted || p.Packages != nil && len(p.Packages.Changes) > 0
			about = about || p.Packages != nil && p.Packages.Estimate || p.FromBase != nil && p.FromBase.Packages.Estimate
			if p.FromBase != nil {
				base = p.FromBase.Revision
			}
			if report.IsGuessed(*p) {
				guess = "≈ "
			}
			away = away || p.Downtime > 0 && len(p.Batches) > 0
		}
	}
	if counted {
		text := "Packages: ↓ downgraded, ↑ upgraded, + added, − removed, ~ rebuilt with the same version."
		if about {
			text += " ≈ marks an estimate: nothing was built, and derivations were compared."
		}
		lines = append(lines, text)
	}
	if base != "" {
		lines = append(lines, "Own is what the pull request itself changes, since its base "+v.revision(base)+". All else is in that already, and was not deployed.")
	}
	if away {
		lines = append(lines, "Downtime is how long one droplet was away in earlier releases.")
	}
	if s := v.run.stored; s != nil {
		lines = append(lines, "Stored images: "+storage(s.Before, "")+" → "+storage(s.After, guess)+".")
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

func storage(s event.Stored, about string) string {
	return fmt.Sprintf("%d (%s%s, %s a month)", s.Images, about, report.Bytes(int64(s.GB*1e9)), code(fmt.Sprintf("$%.2f", s.Dollars)))
}

// groupLimit is for the names of the servers that share a risk, in bytes.
const groupLimit = 300

// risks are what nobody may overlook in the plans of some servers, the gravest
// first; what is the same for several of them is said once.
func (v *view) risks(servers []*line) []string {
	type risk struct {
		report.Risk
		servers []string
	}
	var all []*risk
	for _, l := range servers {
		if l.planned == nil || !v.run.dryRun {
			continue
		}
		for _, r := range report.Risks(*l.planned) {
			i := slices.IndexFunc(all, func(known *risk) bool { return known.Risk == r })
			if i < 0 {
				i = len(all)
				all = append(all, &risk{Risk: r})
			}
			all[i].servers = append(all[i].servers, l.Server)
		}
	}
	slices.SortStableFunc(all, func(a, b *risk) int { return cmp.Compare(a.Rank, b.Rank) })
	lines := make([]string, len(all))
	for i, r := range all {
		lines[i] = within(r.servers, groupLimit) + ": " + prose(shorten(oneLine(r.Text), warningLength))
	}
	return lines
}

// planned says in the headline what a plan does: "2 of 5 servers will be rebuilt, 3
// images pruned".
func (v *view) planned() string {
	rebuilt, verified, pruned, drifted := 0, 0, 0, 0
	for _, l := range v.run.servers {
		p := l.planned
		switch {
		case v.run.outcome(l) != event.WouldDo:
		case p != nil && p.Action == event.OnlyVerify:
			verified++
		default:
			rebuilt++
		}
		if p != nil {
			pruned += len(p.Prune)
			drifted += min(len(p.Drift), 1)
		}
	}
	text := "nothing to rebuild"
	var more []string
	switch total := len(v.run.servers); {
	case rebuilt > 0:
		text = of(rebuilt, total, "server") + " will be rebuilt"
		if verified > 0 {
			more = append(more, fmt.Sprintf("%d verified", verified))
		}
	case verified > 0:
		text = of(verified, total, "server") + " will be verified"
	case pruned+drifted == 0:
		return "nothing to do, " + areAsTheyShouldBe(total)
	}
	if pruned > 0 {
		more = append(more, plural(pruned, "image")+" pruned")
	}
	if drifted > 0 {
		more = append(more, plural(drifted, "server")+" drifted")
	}
	return strings.Join(append([]string{text}, more...), ", ")
}

// evaluated says in the headline what is known without knowing what the servers run.
func (v *view) evaluated() string {
	const unknown = "; what the servers run is not known"
	changed, compared := 0, 0
	for _, l := range v.run.servers {
		if p := l.planned; p != nil && p.Packages != nil {
			compared++
			changed += min(len(p.Packages.Changes), 1)
		}
	}
	if compared == 0 {
		return plural(len(v.run.servers), "image") + " evaluated" + unknown
	}
	return fmt.Sprintf("%d of %s would change, by an estimate", changed, plural(len(v.run.servers), "system")) + unknown
}
