package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// kinds are those of a package's changes in the order in which they matter, each
// with the sign that it is counted by.
func kinds() []kind {
	return []kind{
		{closure.Downgraded, "↓", "v"},
		{closure.Upgraded, "↑", "^"},
		{closure.Added, "+", "+"},
		{closure.Removed, "−", "-"},
		{closure.Rebuilt, "~", "~"},
	}
}

type kind struct {
	closure.Kind
	sign, ascii string
}

// ChangeSign is the sign that a kind of change is known by: "↑" for upgraded.
func ChangeSign(k closure.Kind) string {
	for _, known := range kinds() {
		if known.Kind == k {
			return known.sign
		}
	}
	return "?"
}

// ChangeCounts are a diff's changes in few characters, as "↓1 ↑12 +3 −2 ~40", with
// "≈" before those of an estimate; "none" where nothing changes.
func ChangeCounts(d closure.Diff) string {
	return changeCounts(d, func(k kind) string { return k.sign }, "≈ ")
}

func changeCounts(d closure.Diff, sign func(kind) string, about string) string {
	var parts []string
	for _, k := range kinds() {
		if n := d.Count(k.Kind); n > 0 {
			parts = append(parts, sign(k)+strconv.Itoa(n))
		}
	}
	if len(parts) == 0 {
		parts = []string{"none"}
	}
	if d.Estimate {
		return about + strings.Join(parts, " ")
	}
	return strings.Join(parts, " ")
}

// ChangeTally are a diff's changes in words, as "1 downgraded, 12 upgraded".
func ChangeTally(d closure.Diff) string {
	var parts []string
	for _, k := range kinds() {
		if n := d.Count(k.Kind); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, k.Kind))
		}
	}
	if len(parts) == 0 {
		return "nothing changes"
	}
	return strings.Join(parts, ", ")
}

// Growth writes a difference of sizes in bytes with its sign: "+23.4 MB".
func Growth(n int64) string {
	switch {
	case n > 0:
		return "+" + Bytes(n)
	case n < 0:
		return "−" + Bytes(-n)
	default:
		return "±0"
	}
}

// ChangeName is the package of a change, with its output where it has several:
// "openssl" or "openssl.dev".
func ChangeName(c closure.Change) string {
	if c.Output == "" {
		return c.Name
	}
	return c.Name + "." + c.Output
}

// ByWeight are the changes with those first that matter most: downgrades before
// all, and of each kind what changes the size most.
func ByWeight(changes []closure.Change) []closure.Change {
	rank := map[closure.Kind]int{}
	for i, k := range kinds() {
		rank[k.Kind] = i
	}
	sorted := slices.Clone(changes)
	slices.SortStableFunc(sorted, func(a, b closure.Change) int {
		return cmp.Or(
			cmp.Compare(rank[a.Kind], rank[b.Kind]),
			cmp.Compare(abs(b.SizeAfter-b.SizeBefore), abs(a.SizeAfter-a.SizeBefore)),
		)
	})
	return sorted
}

func abs(n int64) int64 { return max(n, -n) }

const (
	// growthCount is how many of the largest growths are told, growthLeast from how
	// many bytes on one is worth a word.
	growthCount = 5
	growthLeast = 1_000_000
)

// Growths are the few changes that make a closure larger than all others do, the
// largest first.
func Growths(d closure.Diff) []closure.Change {
	return slices.DeleteFunc(d.Growths(growthCount), func(c closure.Change) bool {
		return c.SizeAfter-c.SizeBefore < growthLeast
	})
}

// IsGuessed says whether the size of the stored images after a plan is a guess:
// that of an image is known when it is built.
func IsGuessed(p event.ServerPlanned) bool { return p.Action == event.BuildAndRebuild }

// UnitGroups are the names of the units that change, by what happens to them, in the
// order in which it matters. Those of which nothing but the versions of packages
// changes are a group of their own.
func UnitGroups(units []toplevel.UnitChange) []UnitGroup {
	groups := []UnitGroup{{What: "changed"}, {What: "added"}, {What: "removed"}, {What: "with other versions only"}}
	for _, u := range units {
		i := slices.IndexFunc(groups, func(g UnitGroup) bool { return g.What == u.Kind })
		if u.OnlyVersions {
			i = len(groups) - 1
		}
		if i >= 0 {
			groups[i].Names = append(groups[i].Names, u.Name)
		}
	}
	return slices.DeleteFunc(groups, func(g UnitGroup) bool { return len(g.Names) == 0 })
}

// UnitGroup is a group of units; see UnitGroups.
type UnitGroup struct {
	What  string
	Names []string
}

// UnitHead is the line above the lines of a unit that change: its name, and what a
// switch would do with it, since only a rebuild starts all anew.
func UnitHead(u toplevel.UnitChange) string {
	if u.OnSwitch == "" {
		return u.Name
	}
	return u.Name + " (on a switch: " + u.OnSwitch + ")"
}

// Risk is something in a plan that nobody may overlook.
type Risk struct {
	// Rank is smaller for what is graver.
	Rank int
	// Text is a sentence without its end, about the server that the plan is for.
	Text string
}

// The ranks of risks, the gravest first.
const (
	riskDowngrade = iota
	riskState
	riskDrift
	riskPort
	riskUser
)

// Risks are what nobody may overlook in a server's plan, the gravest first: a
// downgrade of what lets people in, another system.stateVersion, drift, an opened
// port, a new user. That disks are wiped is not among them: it is said for all
// servers at once.
func Risks(p event.ServerPlanned) []Risk {
	var risks []Risk
	add := func(rank int, format string, args ...any) {
		risks = append(risks, Risk{Rank: rank, Text: fmt.Sprintf(format, args...)})
	}
	if p.Packages != nil {
		estimated := ""
		if p.Packages.Estimate {
			estimated = ", by an estimate from derivations"
		}
		for _, c := range p.Packages.Changes {
			if c.Kind == closure.Downgraded && c.Output == "" && isVital(c.Name) {
				add(riskDowngrade, "%s is downgraded from %s to %s%s", c.Name, strings.Join(c.Before, ", "), strings.Join(c.After, ", "), estimated)
			}
		}
	}
	if s := p.System; s != nil && s.StateVersionBefore != s.StateVersionAfter {
		add(riskState, "system.stateVersion changes from %s to %s, which is hardly ever meant", s.StateVersionBefore, s.StateVersionAfter)
	}
	for _, text := range p.Drift {
		add(riskDrift, "%s", text)
	}
	if s := p.System; s != nil && len(s.PortsOpened) > 0 {
		add(riskPort, "the firewall opens %s", strings.Join(s.PortsOpened, ", "))
	}
	if s := p.System; s != nil && len(s.UsersAdded) > 0 {
		add(riskUser, "users are added: %s", strings.Join(s.UsersAdded, ", "))
	}
	return risks
}

// isVital says whether a droplet may be out of reach when this package is broken.
// The kernels are those that nixpkgs has under these names.
func isVital(name string) bool {
	switch name {
	case "openssh", "systemd", "linux", "linux-hardened", "linux-zen", "linux-xanmod", "linux-lqx", "linux-rt":
		return true
	default:
		return false
	}
}
