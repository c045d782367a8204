package markdown_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/event"
)

func TestWhatEndedIsNotAtWork(t *testing.T) {
	t.Parallel()
	start := []at{
		{0, event.RunStarted{Verb: "deploy", Servers: []event.Planned{{Server: "web", Droplets: []string{"web-1", "web-2"}}}}},
		{0, event.StepStarted{Step: "build"}},
		{0, event.StepStarted{Subject: on("web", "web-1"), Step: "rebuild"}},
		{0, event.StepStarted{Subject: on("web", "web-2"), Step: "rebuild"}},
		{0, event.StepStarted{Subject: on("web"), Step: "prune"}},
	}
	story := tell(start)
	busy := func() int { return strings.Count(story.Check("web").Text, "⏳ at work") }
	if n := busy(); n != 4 {
		t.Errorf("%d steps are at work, want 4", n)
	}
	for _, step := range []struct {
		ends event.Event
		left int
	}{
		{event.DropletFinished{Subject: on("web", "web-1"), Outcome: event.Cancelled}, 3},
		{event.ServerFinished{Subject: on("web"), Outcome: event.Cancelled}, 1},
		{event.RunFinished{Verb: "deploy"}, 0},
	} {
		story.Emit(step.ends)
		if n := busy(); n != step.left {
			t.Errorf("after %s, %d steps are at work, want %d", step.ends.Kind(), n, step.left)
		}
	}
	if summary := story.Check("web").Summary; !strings.Contains(summary, "| `web-2` | 🚫 not known: the run broke off |") {
		t.Errorf("web-2 was at work when the run broke off, and the page says\n%s", summary)
	}
}

func TestAServerThatNobodyToldTheEndOfHasOne(t *testing.T) {
	t.Parallel()
	story := tell([]at{
		{0, event.RunStarted{Verb: "deploy", Servers: []event.Planned{{Server: "web", Droplets: []string{"web-1"}}, {Server: "db", Droplets: []string{"db-1"}}}}},
		{0, event.StepStarted{Subject: on("web", "web-1"), Step: "rebuild"}},
	})
	if got := story.Check("web").Outcome + story.Check("db").Outcome; got != "" {
		t.Errorf("while the run is on, they ended %q", got)
	}
	story.Emit(event.RunFinished{Verb: "deploy"})
	if web, db := story.Check("web").Outcome, story.Check("db").Outcome; web != event.Cancelled || db != event.Untouched {
		t.Errorf("web ended %q and db %q", web, db)
	}
}

func TestOnlyTheEndOfAProgramsOutputIsKept(t *testing.T) {
	t.Parallel()
	events := []at{{0, event.StepStarted{Subject: on("web"), Step: "build"}}}
	for i := range 100 {
		events = append(events, at{0, event.Log{Subject: on("web"), Step: "build", Line: fmt.Sprintf("line %d of the output", i)}})
	}
	err := errors.New("build web: exit status 1")
	events = append(events, at{0, event.StepFinished{Subject: on("web"), Step: "build", Err: err}},
		at{0, event.ServerFinished{Subject: on("web"), Outcome: event.Failed, Err: err}})
	text := tell(events).Check("web").Text
	if n := strings.Count(text, " of the output\n"); n != 15 || !strings.Contains(text, "line 99 of") {
		t.Errorf("%d lines are kept:\n%s", n, text)
	}
}

func TestAStepTellsHowFarItIsAndThenWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	story := tell([]at{{0, event.StepStarted{Subject: on("web"), Step: "upload"}}})
	for _, step := range []struct {
		event event.Event
		want  string
	}{
		{event.Progress{Subject: on("web"), Step: "upload", Done: 10_000_000, Total: 40_000_000, Unit: "bytes"}, "uploading: 10 MB of 40 MB"},
		{event.Progress{Subject: on("web"), Step: "upload", Done: 40_000_000, Total: 40_000_000, Unit: "bytes"}, "uploading"},
		{event.Phase{Subject: on("web"), Step: "upload", Text: "waiting for image 12 (pending)"}, "uploading: waiting for image 12 (pending)"},
	} {
		story.Emit(step.event)
		if got := story.Check("web").Title; got != step.want {
			t.Errorf("it is %q, want %q", got, step.want)
		}
	}
}

func TestAFaultIsToldOnce(t *testing.T) {
	t.Parallel()
	err := errors.New("plan fleet: list droplets: 401 Unable to authenticate you")
	f := frame("snowdrop deploy")
	f.Faults = []string{err.Error() + "\nset DIGITALOCEAN_ACCESS_TOKEN"}
	comment := tell([]at{{0, event.StepFinished{Step: "plan", Err: err}}}).Comment(f)
	// Once in full, and once as what came of the step.
	if n := strings.Count(comment, "\n"+err.Error()+"\n"); n != 1 {
		t.Errorf("it is told %d times:\n%s", n, comment)
	}
}
