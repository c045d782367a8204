package markdown_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
)

// section is what stands in a text from one mark to the next.
func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	part, _, closed := strings.Cut(rest, to)
	if !ok || !closed {
		t.Fatalf("there is nothing from %q to %q in\n%.3000s", from, to, text)
	}
	return part
}

func TestAWidePlanFitsAndTellsTheMostImportantFirst(t *testing.T) {
	t.Parallel()
	f := frame("snowdrop plan")
	story := tell(widePlan())
	comment := story.Comment(f)
	read(comment).complain(t, "comment", comment)
	if len(comment) > limit {
		t.Errorf("the comment has %d bytes", len(comment))
	}
	for i := range 60 {
		if row := fmt.Sprintf("| **server-%02d** | 🔁 build and rebuild | ", i); !strings.Contains(comment, row) {
			t.Errorf("there is no row %q", row)
		}
	}
	caution := section(t, comment, "> [!CAUTION]", "\n\n")
	for i := range 60 {
		if name := fmt.Sprintf("`server-%02d-b`", i); !strings.Contains(caution, name) {
			t.Errorf("the caution does not name %s", name)
		}
	}
	warning := section(t, comment, "> [!WARNING]\n", "\n\n")
	for i, want := range []string{
		"> - `server-57`: systemd is downgraded from 255.6 to 254.10",
		"more: system.stateVersion changes from 23.11 to 24.05, which is hardly ever meant",
		"> - `server-57`: the firewall opens tcp 23",
	} {
		if got := strings.Split(warning, "\n"); len(got) != 3 || !strings.Contains(got[i], want) {
			t.Errorf("the warnings should have %q as number %d:\n%s", want, i+1, warning)
		}
	}
	if !strings.Contains(comment, "## 🔁 snowdrop plan: 60 servers will be rebuilt, 60 images pruned\n") || !strings.Contains(comment, "it is in [the run's summary](") {
		t.Errorf("it begins\n%.300s\nand ends\n%s", comment, comment[len(comment)-500:])
	}
	details := strings.Split(comment, "<details>\n<summary>")
	if n := len(details) - 1; n < 20 {
		t.Errorf("only %d servers have their details", n)
	}
	if !strings.HasPrefix(details[1], "🔁 <b>server-57</b>") {
		t.Errorf("the server with the gravest risk is not the first: %.100s", details[1])
	}
	summary := story.Summary(f)
	read(summary).complain(t, "summary", summary)
	for _, part := range []string{"package-of-some-length-59-66", "unit-59-19.service"} {
		if len(summary) > 1_000_000 || !strings.Contains(summary, part) {
			t.Errorf("the summary of %d bytes lacks %q", len(summary), part)
		}
	}
	if n := strings.Count(comment, " (own: ≈ "); n < 60 || !strings.Contains(comment, "**The pull request's own changes, since [`1a2b3c4`](https://github.com/acme/fleet/commit/1a2b3c4d5e6f), an estimate from derivations**: ") {
		t.Errorf("the pull request's own changes are counted for %d servers", n)
	}
	check := story.Check("server-57")
	if !strings.Contains(check.Summary, "systemd is downgraded") || !strings.Contains(check.Text, "+ExecStart=") {
		t.Errorf("the check says\n%s\n%s", check.Summary, check.Text)
	}
}

// A server's plan that says nothing must not become a claim.
func TestAPlanSaysWhereItKnowsNothing(t *testing.T) {
	t.Parallel()
	comment := tell([]at{
		{0, event.RunStarted{Verb: "plan", DryRun: true}},
		{0, event.ServerPlanned{Subject: on("web"), Action: event.RebuildOnly, Batches: [][]string{{"web-1"}}, Unknown: []string{"the record has no snapshot of its system"}}},
		{0, event.ServerFinished{Subject: on("web"), Outcome: event.WouldDo, Image: webNew}},
		{0, event.RunFinished{Verb: "plan"}},
	}).Comment(frame("snowdrop plan"))
	for _, part := range []string{"| 🔁 rebuild | not known | `1b2c3d4f` |", "**Note**: the record has no snapshot of its system\n", "1 droplet: `web-1`"} {
		if !strings.Contains(comment, part) {
			t.Errorf("it lacks %q:\n%s", part, comment)
		}
	}
}

// What has happened is no risk any more: the comment on a merge does not warn of it.
func TestOnlyAPlanWarnsOfWhatChanges(t *testing.T) {
	t.Parallel()
	events := verifiedRun()
	i := slices.IndexFunc(events, func(e at) bool { _, ok := e.event.(event.RunStarted); return ok })
	events = slices.Insert(events, i+1, at{4 * second, webPlan()})
	comment := tell(events).Comment(frame("snowdrop deploy"))
	if strings.Contains(comment, "the firewall opens") || strings.Contains(comment, "CAUTION") {
		t.Errorf("it warns:\n%s", comment)
	}
	if !strings.Contains(comment, "| ↑ | `nginx` | `1.24.0` | `1.26.1` | +600 kB |") {
		t.Errorf("what changed is not told:\n%s", comment)
	}
}

// sinceBase is the comment of a plan of a pull request whose base is not what runs.
func sinceBase(packages *closure.Diff, base event.FromBase) string {
	return tell([]at{
		{0, event.RunStarted{Verb: "plan", DryRun: true}},
		{0, event.ServerPlanned{Subject: on("web"), Action: event.RebuildOnly, Batches: [][]string{{"web-1"}}, Packages: packages, FromBase: &base}},
		{0, event.ServerFinished{Subject: on("web"), Outcome: event.WouldDo, FormerRevision: running, Image: webNew}},
		{0, event.RunFinished{Verb: "plan"}},
	}).Comment(frame("snowdrop plan"))
}

func TestAPullRequestsOwnChangesAreToldFromThoseOfItsBase(t *testing.T) {
	t.Parallel()
	nginx := closure.Change{Name: "nginx", Kind: closure.Upgraded, Before: []string{"1.24.0"}, After: []string{"1.26.1"}}
	all := &closure.Diff{Changes: []closure.Change{nginx, {Name: "jq", Kind: closure.Added, After: []string{"1.7.1"}}}}
	for name, tc := range map[string]struct {
		packages *closure.Diff
		own      closure.Diff
		want     []string
	}{
		"a part of them": {all, closure.Diff{Estimate: true, Changes: []closure.Change{nginx}}, []string{
			"| ↑1 +1 (own: ≈ ↑1) |", "Own is what the pull request itself changes, since its base [`1a2b3c4`]", "≈ marks an estimate",
			"**The pull request's own changes, since [`1a2b3c4`]", ", an estimate from derivations**: 1 upgraded",
		}},
		"none of them":              {all, closure.Diff{}, []string{"| ↑1 +1 (own: none) |", "**: none; all of this is in that already, and was not deployed"}},
		"nobody knows of what runs": {nil, closure.Diff{Changes: []closure.Change{nginx}}, []string{"| not known (own: ↑1) |"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			comment := sinceBase(tc.packages, event.FromBase{Revision: former, Packages: tc.own})
			read(comment).complain(t, "comment", comment)
			for _, part := range tc.want {
				if !strings.Contains(comment, part) {
					t.Errorf("it lacks %q:\n%s", part, comment)
				}
			}
		})
	}
}

func TestTheFooterOfAPlanSaysWhatIsDeployed(t *testing.T) {
	t.Parallel()
	footer := func(events []at) string {
		comment := tell(events).Comment(frame("snowdrop plan"))
		return comment[strings.LastIndex(comment, "\nenvironment "):]
	}
	for name, tc := range map[string]struct {
		events []at
		want   []string
		lacks  bool
	}{
		"two revisions, one server drifted": {comparedRun(), []string{"deployed [`0b1c2d3`]", ", [`1a2b3c4`]", " · drift on 1 of 4 servers · "}, false},
		"one revision":                      {widePlan(), []string{"deployed [`1a2b3c4`](https://github.com/acme/fleet/commit/1a2b3c4d5e6f) · drift none · "}, false},
		"what runs is not known":            {estimatedRun(), []string{"base ", "head "}, true},
		"a deploy":                          {verifiedRun(), []string{"head "}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := footer(tc.events)
			for _, part := range tc.want {
				if !strings.Contains(got, part) {
					t.Errorf("it lacks %q: %s", part, got)
				}
			}
			if tc.lacks && (strings.Contains(got, "deployed ") || strings.Contains(got, "drift ")) {
				t.Errorf("it says %s", got)
			}
		})
	}
}
