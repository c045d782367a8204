package markdown_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

const limit = 60_000

func TestAHugeRunKeepsItsHeadlineAndItsWholeTable(t *testing.T) {
	t.Parallel()
	f := frame("snowdrop deploy")
	comment := tell(hugeRun()).Comment(f)
	if len(comment) > limit {
		t.Errorf("the comment has %d bytes", len(comment))
	}
	for i := range 60 {
		if row := fmt.Sprintf("| **server-%02d** |", i); !strings.Contains(comment, row) {
			t.Errorf("there is no row %q", row)
		}
	}
	for _, part := range []string{
		"## ❌ snowdrop deploy: 30 of 60 servers failed\n", "> [!WARNING]\n> - the flake is not a clean git checkout",
		"The rest was too long for a comment; it is in [the run's summary](" + f.SummaryURL + ").", "environment `production`",
	} {
		if !strings.Contains(comment, part) {
			t.Errorf("it lacks %q", part)
		}
	}
	if n := strings.Count(comment, "<details open>"); n < 20 {
		t.Errorf("only %d servers that failed are told", n)
	}
	if summary := tell(hugeRun()).Summary(f); len(summary) > 1_000_000 || len(summary) < 3*limit {
		t.Errorf("the summary has %d bytes", len(summary))
	}
}

// planOf is a plan that rebuilds some servers and leaves others alone.
func planOf(rebuilt, unchangedServers int) []at {
	events := []at{{0, event.RunStarted{Verb: "plan", DryRun: true, Revision: revision}}}
	for i := range rebuilt {
		name := fmt.Sprintf("changed-%03d", i)
		events = append(events, at{0, event.DropletFinished{Subject: on(name, name+"-1"), Outcome: event.WouldDo, State: "would be rebuilt"}},
			at{0, event.ServerFinished{Subject: on(name), Outcome: event.WouldDo, Revision: revision, FormerRevision: former, FormerImage: webOld, Image: webNew}})
	}
	for i := range unchangedServers {
		name := fmt.Sprintf("same-%03d", i)
		events = append(events, unchanged(0, name, name+"-1")...)
	}
	return append(events, at{second, event.RunFinished{Verb: "plan", Took: second}})
}

func TestServersWithNothingToDoAreCountedWhereTheTableIsTooLong(t *testing.T) {
	t.Parallel()
	comment := tell(planOf(40, 400)).Comment(frame("snowdrop plan"))
	read(comment).complain(t, "comment", comment)
	for i := range 40 {
		if row := fmt.Sprintf("| **changed-%03d** |", i); !strings.Contains(comment, row) {
			t.Errorf("there is no row %q", row)
		}
	}
	if !strings.Contains(comment, "➖ 400 further servers unchanged\n") || strings.Contains(comment, "| **same-") {
		t.Error("the unchanged servers are not counted")
	}
	few := tell(planOf(2, 3)).Comment(frame("snowdrop plan"))
	if strings.Count(few, "| **same-") != 3 || strings.Contains(few, "further") {
		t.Error("where there is room they are not listed")
	}
}

func TestEveryDiskThatAPlanWipesIsNamed(t *testing.T) {
	t.Parallel()
	comment := tell(planOf(200, 0)).Comment(frame("snowdrop plan"))
	caution, _, _ := strings.Cut(comment[strings.Index(comment, "> [!CAUTION]"):], "\n\n")
	for i := range 200 {
		if name := fmt.Sprintf("`changed-%03d-1`", i); !strings.Contains(caution, name) {
			t.Errorf("the caution does not name %s", name)
		}
	}
	if len(comment) > limit {
		t.Errorf("the comment has %d bytes", len(comment))
	}
	many := tell(planOf(800, 0)).Comment(frame("snowdrop plan"))
	if len(many) > limit || !strings.Contains(many, "of 800 droplets") || !strings.Contains(many, "more.\n") {
		t.Errorf("of 800 droplets it says %.300s", many)
	}
}

// What wipes nothing must not cry wolf.
func TestOnlyAPlanThatRebuildsWarnsOfWipedDisks(t *testing.T) {
	t.Parallel()
	for name, events := range map[string][]at{
		"nothing to do": nothingToDo(), "done already": verifiedRun(), "rolled back": failedRun(), "evaluated": forkRun(),
		"looked at": {
			{0, event.RunStarted{Verb: "verify", DryRun: true}},
			{0, event.DropletFinished{Subject: on("web", "web-1"), Outcome: event.WouldDo}},
			{0, event.ServerFinished{Subject: on("web"), Outcome: event.WouldDo}},
			{0, event.RunFinished{Verb: "verify"}},
		},
	} {
		if comment := tell(events).Comment(frame("snowdrop")); strings.Contains(comment, "CAUTION") {
			t.Errorf("%s: it warns\n%s", name, comment)
		}
	}
}

func TestAChecksPageHasItsLimit(t *testing.T) {
	t.Parallel()
	var droplets []string
	for i := range 3000 {
		droplets = append(droplets, fmt.Sprintf("web-%d", i))
	}
	events := []at{{0, event.RunStarted{Verb: "deploy", Servers: []event.Planned{{Server: "web", Droplets: droplets}}}}}
	journal := strings.Split(strings.Repeat("a line of the journal | with `code`\n", 2000), "\n")
	for i := range 20 {
		events = append(events, at{0, event.Evidence{Subject: on("web", droplets[i]), Evidence: release.Evidence{
			Checks: []release.Check{{Name: "state", Got: "degraded"}},
			Failed: []release.Unit{{Name: "nginx.service", Active: "failed", Journal: journal}},
		}}})
	}
	events = append(events, at{0, event.ServerFinished{Subject: on("web"), Outcome: event.Failed, Err: errors.New(strings.Repeat("an error of many lines\n", 5000) + "the very end")}})
	check := tell(events).Check("web")
	for what, text := range map[string]string{"summary": check.Summary, "text": check.Text} {
		if len(text) > limit || len(text) < limit/2 {
			t.Errorf("the %s has %d bytes", what, len(text))
		}
		read(text).complain(t, what, text)
	}
	if !strings.Contains(check.Text, "the very end") || !strings.Contains(check.Text, "lines left out") {
		t.Error("the end of the error is not told")
	}
}

func TestAnErrorOfManyServersIsToldOnce(t *testing.T) {
	t.Parallel()
	err := errors.New("build fleet: builder for nginx.drv failed")
	events := []at{
		{0, event.RunStarted{Verb: "deploy", Servers: []event.Planned{{Server: "web"}, {Server: "db"}}}},
		{0, event.StepStarted{Step: "build"}},
		{0, event.Log{Step: "build", Line: "make: *** No rule"}},
		{0, event.StepFinished{Step: "build", Err: err}},
		{0, event.ServerFinished{Subject: on("web"), Outcome: event.Failed, Err: err}},
		{0, event.ServerFinished{Subject: on("db"), Outcome: event.Failed, Err: err}},
		{0, event.RunFinished{Verb: "deploy", Err: errors.Join(err, err)}},
	}
	comment := tell(events).Comment(frame("snowdrop deploy"))
	if n := strings.Count(comment, "\nbuild fleet: builder for nginx.drv failed\n"); n != 1 {
		t.Errorf("it is told %d times\n%s", n, comment)
	}
	for _, part := range []string{"2 servers failed", "The error is that of **web**.", "make: *** No rule"} {
		if !strings.Contains(comment, part) {
			t.Errorf("it lacks %q\n%s", part, comment)
		}
	}
	if check := tell(events).Check("db"); !strings.Contains(check.Text, err.Error()) || check.Title != "failed: builder for nginx.drv failed" {
		t.Errorf("db's own page says %q\n%s", check.Title, check.Text)
	}
}

func TestAStoryMayBeToldWhileItHappens(t *testing.T) {
	t.Parallel()
	story := markdown.NewStory(time.Now)
	var wait sync.WaitGroup
	wait.Go(func() {
		for _, e := range failedRun() {
			story.Emit(e.event)
		}
	})
	for range 20 {
		wait.Go(func() {
			for _, server := range story.Servers() {
				story.Check(server)
			}
			story.Comment(frame("snowdrop deploy"))
		})
	}
	wait.Wait()
	if got := story.Check("web").Outcome; got != event.RolledBack {
		t.Errorf("web is %q", got)
	}
}
