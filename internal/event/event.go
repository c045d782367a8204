// Package event holds what happens during a run, as typed values. Steps and use
// cases emit them; report turns them into words. An event carries facts, never
// prose that a reader would have to parse, and never a secret.
package event

import (
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/release"
)

// Event is one thing that happened. The set is closed: see the types below.
type Event interface {
	// Kind is the event's stable name in the JSON stream, such as "step.started".
	Kind() string
}

// Sink takes events. Emit must be safe for concurrent use, must not block for
// long and cannot fail: a report never changes the outcome of a run.
type Sink interface {
	Emit(e Event)
}

// SinkFunc makes a Sink of a function.
type SinkFunc func(Event)

// Emit calls f.
func (f SinkFunc) Emit(e Event) { f(e) }

// Discard is a Sink that forgets everything.
func Discard() Sink { return SinkFunc(func(Event) {}) }

// Tee emits every event to each of the sinks, in their order.
func Tee(sinks ...Sink) Sink {
	return SinkFunc(func(e Event) {
		for _, s := range sinks {
			s.Emit(e)
		}
	})
}

// Subject says what an event is about. Both names may be empty: the event is
// about the run then. Droplet is set only together with Server.
type Subject struct {
	Server  string `json:"server,omitempty"`
	Droplet string `json:"droplet,omitempty"`
}

// String is "server/droplet", "server", or "fleet" for the run as a whole.
func (s Subject) String() string {
	switch {
	case s.Server == "":
		return "fleet"
	case s.Droplet == "":
		return s.Server
	default:
		return s.Server + "/" + s.Droplet
	}
}

// RunStarted is the first event of a run.
type RunStarted struct {
	Verb     string    `json:"verb"`
	Servers  []Planned `json:"servers"`
	Revision string    `json:"revision,omitempty"`
	DryRun   bool      `json:"dryRun,omitempty"`
}

// Planned is one server of a run, with its droplets in rollout order, so that a
// live view knows its lines before anything happens.
type Planned struct {
	Server   string   `json:"server"`
	Droplets []string `json:"droplets,omitempty"`
}

// StepStarted says that a step began to work on a subject.
type StepStarted struct {
	Subject
	Step string `json:"step"`
}

// Progress says how far a step is. Total is 0 while it is not known. Unit is
// "bytes", "builds" or "" for plain counts.
type Progress struct {
	Subject
	Step  string `json:"step"`
	Done  int64  `json:"done"`
	Total int64  `json:"total,omitempty"`
	Unit  string `json:"unit,omitempty"`
}

// Phase says in a few words what a step is doing now ("waiting for image 12
// (pending)"). It replaces the step's former phase.
type Phase struct {
	Subject
	Step string `json:"step"`
	Text string `json:"text"`
}

// Log is one line of a foreign program's output, without its line end.
type Log struct {
	Subject
	Step string `json:"step"`
	Line string `json:"line"`
}

// Warning is something that a person should know and that stops nothing.
type Warning struct {
	Subject
	Step string `json:"step,omitempty"`
	Text string `json:"text"`
}

// StepFinished ends a step. Err is nil for success; Skipped is the reason where
// there was nothing to do; Result says in a few words what came out.
type StepFinished struct {
	Subject
	Step    string        `json:"step"`
	Took    time.Duration `json:"took"`
	Result  string        `json:"result,omitempty"`
	Skipped string        `json:"skipped,omitempty"`
	Err     error         `json:"-"`
}

// Outcome is how a server's or a droplet's part in the run ended.
type Outcome string

// The outcomes. Unchanged means that nothing was to do and nothing was done,
// Evaluated that what the server should run is known, and what it runs is not.
const (
	Verified   Outcome = "verified"
	Unchanged  Outcome = "unchanged"
	Built      Outcome = "built"
	Pruned     Outcome = "pruned"
	Failed     Outcome = "failed"
	RolledBack Outcome = "rolled back"
	Untouched  Outcome = "not touched"
	Cancelled  Outcome = "cancelled"
	WouldDo    Outcome = "would change"
	Evaluated  Outcome = "evaluated"
	// WouldVerify is a droplet's that runs the wanted image and was never verified: in
	// a dry run, one that nothing would wipe.
	WouldVerify Outcome = "would be verified"
	// Prepared is a server's or droplet's that runs what it ran, and boots another
	// system next.
	Prepared Outcome = "prepared"
	// Begun is a host's of which some phases of an installation are done, and the others
	// were not asked for.
	Begun Outcome = "begun"
)

// Evidence is what one verification of a droplet saw, whether all held or not. A
// droplet that is rolled back has two of them in one run: that of the release
// which failed, and that of the one it went back to.
type Evidence struct {
	Subject
	Evidence release.Evidence `json:"evidence"`
}

// DropletFinished says what state a droplet was left in.
type DropletFinished struct {
	Subject
	ID      int     `json:"id"`
	Address string  `json:"address,omitempty"`
	Outcome Outcome `json:"outcome"`
	// Before and After name the custom images that it ran before the run and that
	// it was brought to; After is empty where it was not rebuilt.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// State is one sentence: what runs there now.
	State string `json:"state"`
}

// ServerFinished sums up one server.
type ServerFinished struct {
	Subject
	Outcome  Outcome       `json:"outcome"`
	Took     time.Duration `json:"took"`
	Revision string        `json:"revision,omitempty"`
	Image    string        `json:"image,omitempty"`
	// System is the toplevel that it was switched to.
	System string `json:"system,omitempty"`
	// FormerRevision and FormerImage are what its record named before the run.
	FormerRevision string `json:"formerRevision,omitempty"`
	FormerImage    string `json:"formerImage,omitempty"`
	// Detail is one line for the closing table, such as the first failure.
	Detail string `json:"detail,omitempty"`
	Err    error  `json:"-"`
}

// RunFinished is the last event of a run. Next are commands worth typing now.
type RunFinished struct {
	Verb string        `json:"verb"`
	Took time.Duration `json:"took"`
	Next []string      `json:"next,omitempty"`
	Err  error         `json:"-"`
}

// Kind implements Event.
func (RunStarted) Kind() string { return "run.started" }

// Kind implements Event.
func (StepStarted) Kind() string { return "step.started" }

// Kind implements Event.
func (Progress) Kind() string { return "step.progress" }

// Kind implements Event.
func (Phase) Kind() string { return "step.phase" }

// Kind implements Event.
func (Log) Kind() string { return "step.log" }

// Kind implements Event.
func (Warning) Kind() string { return "warning" }

// Kind implements Event.
func (StepFinished) Kind() string { return "step.finished" }

// Kind implements Event.
func (Evidence) Kind() string { return "droplet.evidence" }

// Kind implements Event.
func (DropletFinished) Kind() string { return "droplet.finished" }

// Kind implements Event.
func (ServerFinished) Kind() string { return "server.finished" }

// Kind implements Event.
func (RunFinished) Kind() string { return "run.finished" }

// Teller is what a step uses to say what it does: a sink that already knows the
// subject and the step. The zero Teller says nothing.
type Teller struct {
	sink    Sink
	subject Subject
	step    string
}

// NewTeller makes a Teller that emits to sink.
func NewTeller(sink Sink, subject Subject, step string) Teller {
	return Teller{sink: sink, subject: subject, step: step}
}

// Subject is what the Teller speaks about.
func (t Teller) Subject() Subject { return t.subject }

// Phase tells what is being done now.
func (t Teller) Phase(format string, args ...any) {
	t.emit(Phase{Subject: t.subject, Step: t.step, Text: fmt.Sprintf(format, args...)})
}

// Progress tells how far the step is.
func (t Teller) Progress(done, total int64, unit string) {
	t.emit(Progress{Subject: t.subject, Step: t.step, Done: done, Total: total, Unit: unit})
}

// Log passes on one line of a foreign program.
func (t Teller) Log(line string) {
	t.emit(Log{Subject: t.subject, Step: t.step, Line: line})
}

// Warn tells what a person should know.
func (t Teller) Warn(format string, args ...any) {
	t.emit(Warning{Subject: t.subject, Step: t.step, Text: fmt.Sprintf(format, args...)})
}

func (t Teller) emit(e Event) {
	if t.sink != nil {
		t.sink.Emit(e)
	}
}
