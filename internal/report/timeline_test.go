package report

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
)

func timelineOf(run []at) *Timeline {
	var t Timeline
	for _, e := range run {
		t.Apply(e.event, began().Add(e.after))
	}
	return &t
}

// bars are written as "web/web-1 rebuild 30s-50s", with "!" behind what failed.
func bars(t *Timeline, limit int) []string {
	var out []string
	for _, b := range t.Bars(limit) {
		text := fmt.Sprintf("%s %s %s-%s", b.Subject, b.Step, b.Start.Sub(began()), b.End.Sub(began()))
		if b.Failed {
			text += "!"
		}
		out = append(out, text)
	}
	return out
}

func TestATimelineHasWhatWasDoneAndNotWhatWasSkipped(t *testing.T) {
	t.Parallel()
	s := time.Second
	broken := errors.New("no")
	run := []at{
		{0, event.StepStarted{Step: "plan"}},
		{2 * s, event.StepFinished{Step: "plan", Took: 2 * s}},
		{2 * s, event.StepStarted{Subject: on("db"), Step: "build"}},
		{2 * s, event.StepStarted{Subject: on("web"), Step: "build"}},
		{3 * s, event.StepFinished{Subject: on("db"), Step: "build", Skipped: "it is there"}},
		{9 * s, event.StepFinished{Subject: on("web"), Step: "build", Took: 7 * s}},
		{12 * s, event.StepFinished{Subject: on("web"), Step: "upload", Took: 2 * s, Err: broken}}, // nobody said when it began
		{12 * s, event.StepStarted{Subject: on("web", "web-1"), Step: "rebuild"}},
		{20 * s, event.RunFinished{Err: broken}},
	}
	want := []string{"fleet plan 0s-2s", "web build 2s-9s", "web upload 10s-12s!", "web/web-1 rebuild 12s-20s!"}
	if diff := cmp.Diff(want, bars(timelineOf(run), 10)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A step can be done twice on a droplet, as when it goes back: these are two bars.
func TestATimelineTellsARolloutAndTheWayBackApart(t *testing.T) {
	t.Parallel()
	s := time.Second
	var run []at
	for i, err := range []error{errors.New("no"), nil} {
		start := time.Duration(i) * 10 * s
		run = append(run, at{start, event.StepStarted{Subject: on("web", "web-1"), Step: "verify"}},
			at{start + 4*s, event.StepFinished{Subject: on("web", "web-1"), Step: "verify", Err: err}})
	}
	if diff := cmp.Diff([]string{"web/web-1 verify 0s-4s!", "web/web-1 verify 10s-14s"}, bars(timelineOf(run), 10)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestATimelineOfManyStepsDrawsThemTogether(t *testing.T) {
	t.Parallel()
	s := time.Second
	var run []at
	for server := range 3 {
		for droplet := range 4 {
			for n, step := range []string{"rebuild", "verify"} {
				subject := on(fmt.Sprintf("s%d", server), fmt.Sprintf("s%d-%d", server, droplet))
				start := time.Duration(server*100+droplet*10+n*5) * s
				var err error
				if server == 1 && droplet == 2 && n == 1 {
					err = errors.New("no")
				}
				run = append(run, at{start, event.StepStarted{Subject: subject, Step: step}},
					at{start + time.Duration(1+server)*s, event.StepFinished{Subject: subject, Step: step, Err: err}})
			}
		}
	}
	line := timelineOf(run)
	if n := len(line.Bars(24)); n != 24 {
		t.Errorf("where there is room there are %d bars, want 24", n)
	}
	for limit, want := range map[int][]string{
		23: {
			"s0 rebuild 0s-31s", "s0 verify 5s-36s", "s1 rebuild 1m40s-2m12s", "s1 verify 1m45s-2m17s!", "s2 rebuild 3m20s-3m53s", "s2 verify 3m25s-3m58s",
		},
		5: {"s0  0s-36s", "s1  1m40s-2m17s!", "s2  3m20s-3m58s"},
		2: {"s1  1m40s-2m17s!", "s2  3m20s-3m58s"},
	} {
		if diff := cmp.Diff(want, bars(line, limit)); diff != "" {
			t.Errorf("with room for %d (-want +got):\n%s", limit, diff)
		}
	}
}

func TestADrawnTimelineFitsOrIsLeftAway(t *testing.T) {
	t.Parallel()
	drawn := 0
	for name, run := range scenarios() {
		s := stateAt(run, time.Hour)
		for columns := range 140 {
			l := look{width: columns, unicode: columns%2 == 0, colour: true}
			lines := gantt(s, l, true)
			for _, line := range lines {
				drawn++
				if n := width(clean(line)); columns > 0 && n > columns {
					t.Fatalf("%s: a line of %d columns on a width of %d: %q", name, n, columns, line)
				}
			}
		}
	}
	if drawn == 0 {
		t.Error("none was ever drawn")
	}
	if lines := gantt(stateAt(goodRun(), time.Hour), look{width: 30}, true); lines != nil {
		t.Errorf("on 30 columns there is\n%s", strings.Join(lines, "\n"))
	}
}

// A plan does nothing, and one step needs no picture.
func TestATimelineIsDrawnOnlyWhereItTellsSomething(t *testing.T) {
	t.Parallel()
	one := []at{{0, event.StepStarted{Step: "plan"}}, {time.Second, event.StepFinished{Step: "plan", Took: time.Second}}, {time.Second, event.RunFinished{Verb: "deploy"}}}
	for name, run := range map[string][]at{"a plan": comparedPlan(), "one step": one, "no step": nil} {
		if lines := gantt(stateAt(run, time.Hour), look{width: 100}, true); lines != nil {
			t.Errorf("%s: there is\n%s", name, strings.Join(lines, "\n"))
		}
	}
}

// A run that was cut off must look the same whenever it is told.
func TestATimelineOfManyStepsThatBrokeOffIsAlwaysTheSame(t *testing.T) {
	t.Parallel()
	var run []at
	for i := range 40 {
		run = append(run, at{0, event.StepStarted{Subject: on(fmt.Sprintf("s%02d", i)), Step: "build"}})
	}
	run = append(run, at{time.Second, event.RunFinished{}})
	want := []string{"s00 build 0s-1s!", "s01 build 0s-1s!", "s02 build 0s-1s!"}
	for range 20 {
		var got []string
		for _, b := range bars(timelineOf(run), 3) {
			got = append(got, strings.Replace(b, "  ", " build ", 1))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}
