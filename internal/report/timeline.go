package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// Timeline knows what was done when, from the events of a run and the times at
// which they came. The zero value is an empty one.
type Timeline struct {
	running map[voice]time.Time
	bars    []Bar
}

// Bar is a step, or several of them that are shown as one, from when to when.
type Bar struct {
	// Subject is what was worked on; without a droplet it is a server or all of its
	// droplets, without a server the fleet.
	event.Subject
	// Step is empty where the bar is all that was done with a server.
	Step       string
	Start, End time.Time
	Failed     bool
}

// Apply takes in an event that happened at now. What was skipped is no part of the
// time line.
func (t *Timeline) Apply(e event.Event, now time.Time) {
	switch e := e.(type) {
	case event.StepStarted:
		if t.running == nil {
			t.running = map[voice]time.Time{}
		}
		t.running[voice{e.Subject, e.Step}] = now
	case event.StepFinished:
		key := voice{e.Subject, e.Step}
		start, ok := t.running[key]
		delete(t.running, key)
		if !ok {
			start = now.Add(-e.Took)
		}
		if e.Skipped == "" {
			t.bars = append(t.bars, Bar{Subject: e.Subject, Step: e.Step, Start: start, End: now, Failed: e.Err != nil})
		}
	case event.RunFinished:
		t.breakOff(now)
	}
}

// breakOff ends the steps that nobody said the end of, in the order in which they began.
func (t *Timeline) breakOff(now time.Time) {
	var open []Bar
	for key, start := range t.running {
		open = append(open, Bar{Subject: key.subject, Step: key.step, Start: start, End: now, Failed: true})
	}
	slices.SortFunc(open, func(a, b Bar) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.String(), b.String()), cmp.Compare(a.Step, b.Step))
	})
	t.bars, t.running = append(t.bars, open...), nil
}

// Bars are at most limit bars of the steps that ended, server by server in the
// order in which they began. Where there are more, the droplets of a server are
// drawn together, then all that was done with it, and then those are left away that
// took the least.
func (t *Timeline) Bars(limit int) []Bar {
	bars := slices.Clone(t.bars)
	if len(bars) > limit {
		bars = merged(bars, func(b Bar) Bar { b.Droplet = ""; return b })
	}
	if len(bars) > limit {
		bars = merged(bars, func(b Bar) Bar { b.Droplet, b.Step = "", ""; return b })
	}
	if len(bars) > limit {
		slices.SortStableFunc(bars, func(a, b Bar) int { return cmp.Compare(b.End.Sub(b.Start), a.End.Sub(a.Start)) })
		bars = bars[:limit]
	}
	first := map[string]time.Time{}
	for _, b := range bars {
		if at, ok := first[b.Server]; !ok || b.Start.Before(at) {
			first[b.Server] = b.Start
		}
	}
	slices.SortStableFunc(bars, func(a, b Bar) int {
		return cmp.Or(
			first[a.Server].Compare(first[b.Server]), cmp.Compare(a.Server, b.Server),
			a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.Droplet, b.Droplet), cmp.Compare(a.Step, b.Step),
		)
	})
	return bars
}

// merged draws those bars together that are the same after as.
func merged(bars []Bar, as func(Bar) Bar) []Bar {
	var out []Bar
	at := map[voice]int{}
	for _, b := range bars {
		b = as(b)
		key := voice{b.Subject, b.Step}
		i, ok := at[key]
		if !ok {
			at[key] = len(out)
			out = append(out, b)
			continue
		}
		if b.Start.Before(out[i].Start) {
			out[i].Start = b.Start
		}
		if b.End.After(out[i].End) {
			out[i].End = b.End
		}
		out[i].Failed = out[i].Failed || b.Failed
	}
	return out
}
