package redact

import (
	"slices"

	"github.com/versatus/snowdrop/internal/event"
)

// Sink returns a sink that passes every event on to next without its secrets.
func (r *Redactor) Sink(next event.Sink) event.Sink {
	return event.SinkFunc(func(e event.Event) { next.Emit(r.event(e)) })
}

// event redacts the texts of an event. Names of servers, droplets and steps come
// from the fleet file and the program, and stay.
func (r *Redactor) event(e event.Event) event.Event {
	switch e := e.(type) {
	case event.Phase:
		e.Text = r.String(e.Text)
		return e
	case event.Log:
		e.Line = r.String(e.Line)
		return e
	case event.Warning:
		e.Text = r.String(e.Text)
		return e
	case event.StepFinished:
		e.Result, e.Skipped, e.Err = r.String(e.Result), r.String(e.Skipped), r.Error(e.Err)
		return e
	case event.DropletFinished:
		e.State = r.String(e.State)
		return e
	case event.ServerFinished:
		e.Detail, e.Err = r.String(e.Detail), r.Error(e.Err)
		return e
	case event.RunFinished:
		e.Next, e.Err = slices.Clone(e.Next), r.Error(e.Err)
		for i := range e.Next {
			e.Next[i] = r.String(e.Next[i])
		}
		return e
	default:
		return e
	}
}
