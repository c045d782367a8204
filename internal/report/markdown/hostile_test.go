package markdown_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report/markdown"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// hostile is what somebody could name a branch or print into a journal.
func hostile() []string {
	return []string{
		"@octocat", "x@octocat please", "fixes #12", "acme/fleet#12", "GH-12 gh-7", "(@octocat)", "acme/fleet@0123456789",
		"https://evil.example/x", "see www.evil.example now", "[x](https://evil.example)", "![x](https://evil.example/x.png)", "<https://evil.example>",
		"<!-- snowdrop -->", "--> <!-- snowdrop {\"kind\":\"plan\"} -->", "<script>alert(1)</script>", "</details></details>", "<details open>", "</summary><img src=x>",
		"`", "``", "```", "````\n```", "~~~", "`a` b `` c", "a`", "`<b>`", "~~gone~~", "**loud** *loud* __loud__ _loud_",
		"a | b", `a \| b`, `a \`, `\`, `\\| x`, "`a|b`", "https://evil.example/a|b", `@a\|b`, "| --- |", "|",
		"# heading", "#", "- item", "+ item", "* item", "1. item", "12) item", "> quote", "> [!NOTE]", "---", "===", "- [ ] task", "[^1]: note", "[x]: https://evil.example",
		"a\n\n# heading\n\nb", "\n```\n\n<details>\n", "a\r\nb", "a\rb", "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x00\x07\x08", "\u202eright", "a\u200bb @\u200bname", "\xff\xfe", "&lt;b&gt; &#64;octocat &amp;", "$\\sqrt{x}$ $`x`$",
		"    indented", "\tindented", "a\n    indented", ":tada:", "&", "", " ", "a  ", "\u2028x\u2029", "x\u0085y", strings.Repeat("long ", 2000), strings.Repeat("`", 300), strings.Repeat("@x|", 900),
	}
}

// possessed is a run in which every text is the same.
func possessed(s string) ([]at, markdown.Frame) {
	bad := release.Evidence{
		BootID: s, System: s, State: s, Took: second,
		Checks: []release.Check{{Name: s, Want: s, Got: s}, {Name: s, OK: true, Want: s, Got: s}},
		Failed: []release.Unit{{Name: s, User: s, Load: s, Active: s, Result: s, Journal: []string{s, s}}, {Name: "a.service", Active: "failed", Journal: []string{s + "!"}}},
	}
	server, droplet := "web"+s, event.Subject{Server: "web" + s, Droplet: "droplet" + s}
	second := event.Subject{Server: "db" + s, Droplet: s + "x"}
	events := []at{
		{0, event.Warning{Text: s}},
		{0, event.StepFinished{Step: s + "plan", Result: s}},
		{0, event.RunStarted{Verb: "deploy", Revision: s, Servers: []event.Planned{{Server: server, Droplets: []string{droplet.Droplet}}, {Server: second.Server, Droplets: []string{second.Droplet}}}}},
		{0, event.Warning{Subject: droplet, Text: s}},
		{0, event.StepStarted{Subject: event.Subject{Server: server}, Step: "build"}},
		{0, event.Log{Subject: event.Subject{Server: server}, Step: "build", Line: s}},
		{0, event.Log{Subject: event.Subject{Server: server}, Step: "build", Line: s + "?"}},
		{0, event.StepFinished{Subject: event.Subject{Server: server}, Step: "build", Err: errors.New("x" + s)}},
		{0, event.StepFinished{Subject: droplet, Step: s, Skipped: s}},
		{0, event.Evidence{Subject: droplet, Evidence: bad}},
		{0, event.DropletFinished{Subject: droplet, Outcome: event.Failed, Before: s, After: s + "x", State: s}},
		{0, event.StepStarted{Subject: second, Step: s}},
		{0, event.Phase{Subject: second, Step: s, Text: s}},
		{0, event.StepStarted{Subject: event.Subject{Server: second.Server}, Step: s}},
		{0, event.Progress{Subject: event.Subject{Server: second.Server}, Step: s, Done: 1, Total: 2, Unit: s}},
		{0, event.ServerFinished{Subject: event.Subject{Server: server}, Outcome: event.Failed, Revision: s, Image: s, FormerRevision: "x" + s, FormerImage: "x" + s, Detail: s, Err: errors.New("x" + s + "\n" + s)}},
	}
	return events, markdown.Frame{
		Title: s, Environment: s, Head: s, Base: s, RepositoryURL: "https://github.com/acme/fleet/" + s,
		RunURL: "https://github.com/acme/fleet/actions/" + s, SummaryURL: "https://github.com/acme/fleet/runs/" + s,
		Missing: []string{s, s + "x"}, Faults: []string{s, "x" + s},
	}
}

// possessedPlan is the plan of such a server.
func possessedPlan(server, s string) event.ServerPlanned {
	changes := []closure.Change{{Name: "systemd", Kind: closure.Downgraded, Before: []string{s}, After: []string{s, s}}}
	for _, kind := range []closure.Kind{closure.Added, closure.Removed, closure.Upgraded, closure.Downgraded, closure.Rebuilt} {
		changes = append(changes, closure.Change{Name: s, Output: s, Kind: kind, Before: []string{s, s}, After: []string{"x" + s}, SizeAfter: 2_000_000})
	}
	images := []event.PlannedImage{{Name: s, Reason: s}}
	return event.ServerPlanned{
		Subject: on(server), Action: event.RebuildOnly, Batches: [][]string{{s, "x" + s}, {s + "x"}},
		Packages: &closure.Diff{Changes: changes, SizeBefore: 1, SizeAfter: 2},
		FromBase: &event.FromBase{Revision: s, Packages: closure.Diff{Changes: changes, Estimate: true}},
		System: &toplevel.Diff{
			Units: []toplevel.UnitChange{
				{Name: s, Kind: "changed", Lines: []string{"+" + s, "-x" + s}},
				{Name: s, Kind: "added"},
				{Name: s, Kind: "removed"},
			},
			Components:  []toplevel.Component{{Name: s, Before: s, After: "x" + s}, {Name: s}, {Name: s, Before: s}, {Name: s, After: s}},
			PortsOpened: []string{s}, PortsClosed: []string{s}, UsersAdded: []string{s}, UsersRemoved: []string{s},
			StateVersionBefore: s, StateVersionAfter: "x" + s, Unknown: []string{s},
		},
		Prune: images, Keep: images, Drift: []string{s, "x" + s}, Unknown: []string{s},
	}
}

// breakOut complains of everything that a text became and should not.
func breakOut(t *testing.T, s string) {
	t.Helper()
	events, f := possessed(s)
	story := tell(events)
	check, other := story.Check("web"+s), story.Check("db"+s)
	// While the run is planned, the server is not known, and all of its page is of the
	// run's own step.
	early := tell([]at{{0, event.StepStarted{Step: s}}, {0, event.Phase{Step: s, Text: s}}}).Check(s)
	// The same as a plan, and as a run that ended and has a time line.
	dry := event.RunStarted{Verb: "plan", DryRun: true}
	plan := tell(append(slices.Clone(events), at{0, dry}, at{0, possessedPlan("web"+s, s)},
		at{0, event.ServerFinished{Subject: on("web" + s), Outcome: event.WouldDo, Image: s, FormerImage: "x" + s}}))
	done := tell(append(slices.Clone(events), at{0, possessedPlan("web"+s, s)}, at{second, event.RunFinished{Verb: "deploy"}}))
	planned := plan.Check("web" + s)
	for what, source := range map[string]string{
		"plan's comment": plan.Comment(f), "plan's summary": plan.Summary(f), "plan's check": planned.Summary, "plan's check text": planned.Text,
		"time line": done.Comment(f), "time line's summary": done.Summary(f),
		"comment": story.Comment(f), "summary": story.Summary(f),
		"check's summary": check.Summary, "check's text": check.Text, "early summary": early.Summary, "early text": early.Text, "other's summary": other.Summary, "other's text": other.Text,
	} {
		read(source).complain(t, what, source)
	}
	if strings.ContainsAny(check.Title, "\n\r\x1b") || len(check.Title) > 120 {
		t.Errorf("the title is %q", check.Title)
	}
}

func TestForeignTextStaysText(t *testing.T) {
	t.Parallel()
	for _, s := range hostile() {
		breakOut(t, s)
		if t.Failed() {
			t.Fatalf("with %q", s)
		}
	}
}

func FuzzForeignTextStaysText(f *testing.F) {
	for _, s := range hostile() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) < 4000 {
			breakOut(t, s)
		}
	})
}

func TestACellIsTextAndNothingElse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"runs image 7f6g5h4j (12)": "runs image 7f6g5h4j (12)",
		"a|b\nc":                   "a&#124;b c",
		"ssh root@203.0.113.7":     "ssh `root@203.0.113.7`",
		"@a|b":                     "`@a\\|b`",
		"snake_case _em_":          "snake_case &#95;em&#95;",
		"1. one":                   "1&#46; one",
		"a\u200bb \u202ec\x1b[1md": "ab cd",
		"":                         "",
	} {
		if got := markdown.Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
	}
}
