package build_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
)

const (
	webImage  = "/nix/store/2fclvbbnxfc4bmwxziwrq4yxy8an27ki-web-image"
	webSystem = "/nix/store/59xdxdrbwdsxva13c5w8kw7z86gyvs51-nixos-system-web-25.05"
	dbImage   = "/nix/store/m3bf0qz25bm693jyc2cdib6xvygphbbd-db-image"
)

// store is a Nix whose installables are known beforehand. It refuses others.
type store struct {
	paths  map[string]string
	there  map[string]bool
	fail   error
	built  [][]string
	tellIn func(nix.Progress)
}

func (s *store) Evaluate(_ context.Context, installables []string) ([]nix.Output, error) {
	var all []nix.Output
	for _, i := range installables {
		path, ok := s.paths[i]
		if !ok {
			return nil, &nix.EvalError{Installable: i, Message: "does not provide attribute"}
		}
		all = append(all, nix.Output{Installable: i, Drv: path + ".drv", Path: path})
	}
	return all, nil
}

func (s *store) Valid(_ context.Context, path string) (bool, error) { return s.there[path], nil }

func (s *store) Realise(_ context.Context, outputs []nix.Output, p nix.Progress) error {
	var all []string
	for _, o := range outputs {
		all = append(all, o.Path)
	}
	s.built = append(s.built, all)
	if s.tellIn != nil {
		s.tellIn(p)
	}
	return s.fail
}

func newStore() *store {
	return &store{
		paths: map[string]string{".#web-image": webImage, ".#web": webSystem, ".#db-image": dbImage, ".#odd": "/tmp/result"},
		there: map[string]bool{},
	}
}

func input() build.In {
	return build.In{Servers: []build.Server{
		{Name: "web", Image: ".#web-image", System: ".#web"},
		{Name: "db", Image: ".#db-image"},
	}}
}

func output() build.Out {
	return build.Out{Servers: map[string]build.Built{
		"web": {Image: ".#web-image", Drv: webImage + ".drv", ImagePath: webImage, Toplevel: webSystem, Hash: "2fclvbbnxfc4bmwxziwrq4yxy8an27ki"},
		"db":  {Image: ".#db-image", Drv: dbImage + ".drv", ImagePath: dbImage, Hash: "m3bf0qz25bm693jyc2cdib6xvygphbbd"},
	}}
}

func do(t *testing.T, s *store, in build.In, dry bool) (build.Out, []event.Event, error) {
	t.Helper()
	var events []event.Event
	run := steps.Run{
		Sink:   event.SinkFunc(func(e event.Event) { events = append(events, e) }),
		Now:    func() time.Time { return time.Unix(0, 0) },
		DryRun: dry,
	}
	out, err := steps.Do(t.Context(), run, event.Subject{}, build.Step{Nix: s}, in)
	return out, events, err
}

func finished(t *testing.T, events []event.Event) event.StepFinished {
	t.Helper()
	last, ok := events[len(events)-1].(event.StepFinished)
	if !ok {
		t.Fatalf("the last event is %#v", events[len(events)-1])
	}
	return last
}

func TestSeveralServersAreOneBuild(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.tellIn = func(p nix.Progress) {
		p.Count(1, 3)
		p.Bytes(1<<20, 4<<20)
		p.Phase("building web-image")
		p.Log("web-image> hello")
	}
	out, events, err := do(t, s, input(), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(output(), out, cmpopts.IgnoreFields(build.Built{}, "Outputs")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{webImage, webSystem, dbImage}}, s.built); diff != "" {
		t.Error(diff)
	}
	want := []event.Event{
		event.StepStarted{Step: "build"},
		event.Phase{Step: "build", Text: "evaluating 2 servers"},
		event.Progress{Step: "build", Done: 1, Total: 3, Unit: "builds"},
		event.Phase{Step: "build", Text: "fetched 1 of 4 MiB"},
		event.Phase{Step: "build", Text: "building web-image"},
		event.Log{Step: "build", Line: "web-image> hello"},
		event.StepFinished{Step: "build", Result: "2 images: db, web"},
	}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsInTheStoreIsSkippedWithItsResult(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.there = map[string]bool{webImage: true, webSystem: true, dbImage: true}
	out, events, err := do(t, s, input(), false)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(output(), out, cmpopts.IgnoreFields(build.Built{}, "Outputs")); diff != "" {
		t.Error(diff)
	}
	if got := finished(t, events).Skipped; got != "already in the Nix store" {
		t.Errorf("skipped: %q", got)
	}
}

func TestDryRunEvaluatesOnly(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.there = map[string]bool{dbImage: true}
	out, events, err := do(t, s, input(), true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(output(), out, cmpopts.IgnoreFields(build.Built{}, "Outputs")); diff != "" {
		t.Error(diff)
	}
	if len(s.built) != 0 {
		t.Errorf("built %v", s.built)
	}
	if got, want := finished(t, events).Result, "would build or fetch .#web-image, .#web"; got != want {
		t.Errorf("result %q, want %q", got, want)
	}
	s.there[webImage], s.there[webSystem] = true, true
	_, events, _ = do(t, s, input(), true)
	if got := finished(t, events).Result; !strings.HasPrefix(got, "nothing to build") {
		t.Errorf("result %q", got)
	}
}

func TestFailuresKeepTheirType(t *testing.T) {
	t.Parallel()
	failed := &nix.BuildError{Drv: webImage + ".drv", Reason: "failed with exit code 1"}
	s := newStore()
	s.fail = failed
	if _, _, err := do(t, s, input(), false); !errors.Is(err, failed) {
		t.Errorf("a failed build: %v", err)
	}
	_, _, err := do(t, newStore(), build.In{Servers: []build.Server{{Name: "api", Image: ".#api"}}}, true)
	if eval := (*nix.EvalError)(nil); !errors.As(err, &eval) {
		t.Errorf("a failed evaluation: %v", err)
	}
}

func TestInputThatCannotBeAnImageIsRefused(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]build.Server{
		"no image":           {Name: "web"},
		"not in the store":   {Name: "web", Image: ".#odd"},
		"no image to system": {Name: "web", System: ".#web"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStore()
			_, _, err := do(t, s, build.In{Servers: []build.Server{server}}, false)
			if err == nil || !strings.Contains(err.Error(), "server web") || len(s.built) != 0 {
				t.Errorf("error %v, built %v", err, s.built)
			}
		})
	}
}

func TestWhatWasEvaluatedIsNotEvaluatedAgain(t *testing.T) {
	t.Parallel()
	known, _, err := build.Step{Nix: newStore()}.DryRun(t.Context(), input())
	if err != nil {
		t.Fatal(err)
	}
	s := &store{} // it refuses to evaluate anything
	in := input()
	in.Evaluated = known.Servers
	if _, err := (build.Step{Nix: s}).Run(t.Context(), event.Teller{}, in); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{webImage, webSystem, dbImage}}, s.built); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
}

func TestOneBrokenImageDoesNotTakeTheOthersAlong(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.fail = errors.New("web-image failed")
	s.there[dbImage] = true
	out, _, err := do(t, s, input(), false)
	if !errors.Is(err, s.fail) {
		t.Errorf("error = %v; want %v", err, s.fail)
	}
	if _, ok := out.Servers["db"]; !ok || len(out.Servers) != 1 {
		t.Errorf("built = %v; want db alone", out.Servers)
	}
}
