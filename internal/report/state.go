package report

import (
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// state is what is known of a run from its events so far. It is changed by
// apply only, and drawn by pure functions.
type state struct {
	verb     string
	revision string
	dryRun   bool
	began    time.Time

	fleet    *line // the run as a whole
	servers  []*line
	warnings int
	failures []failure
	stored   *event.FleetPlanned
	timeline Timeline
	end      *event.RunFinished
}

// line is one server, one droplet or the fleet.
type line struct {
	subject  event.Subject
	droplets []*line
	began    time.Time // zero until something happened
	tasks    []*task   // the steps that run, newest last
	last     *event.StepFinished
	planned  *event.ServerPlanned
	server   *event.ServerFinished
	droplet  *event.DropletFinished
}

// task is a step that runs on a line.
type task struct {
	step        string
	phase       string
	began       time.Time
	done, total int64
	unit        string
	speed       meter
	tail        []string
}

// failure is a step's error with the last lines of what ran in it.
type failure struct {
	subject event.Subject
	step    string
	err     error
	tail    []string
}

// tailLines is how many lines of a program are kept for the case that it fails.
const tailLines = 15

// isPlan says whether the run only tells what a deploy would do, and knows it.
func (s *state) isPlan() bool {
	return s.dryRun && slices.ContainsFunc(s.servers, func(l *line) bool { return l.planned != nil })
}

func newState() *state { return &state{fleet: &line{}} }

// apply takes in one event that happened at now.
func (s *state) apply(e event.Event, now time.Time) {
	s.timeline.Apply(e, now)
	switch e := e.(type) {
	case event.RunStarted:
		s.start(e, now)
	case event.ServerPlanned:
		s.find(e.Subject).planned = &e
	case event.FleetPlanned:
		s.stored = &e
	case event.StepStarted:
		s.line(e.Subject, now).task(e.Step, now)
	case event.Progress:
		s.line(e.Subject, now).task(e.Step, now).progress(e, now)
	case event.Phase:
		s.line(e.Subject, now).task(e.Step, now).phase = clean(e.Text)
	case event.Log:
		s.line(e.Subject, now).task(e.Step, now).log(e.Line)
	case event.Warning:
		s.warnings++
	case event.StepFinished:
		s.finish(e, now)
	case event.DropletFinished:
		l := s.line(e.Subject, now)
		l.droplet, l.tasks = &e, nil
	case event.ServerFinished:
		l := s.line(e.Subject, now)
		l.server, l.tasks = &e, nil
		for _, d := range l.droplets {
			d.tasks = nil
		}
	case event.RunFinished:
		s.end = &e
		s.fleet.tasks = nil
	}
}

func (s *state) start(e event.RunStarted, now time.Time) {
	s.verb, s.revision, s.dryRun, s.began = e.Verb, e.Revision, e.DryRun, now
	for _, p := range e.Servers {
		server := s.find(event.Subject{Server: p.Server})
		for _, d := range p.Droplets {
			s.find(event.Subject{Server: server.subject.Server, Droplet: d})
		}
	}
}

func (s *state) finish(e event.StepFinished, now time.Time) {
	l := s.line(e.Subject, now)
	l.last = &e
	var tail []string
	for i, t := range l.tasks {
		if t.step == e.Step {
			tail = t.tail
			l.tasks = append(l.tasks[:i:i], l.tasks[i+1:]...)
			break
		}
	}
	if e.Err != nil {
		s.failures = append(s.failures, failure{subject: e.Subject, step: e.Step, err: e.Err, tail: tail})
	}
}

// line finds a subject's line and marks that something happens on it.
func (s *state) line(subject event.Subject, now time.Time) *line {
	l := s.find(subject)
	if l.began.IsZero() {
		l.began = now
	}
	if subject.Droplet != "" {
		s.line(event.Subject{Server: subject.Server}, now)
	}
	return l
}

// find finds a subject's line, and makes it where the run did not announce it.
func (s *state) find(subject event.Subject) *line {
	if subject.Server == "" {
		return s.fleet
	}
	server := in(&s.servers, event.Subject{Server: subject.Server})
	if subject.Droplet == "" {
		return server
	}
	return in(&server.droplets, subject)
}

func in(lines *[]*line, subject event.Subject) *line {
	for _, l := range *lines {
		if l.subject == subject {
			return l
		}
	}
	l := &line{subject: subject}
	*lines = append(*lines, l)
	return l
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

func (t *task) progress(e event.Progress, now time.Time) {
	t.done, t.total, t.unit = e.Done, e.Total, e.Unit
	t.speed.add(e.Done, now)
}

func (t *task) log(text string) {
	t.tail = append(t.tail, clean(text))
	if len(t.tail) > tailLines {
		t.tail = t.tail[len(t.tail)-tailLines:]
	}
}

// outcome is how the line ended, or "" while it has not.
func (l *line) outcome() event.Outcome {
	switch {
	case l.server != nil:
		return l.server.Outcome
	case l.droplet != nil:
		return l.droplet.Outcome
	default:
		return ""
	}
}
