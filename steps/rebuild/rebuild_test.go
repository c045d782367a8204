package rebuild_test

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/rebuild"
)

// fakeOcean rebuilds in 48 s of its own time.
type fakeOcean struct {
	now           time.Time
	startErr, err error
	asked         []ocean.RebuildRequest
	waited        time.Duration
}

func (f *fakeOcean) StartRebuild(_ context.Context, r ocean.RebuildRequest) (ocean.Action, error) {
	r.Phase("waiting for droplet 101, which is busy with its snapshot (action 3)")
	f.now = f.now.Add(time.Minute)
	r.Phase = nil
	f.asked = append(f.asked, r)
	return ocean.Action{ID: 7, Type: "rebuild", Status: "in-progress"}, f.startErr
}

func (f *fakeOcean) WaitForAction(_ context.Context, a ocean.Action, timeout time.Duration, phase func(string)) (ocean.Action, error) {
	phase("waiting for rebuild of droplet 101, action 7 (in-progress)")
	f.now, f.waited = f.now.Add(48*time.Second), timeout
	a.Status = "completed"
	return a, f.err
}

func in() rebuild.In {
	return rebuild.In{
		Droplet: ocean.Droplet{ID: 101, Name: "web-1", Region: "nyc3"},
		Image:   ocean.Image{ID: 12, Name: "snowdrop-web-x", Status: "available", Regions: []string{"nyc3"}},
		Timeout: 15 * time.Minute,
	}
}

func TestARebuildTellsItsPhasesAndHowLongItTook(t *testing.T) {
	t.Parallel()
	f := &fakeOcean{now: time.Unix(1000, 0)}
	var phases []string
	sink := event.SinkFunc(func(e event.Event) {
		if p, ok := e.(event.Phase); ok {
			phases = append(phases, p.Text)
		}
	})
	step := rebuild.Step{Ocean: f, Now: func() time.Time { return f.now }}
	out, err := step.Run(t.Context(), event.NewTeller(sink, event.Subject{}, "rebuild"), in())
	if err != nil {
		t.Fatal(err)
	}
	if out.Action.ID != 7 || out.Took != 48*time.Second || !out.At.Equal(f.now) || f.waited != 15*time.Minute {
		t.Errorf("got %+v, waited up to %s", out, f.waited)
	}
	if got, want := out.String(), "on image snowdrop-web-x (12), rebuilt in 48s"; got != want {
		t.Errorf("result %q, want %q", got, want)
	}
	want := []ocean.RebuildRequest{{DropletID: 101, ImageID: 12, Timeout: 15 * time.Minute}}
	if diff := gocmp.Diff(want, f.asked); diff != "" {
		t.Error(diff)
	}
	if len(phases) != 3 || !strings.Contains(phases[1], "busy") {
		t.Errorf("phases %q", phases)
	}
}

func TestAFailureSaysWhichDropletAndWhatItIsLeftWith(t *testing.T) {
	t.Parallel()
	failed := &ocean.ActionError{Action: ocean.Action{ID: 7}}
	tests := map[string]struct {
		fake fakeOcean
		want string
	}{
		"not started": {fakeOcean{startErr: ocean.ErrForbidden}, "droplet web-1 (101): the token lacks a scope"},
		"errored":     {fakeOcean{err: failed}, "droplet web-1 (101):"},
		"cancelled":   {fakeOcean{err: context.Canceled}, "goes on with the rebuild, and the droplet will be on image snowdrop-web-x (12), not verified"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := rebuild.Step{Ocean: &tt.fake}.Run(t.Context(), event.Teller{}, in())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
			if cause := cmp.Or(tt.fake.startErr, tt.fake.err); !errors.Is(err, cause) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func TestWhatCannotWorkIsNotAskedFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*rebuild.In)
		want   string
	}{
		"no droplet":       {func(i *rebuild.In) { i.Droplet.ID = 0 }, "no droplet"},
		"no image":         {func(i *rebuild.In) { i.Image = ocean.Image{} }, "deploy first"},
		"image is pending": {func(i *rebuild.In) { i.Image.Status = "pending" }, "not available"},
		"image elsewhere":  {func(i *rebuild.In) { i.Image.Regions = []string{"ams3"} }, "not in the droplet's region nyc3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, given := &fakeOcean{}, in()
			tt.change(&given)
			step := rebuild.Step{Ocean: f}
			_, err := step.Run(t.Context(), event.Teller{}, given)
			_, _, dryErr := step.DryRun(t.Context(), given)
			if err == nil || dryErr == nil || !strings.Contains(err.Error(), tt.want) || len(f.asked) > 0 {
				t.Errorf("got %v, dry %v, asked %v", err, dryErr, f.asked)
			}
		})
	}
}

func TestADryRunChangesNothingAndSaysThatTheDiskIsWiped(t *testing.T) {
	t.Parallel()
	f := &fakeOcean{}
	var result string
	r := steps.Run{DryRun: true, Now: time.Now, Sink: event.SinkFunc(func(e event.Event) {
		if end, ok := e.(event.StepFinished); ok {
			result = end.Result
		}
	})}
	if _, err := steps.Do(t.Context(), r, event.Subject{}, rebuild.Step{Ocean: f}, in()); err != nil {
		t.Fatal(err)
	}
	want := "would rebuild droplet web-1 (101) with image snowdrop-web-x (12), which wipes its disk"
	if result != want || len(f.asked) > 0 {
		t.Errorf("got %q, asked %v", result, f.asked)
	}
}
