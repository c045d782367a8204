// Package markdown tells a run in GitHub's markdown: the pull request's comment, the
// step summary, and the page of each server's check run.
//
// What comes from outside, as an error, a journal or a branch's name, is shown as
// text or code and can be nothing else: it does not end the place where it stands,
// mentions nobody, links to nothing and hides nothing.
package markdown

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report"
)

// Story collects the events of one run and tells it, at any moment. It is safe for
// concurrent use.
type Story struct {
	now func() time.Time

	mu  sync.Mutex
	run run
}

var _ event.Sink = (*Story)(nil)

// NewStory begins a story. now is the clock: what is still at work is told with the
// time since it began.
func NewStory(now func() time.Time) *Story { return &Story{now: now} }

// Emit takes in an event.
func (s *Story) Emit(e event.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run.apply(e, s.now())
}

// Servers are the run's, in its order. There are none before the run has started,
// as while it is planned.
func (s *Story) Servers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.run.servers))
	for i, server := range s.run.servers {
		names[i] = server.Server
	}
	return names
}

// run is what is known of a run from its events so far. Only apply changes it.
type run struct {
	started  bool
	verb     string
	revision string
	dryRun   bool

	fleet    line // what is done for all servers at once
	servers  []*line
	warnings []event.Warning
	stored   *event.FleetPlanned
	timeline report.Timeline
	end      *event.RunFinished
}

// line is one server, one droplet, or the fleet.
type line struct {
	event.Subject
	droplets []*line
	began    time.Time // zero until something happened
	tasks    []*task   // the steps that run, newest last
	steps    []step    // those that ended
	rebuilds int
	planned  *event.ServerPlanned
	evidence []release.Evidence
	server   *event.ServerFinished
	droplet  *event.DropletFinished
}

// task is a step that runs.
type task struct {
	step, phase string
	began       time.Time
	done, total int64
	unit        string
	tail        []string
}

// step is one that ended, with the last lines that were printed in it.
type step struct {
	event.StepFinished
	tail []string
}

// tailLines is how many lines of a program are kept for the case that it fails.
const tailLines = 15

func (r *run) apply(e event.Event, now time.Time) {
	r.timeline.Apply(e, now)
	switch e := e.(type) {
	case event.RunStarted:
		r.start(e)
	case event.ServerPlanned:
		r.find(e.Subject).planned = &e
	case event.FleetPlanned:
		r.stored = &e
	case event.StepStarted:
		r.at(e.Subject, now).start(e.Step, now)
	case event.Progress:
		t := r.at(e.Subject, now).task(e.Step, now)
		t.done, t.total, t.unit = e.Done, e.Total, e.Unit
	case event.Phase:
		r.at(e.Subject, now).task(e.Step, now).phase = e.Text
	case event.Log:
		t := r.at(e.Subject, now).task(e.Step, now)
		t.tail = append(t.tail[max(0, len(t.tail)+1-tailLines):], e.Line)
	case event.Warning:
		r.warnings = append(r.warnings, e)
	case event.StepFinished:
		r.at(e.Subject, now).finish(e)
	case event.Evidence:
		l := r.at(e.Subject, now)
		l.evidence = append(l.evidence, e.Evidence)
	case event.DropletFinished:
		l := r.at(e.Subject, now)
		l.droplet, l.tasks = &e, nil
	case event.ServerFinished:
		l := r.at(e.Subject, now)
		l.server, l.tasks = &e, nil
		for _, d := range l.droplets {
			d.tasks = nil
		}
	case event.RunFinished:
		r.end, r.fleet.tasks = &e, nil
	}
}

func (r *run) start(e event.RunStarted) {
	r.started, r.verb, r.revision, r.dryRun = true, e.Verb, e.Revision, e.DryRun
	for _, p := range e.Servers {
		r.find(event.Subject{Server: p.Server})
		for _, d := range p.Droplets {
			r.find(event.Subject{Server: p.Server, Droplet: d})
		}
	}
}

// at finds a subject's line and marks that something happens there.
func (r *run) at(s event.Subject, now time.Time) *line {
	l := r.find(s)
	if l.began.IsZero() {
		l.began = now
	}
	if s.Droplet != "" {
		r.at(event.Subject{Server: s.Server}, now)
	}
	return l
}

// find finds a subject's line, and makes it where the run did not announce it.
func (r *run) find(s event.Subject) *line {
	if s.Server == "" {
		return &r.fleet
	}
	server := in(&r.servers, event.Subject{Server: s.Server})
	if s.Droplet == "" {
		return server
	}
	return in(&server.droplets, s)
}

func in(lines *[]*line, s event.Subject) *line {
	for _, l := range *lines {
		if l.Subject == s {
			return l
		}
	}
	l := &line{Subject: s}
	*lines = append(*lines, l)
	return l
}

func (l *line) start(step string, now time.Time) {
	l.task(step, now)
	if step == "rebuild" {
		l.rebuilds++
	}
}

// task finds the running step, and makes it where nobody said that it started.
func (l *line) task(step string, now time.Time) *task {
	for _, t := range l.tasks {
		if t.step == step {
			return t
		}
	}
	t := &task{step: step, began: now}
	l.tasks = append(l.tasks, t)
	return t
}

func (l *line) finish(e event.StepFinished) {
	done := step{StepFinished: e}
	for i, t := range l.tasks {
		if t.step == e.Step {
			done.tail = t.tail
			l.tasks = append(l.tasks[:i:i], l.tasks[i+1:]...)
			break
		}
	}
	l.steps = append(l.steps, done)
}

// outcome is how a server ended; empty while it has not. A run that broke off leaves
// some without a word.
func (r *run) outcome(server *line) event.Outcome {
	switch {
	case server.server != nil:
		return server.server.Outcome
	case r.end == nil:
		return ""
	case server.began.IsZero():
		return event.Untouched
	default:
		return event.Cancelled
	}
}

// cancelled says whether somebody ended the run.
func (r *run) cancelled() bool {
	if r.end != nil && errors.Is(r.end.Err, context.Canceled) {
		return true
	}
	return slices.ContainsFunc(r.servers, func(s *line) bool { return r.outcome(s) == event.Cancelled }) ||
		slices.ContainsFunc(r.fleet.steps, func(s step) bool { return errors.Is(s.Err, context.Canceled) })
}

// wipes are the droplets of a server that a rebuild would wipe, by their names.
func (r *run) wipes(server *line) []string {
	if r.verb == "verify" {
		return nil
	}
	if p := server.planned; p != nil && r.outcome(server) == event.WouldDo {
		return slices.Concat(p.Batches...)
	}
	var names []string
	for _, d := range server.droplets {
		if d.droplet != nil && d.droplet.Outcome == event.WouldDo {
			names = append(names, d.Droplet)
		}
	}
	return names
}
