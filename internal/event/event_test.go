package event_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
)

func all() []event.Event {
	return []event.Event{
		event.RunStarted{},
		event.ServerPlanned{},
		event.FleetPlanned{},
		event.StepStarted{},
		event.Progress{},
		event.Phase{},
		event.Log{},
		event.Warning{},
		event.StepFinished{},
		event.Evidence{},
		event.DropletFinished{},
		event.ServerFinished{},
		event.RunFinished{},
	}
}

// The kinds are part of the JSON stream's format, which others read.
func TestKindsDoNotChange(t *testing.T) {
	t.Parallel()
	got := make([]string, 0, len(all()))
	for _, e := range all() {
		got = append(got, e.Kind())
	}
	want := []string{
		"run.started", "server.planned", "fleet.planned", "step.started", "step.progress", "step.phase", "step.log", "warning",
		"step.finished", "droplet.evidence", "droplet.finished", "server.finished", "run.finished",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEveryFieldHasAJSONNameInCamelCase(t *testing.T) {
	t.Parallel()
	for _, e := range all() {
		typ := reflect.TypeOf(e)
		for i := range typ.NumField() {
			field := typ.Field(i)
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			switch {
			case field.Anonymous:
			case field.Type == reflect.TypeFor[error]():
				if name != "-" {
					t.Errorf("%s.%s: an error has no form in JSON of its own", typ, field.Name)
				}
			case name == "" || strings.ContainsAny(name, "_-") || strings.ToLower(name[:1]) != name[:1]:
				t.Errorf("%s.%s is named %q in JSON", typ, field.Name, name)
			}
		}
	}
}

func TestASubjectNamesWhatItIsAbout(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]event.Subject{
		"fleet":     {},
		"web":       {Server: "web"},
		"web/web-1": {Server: "web", Droplet: "web-1"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%#v is %q, want %q", s, got, want)
		}
	}
}

func TestATellerSpeaksOfItsSubjectAndStep(t *testing.T) {
	t.Parallel()
	var got []event.Event
	subject := event.Subject{Server: "web"}
	tell := event.NewTeller(event.SinkFunc(func(e event.Event) { got = append(got, e) }), subject, "upload")
	tell.Phase("waiting for image %d", 12)
	tell.Progress(1, 2, "bytes")
	tell.Log("100% done")
	tell.Warn("%s is old", "it")
	want := []event.Event{
		event.Phase{Subject: subject, Step: "upload", Text: "waiting for image 12"},
		event.Progress{Subject: subject, Step: "upload", Done: 1, Total: 2, Unit: "bytes"},
		event.Log{Subject: subject, Step: "upload", Line: "100% done"},
		event.Warning{Subject: subject, Step: "upload", Text: "it is old"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if tell.Subject() != subject {
		t.Errorf("it speaks about %v", tell.Subject())
	}
}

func TestTheZeroTellerSaysNothing(t *testing.T) {
	t.Parallel()
	var tell event.Teller
	tell.Phase("nobody hears")
	tell.Progress(1, 2, "")
	tell.Log("this")
	tell.Warn("at all")
}

func TestTeeEmitsInOrder(t *testing.T) {
	t.Parallel()
	var got []string
	sink := func(name string) event.Sink {
		return event.SinkFunc(func(e event.Event) { got = append(got, name+" "+e.Kind()) })
	}
	event.Tee(sink("first"), event.Discard(), sink("second")).Emit(event.Warning{})
	if diff := cmp.Diff([]string{"first warning", "second warning"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
