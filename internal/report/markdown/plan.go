package markdown

import (
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// plan is all that is told of what changes on a server.
func (v *view) plan(l *line) string {
	p := l.planned
	if p == nil {
		return ""
	}
	parts := []string{batches(p.Batches), v.packages("Packages", p.Packages, v.packageLimit), v.sinceBase(p.FromBase)}
	unknown := p.Unknown
	if s := p.System; s != nil {
		parts = append(parts, v.units(s.Units), system(s))
		unknown = slices.Concat(unknown, s.Unknown)
	}
	parts = append(parts, v.stored(p), sentences("Drift", p.Drift), sentences("Note", unknown))
	return join(parts)
}

// batchLimit is for the names of the droplets, in bytes.
const batchLimit = 2_000

// batches are the droplets in the order in which they are rebuilt.
func batches(all [][]string) string {
	if len(all) == 0 {
		return ""
	}
	var words []string
	room := batchLimit
	for i, b := range all {
		word := within(b, max(room, 1))
		if room -= len(word); room < 0 && i > 0 {
			words = append(words, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		words = append(words, word)
	}
	if len(all) == 1 {
		return "**Rebuilt at once**: " + words[0] + "\n"
	}
	return fmt.Sprintf("**Rebuilt in %d batches**: %s\n", len(all), strings.Join(words, ", then "))
}

// ownLimit is from how many bytes for the packages of a server on those of the pull
// request itself are listed, and not only counted.
const ownLimit = 1_000

// sinceBase are the changes of the pull request itself.
func (v *view) sinceBase(b *event.FromBase) string {
	if b == nil {
		return ""
	}
	what := "The pull request's own changes, since " + v.revision(b.Revision)
	if len(b.Packages.Changes) == 0 {
		return "**" + what + "**: none; all of this is in that already, and was not deployed\n"
	}
	if v.packageLimit < ownLimit {
		return packagesHead(what, b.Packages) + "\n" // the others need the room
	}
	return v.packages(what, &b.Packages, v.packageLimit/2)
}

// packagesHead counts the changes of a closure.
func packagesHead(what string, d closure.Diff) string {
	if d.Estimate {
		what += ", an estimate from derivations"
	}
	return "**" + what + "**: " + report.ChangeTally(d)
}

// packages are the changes of a closure: in the order in which they matter, for as
// long as there is room.
func (v *view) packages(what string, d *closure.Diff, limit int) string {
	if d == nil {
		return ""
	}
	head := packagesHead(what, *d)
	if d.SizeAfter > 0 {
		head += "; closure " + closureCell(d)
	}
	parts := []string{head + "\n"}
	var rebuilt []string
	var rows [][]string
	room, left := limit, 0
	for _, c := range report.ByWeight(d.Changes) {
		if c.Kind == closure.Rebuilt {
			rebuilt = append(rebuilt, report.ChangeName(c))
			continue
		}
		cells := packageRow(c, d.Estimate)
		if room -= len(strings.Join(cells, " | ")) + len("| |\n"); room < 0 && len(rows) > 0 {
			left++
			continue
		}
		rows = append(rows, cells)
	}
	heads := []string{"", "Package", "Before", "After", "Size"}
	if d.Estimate {
		heads = heads[:4]
	}
	parts = append(parts, table(heads, rows))
	if left > 0 {
		parts = append(parts, "… and "+plural(left, "further package")+"\n")
	}
	if grown := report.Growths(*d); len(grown) > 0 {
		words := make([]string, len(grown))
		for i, c := range grown {
			words[i] = code(report.ChangeName(c)) + " " + report.Growth(c.SizeAfter-c.SizeBefore)
		}
		parts = append(parts, "Grown most: "+strings.Join(words, ", ")+"\n")
	}
	if len(rebuilt) > 0 {
		parts = append(parts, "Rebuilt with the same version: "+within(rebuilt, max(room, limit/4))+"\n")
	}
	return join(parts)
}

func packageRow(c closure.Change, estimate bool) []string {
	cells := []string{report.ChangeSign(c.Kind), code(report.ChangeName(c)), versions(c.Before), versions(c.After)}
	if estimate {
		return cells
	}
	return append(cells, report.Growth(c.SizeAfter-c.SizeBefore))
}

func versions(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return within(all, stateLimit/4)
}

// units are those of systemd that change, with their lines.
func (v *view) units(all []toplevel.UnitChange) string {
	if len(all) == 0 {
		return ""
	}
	var words, lines []string
	for _, g := range report.UnitGroups(all) {
		words = append(words, fmt.Sprintf("%d %s (%s)", len(g.Names), g.What, within(g.Names, v.packageLimit/4)))
	}
	for _, u := range all {
		if len(u.Lines) == 0 || u.Kind != "changed" || u.OnlyVersions && !v.whole {
			continue
		}
		lines = append(lines, "@@ "+oneLine(report.UnitHead(u))+" @@")
		for _, l := range u.Lines {
			lines = append(lines, changedLine(l))
		}
	}
	parts := []string{"**Units**: " + strings.Join(words, ", ") + "\n"}
	if len(lines) > 0 {
		parts = append(parts, fenceOf("diff", elide(lines, v.packageLimit)))
	}
	return join(parts)
}

// changedLine keeps the sign that a line of a diff begins with, whatever follows.
func changedLine(line string) string {
	sign := " "
	if strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-") {
		sign, line = line[:1], line[1:]
	}
	return sign + clean(strings.ReplaceAll(line, "\r", " "))
}

// system is what changes of a system besides its packages and units.
func system(s *toplevel.Diff) string {
	var words []string
	for _, c := range s.Components {
		switch {
		case c.Before == c.After || c.Before == "" && c.After == "":
			words = append(words, code(c.Name)+" is another one")
		case c.Before == "":
			words = append(words, code(c.Name)+" "+code(c.After)+" is new")
		case c.After == "":
			words = append(words, code(c.Name)+" "+code(c.Before)+" goes")
		default:
			words = append(words, code(c.Name)+" "+code(c.Before)+" → "+code(c.After))
		}
	}
	for _, group := range []struct {
		what  string
		names []string
	}{
		{"ports opened: ", s.PortsOpened},
		{"ports closed: ", s.PortsClosed},
		{"users added: ", s.UsersAdded},
		{"users removed: ", s.UsersRemoved},
	} {
		if len(group.names) > 0 {
			words = append(words, group.what+within(group.names, stateLimit))
		}
	}
	if s.StateVersionBefore != s.StateVersionAfter {
		words = append(words, code("system.stateVersion")+" "+code(s.StateVersionBefore)+" → "+code(s.StateVersionAfter))
	}
	if len(words) == 0 {
		return ""
	}
	return "**System**: " + strings.Join(words, "; ") + "\n"
}

// stored are the custom images of a server that go and stay, and why.
func (v *view) stored(p *event.ServerPlanned) string {
	if p.Action == event.DoNothing && len(p.Prune) == 0 && !v.whole {
		return ""
	}
	var rows [][]string
	add := func(fate string, all []event.PlannedImage) {
		for _, i := range all {
			rows = append(rows, []string{code(i.Name), fate, prose(shorten(oneLine(i.Reason), stateLimit))})
		}
	}
	add("pruned", p.Prune)
	add("kept", p.Keep)
	left := 0
	if n := max(v.packageLimit/200, 3); len(rows) > n {
		left, rows = len(rows)-n, rows[:n]
	}
	text := table([]string{"Custom image", "", "Why"}, rows)
	if left > 0 {
		text += "\n… and " + plural(left, "further image") + "\n"
	}
	return text
}

// sentences are a paragraph of several, each with an end or without. It is no alert:
// GitHub makes none within details.
func sentences(what string, all []string) string {
	if len(all) == 0 {
		return ""
	}
	words := make([]string, len(all))
	for i, text := range all {
		words[i] = prose(strings.TrimRight(shorten(oneLine(text), warningLength), "."))
	}
	return "**" + what + "**: " + strings.Join(words, "; ") + "\n"
}
