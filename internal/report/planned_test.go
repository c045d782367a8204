package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/toplevel"
)

func changed(name string, kind closure.Kind, growth int64) closure.Change {
	return closure.Change{Name: name, Kind: kind, Before: []string{"2"}, After: []string{"1"}, SizeBefore: 10_000_000, SizeAfter: 10_000_000 + growth}
}

func TestWhatMattersMostComesFirst(t *testing.T) {
	t.Parallel()
	diff := closure.Diff{Changes: []closure.Change{
		changed("a", closure.Rebuilt, 9_000_000), changed("b", closure.Upgraded, 1), changed("c", closure.Upgraded, -5_000_000),
		changed("d", closure.Added, 0), changed("e", closure.Removed, 0), changed("f", closure.Downgraded, 0), changed("g", closure.Upgraded, 2_000_000),
	}}
	names := func(changes []closure.Change) string {
		var out []string
		for _, c := range changes {
			out = append(out, c.Name)
		}
		return strings.Join(out, " ")
	}
	if got, want := names(ByWeight(diff.Changes)), "f c g b d e a"; got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
	if got, want := names(diff.Changes), "a b c d e f g"; got != want {
		t.Errorf("the diff itself was sorted: %s", got)
	}
	// What makes a closure larger by a few bytes is not worth a word.
	if got, want := names(Growths(diff)), "a g"; got != want {
		t.Errorf("grown most are %s, want %s", got, want)
	}
	for want, d := range map[string]closure.Diff{
		"↓1 ↑3 +1 −1 ~1": diff,
		"none":           {},
		"≈ ↑1":           {Estimate: true, Changes: []closure.Change{changed("b", closure.Upgraded, 0)}},
	} {
		if got := ChangeCounts(d); got != want {
			t.Errorf("the counts are %q, want %q", got, want)
		}
	}
}

func TestRisksAreWhatLocksPeopleOutOrLetsThemIn(t *testing.T) {
	t.Parallel()
	downgraded := func(estimate bool, changes ...closure.Change) event.ServerPlanned {
		return event.ServerPlanned{Packages: &closure.Diff{Estimate: estimate, Changes: changes}}
	}
	output := changed("systemd", closure.Downgraded, 0)
	output.Output = "man"
	for name, tt := range map[string]struct {
		plan event.ServerPlanned
		want []string
	}{
		"nothing is known": {event.ServerPlanned{}, nil},
		"nothing changes":  {event.ServerPlanned{Packages: &closure.Diff{}, System: &toplevel.Diff{}}, nil},
		"an older kernel":  {downgraded(false, changed("linux", closure.Downgraded, 0)), []string{"linux is downgraded from 2 to 1"}},
		"an older sshd, perhaps": {
			downgraded(true, changed("openssh", closure.Downgraded, 0)), []string{"openssh is downgraded from 2 to 1, by an estimate from derivations"},
		},
		"a newer one":                    {downgraded(false, changed("openssh", closure.Upgraded, 0)), nil},
		"an older something":             {downgraded(false, changed("linux-pam", closure.Downgraded, 0), changed("nginx", closure.Downgraded, 0), output), nil},
		"what is closed or goes":         {event.ServerPlanned{System: &toplevel.Diff{PortsClosed: []string{"tcp 80"}, UsersRemoved: []string{"bob"}}}, nil},
		"the same stateVersion, unknown": {event.ServerPlanned{System: &toplevel.Diff{Unknown: []string{"stateVersion"}}}, nil},
		"all at once, the gravest first": {
			event.ServerPlanned{
				Drift: []string{"web-1 runs another image"}, Packages: &closure.Diff{Changes: []closure.Change{changed("systemd", closure.Downgraded, 0)}},
				System: &toplevel.Diff{UsersAdded: []string{"eve"}, PortsOpened: []string{"tcp 23", "udp 53"}, StateVersionBefore: "23.11", StateVersionAfter: "24.05"},
			},
			[]string{
				"systemd is downgraded from 2 to 1", "system.stateVersion changes from 23.11 to 24.05, which is hardly ever meant",
				"web-1 runs another image", "the firewall opens tcp 23, udp 53", "users are added: eve",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			last := 0
			for _, r := range Risks(tt.plan) {
				got = append(got, r.Text)
				if r.Rank < last {
					t.Errorf("%q stands below what is less grave", r.Text)
				}
				last = r.Rank
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A name in a closure is whatever a derivation says, and must not drive a terminal.
func TestNothingInAPlanReachesTheTerminalAsAnEscape(t *testing.T) {
	t.Parallel()
	const s = "\x1b[2Ja\rb\n\x07c\u202ed"
	images := []event.PlannedImage{{Name: s, Reason: s}}
	run := []at{
		{0, event.RunStarted{Verb: "plan", DryRun: true, Servers: []event.Planned{{Server: "web"}}}},
		{0, event.ServerPlanned{
			Subject: on("web"), Action: event.RebuildOnly, Batches: [][]string{{s}}, Drift: []string{s}, Unknown: []string{s}, Prune: images, Keep: images,
			Packages: &closure.Diff{SizeAfter: 1, Changes: []closure.Change{
				{Name: s, Output: s, Kind: closure.Upgraded, Before: []string{s}, After: []string{"x" + s}, SizeAfter: 2_000_000},
				{Name: s, Kind: closure.Rebuilt},
			}},
			FromBase: &event.FromBase{Revision: s, Packages: closure.Diff{Changes: []closure.Change{{Name: s, Kind: closure.Upgraded, Before: []string{s}, After: []string{"x" + s}}}}},
			System: &toplevel.Diff{
				Units:      []toplevel.UnitChange{{Name: s, Kind: "changed", OnSwitch: s, Lines: []string{"+" + s}}},
				Components: []toplevel.Component{{Name: s, Before: s, After: "x" + s}}, Unknown: []string{s},
				PortsOpened: []string{s}, PortsClosed: []string{s}, UsersAdded: []string{s}, UsersRemoved: []string{s}, StateVersionBefore: s,
			},
		}},
		{0, event.RunFinished{Verb: "plan"}},
	}
	for _, line := range closing(stateAt(run, time.Hour), look{unicode: true}, true) {
		if strings.ContainsAny(line, "\x1b\r\n\x07\u202e") {
			t.Errorf("there is the line %q", line)
		}
	}
}

func TestWhatTheBaseHasAlreadyIsNotToldAsNew(t *testing.T) {
	t.Parallel()
	text := strings.Join(plannedBlock(event.ServerPlanned{
		Subject: on("web"), Action: event.RebuildOnly, Packages: &closure.Diff{Changes: []closure.Change{changed("jq", closure.Upgraded, 0)}},
		FromBase: &event.FromBase{Revision: revision},
	}, look{}, false), "\n")
	for _, part := range []string{"  packages  1 upgraded", "  base      nothing changes since revision 4f2a91c: all of this is in that already, and was not deployed"} {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %q:\n%s", part, text)
		}
	}
}

func TestAPlanIsShortUnlessItIsToBeVerbose(t *testing.T) {
	t.Parallel()
	diff, system := closure.Diff{SizeBefore: 1, SizeAfter: 2}, toplevel.Diff{}
	var batches [][]string
	for i := range 1000 {
		name := fmt.Sprintf("name-%03d", i)
		diff.Changes = append(diff.Changes, changed(name, closure.Upgraded, 0))
		system.Units = append(system.Units, toplevel.UnitChange{Name: name + ".service", Kind: "changed", Lines: []string{"+" + name}})
		batches = append(batches, []string{name})
	}
	run := []at{
		{0, event.RunStarted{Verb: "plan", DryRun: true}},
		{0, event.ServerPlanned{Subject: on("web"), Action: event.RebuildOnly, Batches: batches, Packages: &diff, System: &system}},
		{0, event.RunFinished{Verb: "plan"}},
	}
	short := closing(stateAt(run, time.Hour), look{width: 80}, false)
	if n := len(short); n > 25 {
		t.Errorf("it has %d lines:\n%s", n, strings.Join(short, "\n"))
	}
	for _, line := range short {
		if width(line) > 80 {
			t.Errorf("a line is too wide: %q", line)
		}
	}
	all := strings.Join(closing(stateAt(run, time.Hour), look{width: 80}, true), "\n")
	for _, part := range []string{"name-999 2 -> 1", "name-999.service", "+name-999", "then name-999"} {
		if !strings.Contains(strings.Join(strings.Fields(all), " "), part) {
			t.Errorf("with --verbose it lacks %q", part)
		}
	}
}
