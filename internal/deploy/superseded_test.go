package deploy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/release"
)

// graph answers one question about ancestry, always the same.
type graph struct {
	order int
	err   error
}

func (g graph) Order(context.Context, string, string) (int, error) { return g.order, g.err }

func TestOlderRevisionDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	type asking struct {
		ServerPlan
		ancestry Ancestry
		force    bool
	}
	for name, tc := range map[string]struct {
		change func(*asking)
		refuse bool
	}{
		"older":                             {func(*asking) {}, true},
		"older, asked for":                  {func(a *asking) { a.force = true }, false},
		"newer":                             {func(a *asking) { a.RevisionTime = monday.Add(time.Hour) }, false},
		"of the same moment":                {func(a *asking) { a.RevisionTime = monday }, false},
		"the same":                          {func(a *asking) { a.Revision = "bbb" }, false},
		"not committed":                     {func(a *asking) { a.Revision = "" }, false},
		"never released":                    {func(a *asking) { a.Record = nil }, false},
		"released without a revision":       {func(a *asking) { a.Record = &release.Record{} }, false},
		"older, but nothing is wiped":       {func(a *asking) { a.Todo = []Todo{Nothing} }, false},
		"older, but it runs it by now":      {func(a *asking) { a.Todo = []Todo{VerifyOnly} }, false},
		"an ancestor with a later time":     {func(a *asking) { a.ancestry, a.RevisionTime = graph{order: -1}, monday.Add(time.Hour) }, true},
		"a descendant with an earlier time": {func(a *asking) { a.ancestry = graph{order: 1} }, false},
		"of another branch, older":          {func(a *asking) { a.ancestry = graph{} }, true},
		"of another branch, newer":          {func(a *asking) { a.ancestry, a.RevisionTime = graph{}, monday.Add(time.Hour) }, false},
		"older, not known to the graph":     {func(a *asking) { a.ancestry = graph{order: 1, err: errors.New("404")} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := asking{ServerPlan: ServerPlan{
				Server: fleet.Server{Name: "web"}, Droplets: someDroplets(1), Todo: []Todo{RebuildIt},
				Record:   &release.Record{Release: release.Release{Revision: "bbb", RevisionTime: monday}},
				Revision: "aaa", RevisionTime: monday.Add(-time.Hour),
			}}
			tc.change(&a)
			var told []event.Event
			tell := event.NewTeller(event.SinkFunc(func(e event.Event) { told = append(told, e) }), event.Subject{}, "plan")
			d := &Deployer{Config: Config{Ancestry: a.ancestry}}
			err := d.superseded(t.Context(), tell, a.ServerPlan, a.Record, a.force)
			var old *SupersededError
			if errors.As(err, &old) != tc.refuse {
				t.Fatalf("superseded = %v", err)
			}
			if tc.refuse && !(strings.Contains(err.Error(), "snowdrop rollback web") && strings.Contains(err.Error(), "--force")) {
				t.Errorf("it does not say what to do: %v", err)
			}
			if g, ok := a.ancestry.(graph); ok && (g.err != nil) != (len(told) == 1) {
				t.Errorf("the graph said %v, and told was %v", g.err, told)
			}
		})
	}
}
