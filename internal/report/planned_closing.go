package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// plannedBlocks are a short block for each server that a plan has something to say
// of, and what the stored images cost. With verbose they name everything.
func plannedBlocks(s *state, l look, verbose bool) []string {
	var out []string
	for _, server := range s.servers {
		if server.planned == nil {
			continue
		}
		if block := plannedBlock(*server.planned, l, verbose); len(block) > 0 {
			out = append(out, "")
			out = append(out, block...)
		}
	}
	if s.stored != nil {
		about := ""
		if slices.ContainsFunc(s.servers, func(server *line) bool { return server.planned != nil && IsGuessed(*server.planned) }) {
			about = l.symbols().about
		}
		text := "Stored images: " + storage(s.stored.Before, "") + " " + l.symbols().arrow + " " + storage(s.stored.After, about)
		out = append(out, "", l.cut(text, l.width))
	}
	return out
}

func storage(s event.Stored, about string) string {
	return fmt.Sprintf("%d (%s%s, $%.2f a month)", s.Images, about, Bytes(int64(s.GB*1e9)), s.Dollars)
}

// blockColumn is the width of the names within a block.
const blockColumn = 10

// block is what is told of one server in a plan.
type block struct {
	look
	lines []string
}

// add is a fact with its name before it, wrapped to the width.
func (b *block) add(name, text string) { b.put(normal, name, text) }

func (b *block) put(st style, name, text string) {
	lines := []string{clean(text)}
	if b.width > 0 {
		lines = wrap(lines[0], max(b.width-blockColumn-2, 20))
	}
	for i, line := range lines {
		if i > 0 {
			name = ""
		}
		b.lines = append(b.lines, strings.TrimRight("  "+b.dye(dim, pad(name, blockColumn))+b.dye(st, line), " "))
	}
}

func plannedBlock(p event.ServerPlanned, l look, verbose bool) []string {
	b := block{look: l}
	if len(p.Batches) > 0 {
		disks := "the disk of "
		if len(slices.Concat(p.Batches...)) > 1 {
			disks = "the disks of "
		}
		b.put(warn, "wipes", disks+batches(p.Batches, verbose))
	}
	if p.Downtime > 0 && len(p.Batches) > 0 {
		b.add("downtime", "about "+Duration(p.Downtime)+" for a droplet, by earlier releases")
	}
	for _, r := range Risks(p) {
		b.put(warn, "warning", r.Text)
	}
	b.packages("packages", p.Packages, verbose)
	b.sinceBase(p.FromBase, verbose)
	if p.System != nil {
		b.units(p.System.Units, verbose)
		b.system(p.System)
	}
	b.images(p, verbose)
	unknown := p.Unknown
	if p.System != nil {
		unknown = slices.Concat(unknown, p.System.Unknown)
	}
	for _, text := range unknown {
		b.add("note", text)
	}
	if len(b.lines) == 0 {
		return nil
	}
	return append([]string{l.dye(bold, clean(p.Server)) + ": " + clean(string(p.Action))}, b.lines...)
}

// namesShown is how many names a short block has of a kind.
const namesShown = 6

// some are names as far as they are shown.
func some(names []string, verbose bool) string {
	if verbose || len(names) <= namesShown {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:namesShown], ", ") + fmt.Sprintf(" and %d more", len(names)-namesShown)
}

func batches(all [][]string, verbose bool) string {
	var words []string
	for i, b := range all {
		if i == namesShown && !verbose {
			words = append(words, fmt.Sprintf("%d more batches", len(all)-i))
			break
		}
		words = append(words, some(b, verbose))
	}
	return strings.Join(words, ", then ")
}

// sinceBase are the changes that are new since the base.
func (b *block) sinceBase(base *event.FromBase, verbose bool) {
	switch {
	case base == nil:
	case len(base.Packages.Changes) == 0:
		b.add("base", "nothing changes since revision "+Short(base.Revision)+": all of this is in that already, and was not deployed")
	default:
		b.packages("base", &base.Packages, verbose, "since revision "+Short(base.Revision))
	}
}

// packages are counted; those that matter most are named.
func (b *block) packages(name string, d *closure.Diff, verbose bool, since ...string) {
	if d == nil {
		return
	}
	text := strings.Join(append([]string{ChangeTally(*d)}, since...), " ")
	if d.Estimate {
		text += " (an estimate from derivations)"
	}
	if d.SizeAfter > 0 {
		text += "; closure " + Bytes(d.SizeAfter)
		if d.SizeBefore > 0 {
			text += " (" + b.plain(Growth(d.SizeAfter-d.SizeBefore)) + ")"
		}
	}
	b.add(name, text)
	changes := ByWeight(d.Changes)
	if !verbose {
		changes = slices.DeleteFunc(changes, func(c closure.Change) bool { return c.Kind == closure.Rebuilt })
	}
	left := 0
	if !verbose && len(changes) > namesShown {
		left, changes = len(changes)-namesShown, changes[:namesShown]
	}
	for _, c := range changes {
		b.add("", b.change(c, d.Estimate))
	}
	if left > 0 {
		b.add("", fmt.Sprintf("and %d more", left))
	}
	var grown []string
	for _, c := range Growths(*d) {
		grown = append(grown, ChangeName(c)+" "+b.plain(Growth(c.SizeAfter-c.SizeBefore)))
	}
	if len(grown) > 0 {
		b.add("growth", strings.Join(grown, ", "))
	}
}

// change is "↑ nginx 1.24.0 → 1.26.1 (+600 kB)".
func (b *block) change(c closure.Change, estimate bool) string {
	words := []string{b.sign(c.Kind), ChangeName(c)}
	before, after := strings.Join(c.Before, ", "), strings.Join(c.After, ", ")
	switch {
	case before != "" && after != "" && before != after:
		words = append(words, before, b.symbols().arrow, after)
	case before+after != "":
		words = append(words, before+strings.TrimPrefix(after, before))
	}
	if n := c.SizeAfter - c.SizeBefore; !estimate && n != 0 {
		words = append(words, "("+b.plain(Growth(n))+")")
	}
	return strings.Join(words, " ")
}

func (b *block) units(all []toplevel.UnitChange, verbose bool) {
	var words []string
	for _, g := range UnitGroups(all) {
		words = append(words, fmt.Sprintf("%d %s (%s)", len(g.Names), g.What, some(g.Names, verbose)))
	}
	if len(words) > 0 {
		b.add("units", strings.Join(words, ", "))
	}
	if !verbose {
		return
	}
	for _, u := range all {
		if len(u.Lines) == 0 || u.Kind != "changed" {
			continue
		}
		b.lines = append(b.lines, strings.Repeat(" ", blockColumn+2)+clean(UnitHead(u)))
		for _, line := range u.Lines {
			st := normal
			switch {
			case strings.HasPrefix(line, "+"):
				st = good
			case strings.HasPrefix(line, "-"):
				st = bad
			}
			b.lines = append(b.lines, strings.Repeat(" ", blockColumn+4)+b.dye(st, clean(line)))
		}
	}
}

// system is what changes of a system besides its packages, its units and what is
// warned of.
func (b *block) system(s *toplevel.Diff) {
	var words []string
	for _, c := range s.Components {
		switch {
		case c.Before == c.After:
			words = append(words, c.Name+" is another one")
		case c.Before == "":
			words = append(words, c.Name+" "+c.After+" is new")
		case c.After == "":
			words = append(words, c.Name+" "+c.Before+" goes")
		default:
			words = append(words, c.Name+" "+c.Before+" "+b.symbols().arrow+" "+c.After)
		}
	}
	if len(s.PortsClosed) > 0 {
		words = append(words, "the firewall closes "+strings.Join(s.PortsClosed, ", "))
	}
	if len(s.UsersRemoved) > 0 {
		words = append(words, "users are removed: "+strings.Join(s.UsersRemoved, ", "))
	}
	if len(words) > 0 {
		b.add("system", strings.Join(words, "; "))
	}
}

func (b *block) images(p event.ServerPlanned, verbose bool) {
	if len(p.Prune) == 0 && !verbose || len(p.Prune)+len(p.Keep) == 0 {
		return
	}
	b.add("images", fmt.Sprintf("%d pruned, %d kept", len(p.Prune), len(p.Keep)))
	if !verbose {
		return
	}
	for _, i := range p.Prune {
		b.add("", ShortImage(i.Name)+" is pruned: "+i.Reason)
	}
	for _, i := range p.Keep {
		b.add("", ShortImage(i.Name)+" is kept: "+i.Reason)
	}
}

// sign is that of a kind of change.
func (l look) sign(k closure.Kind) string {
	for _, known := range kinds() {
		if known.Kind == k && !l.unicode {
			return known.ascii
		}
	}
	return ChangeSign(k)
}

// plain writes a growth without signs that only Unicode has.
func (l look) plain(growth string) string {
	if l.unicode {
		return growth
	}
	return strings.NewReplacer("−", "-", "±", "").Replace(growth)
}
