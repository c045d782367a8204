package steps_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/steps"
)

// step is a step whose every move is set by the test.
type step struct {
	run func(context.Context, event.Teller, int) (result, error)
}

type result string

// String is what the step's end says.
func (r result) String() string { return "made " + string(r) }

func (step) Name() string { return "bake" }

func (s step) Run(ctx context.Context, tell event.Teller, in int) (result, error) {
	return s.run(ctx, tell, in)
}

// dryStep can tell what it would do.
type dryStep struct{ step }

func (dryStep) DryRun(_ context.Context, in int) (result, string, error) {
	if in < 0 {
		return "", "", errBurnt
	}
	if in == 0 {
		return "nothing", "", steps.Skip("nothing to bake")
	}
	return "cake", fmt.Sprintf("would bake %d", in), nil
}

var errBurnt = errors.New("burnt")

var (
	_ steps.Step[int, result]      = step{}
	_ steps.DryRunner[int, result] = dryStep{}
)

// recorder keeps the events, and its clock moves on by a second a look.
type recorder struct {
	events []event.Event
	now    time.Time
}

func (r *recorder) Emit(e event.Event) { r.events = append(r.events, e) }

func (r *recorder) read() time.Time {
	r.now = r.now.Add(time.Second)
	return r.now
}

var subject = event.Subject{Server: "web", Droplet: "web-1"}

func TestDoTellsHowAStepEnded(t *testing.T) {
	t.Parallel()
	started := event.StepStarted{Subject: subject, Step: "bake"}
	tests := []struct {
		name    string
		run     func(context.Context, event.Teller, int) (result, error)
		want    []event.Event
		out     result
		wantErr string
	}{
		{
			name: "a result that has words",
			run:  func(context.Context, event.Teller, int) (result, error) { return "bread", nil },
			want: []event.Event{started, event.StepFinished{Subject: subject, Step: "bake", Took: time.Second, Result: "made bread"}},
			out:  "bread",
		},
		{
			name: "what the step says on its way",
			run: func(_ context.Context, tell event.Teller, in int) (result, error) {
				tell.Phase("kneading %d", in)
				tell.Warn("little flour")
				return "bread", nil
			},
			want: []event.Event{
				started,
				event.Phase{Subject: subject, Step: "bake", Text: "kneading 7"},
				event.Warning{Subject: subject, Step: "bake", Text: "little flour"},
				event.StepFinished{Subject: subject, Step: "bake", Took: time.Second, Result: "made bread"},
			},
			out: "bread",
		},
		{
			name: "nothing to do",
			run: func(context.Context, event.Teller, int) (result, error) {
				return "old bread", fmt.Errorf("look: %w", steps.Skip("there is %s", "bread"))
			},
			want: []event.Event{started, event.StepFinished{Subject: subject, Step: "bake", Took: time.Second, Skipped: "there is bread"}},
			out:  "old bread",
		},
		{
			name:    "a failure",
			run:     func(context.Context, event.Teller, int) (result, error) { return "", fmt.Errorf("oven: %w", errBurnt) },
			want:    []event.Event{started, event.StepFinished{Subject: subject, Step: "bake", Took: time.Second, Err: errBurnt}},
			wantErr: "bake web/web-1: oven: burnt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			out, err := steps.Do(t.Context(), steps.Run{Sink: r, Now: r.read}, subject, step{tt.run}, 7)
			if out != tt.out {
				t.Errorf("result %q, want %q", out, tt.out)
			}
			if got := text(err); got != tt.wantErr {
				t.Errorf("error %q, want %q", got, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, r.events, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDoLetsErrorsBeSeenThrough(t *testing.T) {
	t.Parallel()
	r := &recorder{}
	_, err := steps.Do(t.Context(), steps.Run{Sink: r, Now: r.read}, subject,
		step{func(context.Context, event.Teller, int) (result, error) { return "", errBurnt }}, 1)
	if !errors.Is(err, errBurnt) {
		t.Errorf("errors.Is does not find the cause in %v", err)
	}
	finished, ok := r.events[len(r.events)-1].(event.StepFinished)
	if !ok || finished.Err.Error() != err.Error() {
		t.Errorf("the event tells %v, the caller is told %v", finished.Err, err)
	}
}

func TestDoStartsNothingOnceItIsCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("interrupted by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	r := &recorder{}
	_, err := steps.Do(ctx, steps.Run{Sink: r, Now: r.read}, subject,
		step{func(context.Context, event.Teller, int) (result, error) {
			t.Error("the step ran")
			return "", nil
		}}, 1)
	if !errors.Is(err, stop) || err.Error() != "bake web/web-1: not started: interrupted by the user" {
		t.Errorf("got %v", err)
	}
	if len(r.events) != 2 {
		t.Errorf("events %v: want a beginning and an end", r.events)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	forbidden := step{func(context.Context, event.Teller, int) (result, error) {
		t.Error("the step ran in a dry run")
		return "", nil
	}}
	tests := []struct {
		name    string
		step    steps.Step[int, result]
		in      int
		out     result
		want    event.StepFinished
		wantErr string
	}{
		{
			name: "a step that can tell what it would do", step: dryStep{forbidden}, in: 2, out: "cake",
			want: event.StepFinished{Result: "would bake 2"},
		},
		{
			name: "one that would do nothing", step: dryStep{forbidden}, in: 0, out: "nothing",
			want: event.StepFinished{Skipped: "nothing to bake"},
		},
		{
			name: "one that cannot tell", step: forbidden, in: 1,
			want: event.StepFinished{Skipped: "dry run"},
		},
		{
			name: "one that would fail", step: dryStep{forbidden}, in: -1,
			want: event.StepFinished{Err: errBurnt}, wantErr: "bake web/web-1: burnt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &recorder{}
			out, err := steps.Do(t.Context(), steps.Run{Sink: r, Now: r.read, DryRun: true}, subject, tt.step, tt.in)
			if out != tt.out || text(err) != tt.wantErr {
				t.Errorf("got %q, %v; want %q, %q", out, err, tt.out, tt.wantErr)
			}
			tt.want.Subject, tt.want.Step, tt.want.Took = subject, "bake", time.Second
			want := []event.Event{event.StepStarted{Subject: subject, Step: "bake"}, tt.want}
			if diff := cmp.Diff(want, r.events, cmpopts.EquateErrors()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
