package report

import (
	"bytes"
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// JSON writes one object a line for each event:
//
//	{"time":"2025-06-01T12:04:05.123Z","kind":"step.finished","server":"web","step":"upload","took":12.5}
//
// time is in UTC, in RFC 3339 with milliseconds; kind is the event's Kind; the
// other fields are those of the event's type. Durations ("took") are in seconds,
// as numbers that may have a fraction; sizes are in bytes. error holds the text
// of a failure and is left away without one. Of the step.progress events of one
// step there is one a second at most, and always the one that completes it.
//
// The format is stable: fields and kinds may come along, none goes or changes.
type JSON struct {
	out io.Writer
	now func() time.Time

	mu       sync.Mutex
	progress map[voice]time.Time
}

// NewJSON writes to w, with times by now (nil: the real clock).
func NewJSON(w io.Writer, now func() time.Time) *JSON {
	if now == nil {
		now = time.Now
	}
	return &JSON{out: w, now: now, progress: map[voice]time.Time{}}
}

// Emit writes an event. It is safe for concurrent use.
func (j *JSON) Emit(e event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	if p, ok := e.(event.Progress); ok && !j.isDue(p, now) {
		return
	}
	if line, err := encode(e, now); err == nil {
		put(j.out, string(line))
	}
}

// Close is there for the sake of the other readers' form: every line is written
// when it comes.
func (j *JSON) Close() {}

func (j *JSON) isDue(p event.Progress, now time.Time) bool {
	key := voice{p.Subject, p.Step}
	last, said := j.progress[key]
	complete := p.Total > 0 && p.Done >= p.Total
	if said && !complete && now.Sub(last) < time.Second {
		return false
	}
	j.progress[key] = now
	return true
}

// encode writes an event as a line. Time and kind come first.
func encode(e event.Event, now time.Time) ([]byte, error) {
	head, err := object(struct {
		Time string `json:"time"`
		Kind string `json:"kind"`
	}{now.UTC().Format("2006-01-02T15:04:05.000Z07:00"), e.Kind()})
	if err != nil {
		return nil, err
	}
	body, err := object(fields(e))
	if err != nil {
		return nil, err
	}
	if string(body) == "{}" {
		return append(head, '\n'), nil
	}
	line := append(head[:len(head)-1], ',')
	line = append(line, body[1:]...)
	return append(line, '\n'), nil
}

// fields is an event in its JSON form: what stands beside the embedded event
// hides the field of the same name in it.
func fields(e event.Event) any {
	switch e := e.(type) {
	case event.StepFinished:
		return struct {
			event.StepFinished
			Took  float64 `json:"took"`
			Error string  `json:"error,omitempty"`
		}{e, e.Took.Seconds(), message(e.Err)}
	case event.ServerPlanned:
		return struct {
			event.ServerPlanned
			Downtime float64 `json:"downtime,omitempty"`
		}{e, e.Downtime.Seconds()}
	case event.ServerFinished:
		return struct {
			event.ServerFinished
			Took  float64 `json:"took"`
			Error string  `json:"error,omitempty"`
		}{e, e.Took.Seconds(), message(e.Err)}
	case event.RunFinished:
		return struct {
			event.RunFinished
			Took  float64 `json:"took"`
			Error string  `json:"error,omitempty"`
		}{e, e.Took.Seconds(), message(e.Err)}
	default:
		return e
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// object encodes without the escapes that only HTML needs.
func object(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err //nolint:wrapcheck // nobody sees it: such an event is left away
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}
