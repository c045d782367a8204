package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
)

// journal writes down what a rollout did; "|" stands where a batch was over.
type journal struct {
	mu    sync.Mutex
	lines []string
	batch []string
}

func (j *journal) add(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.batch = append(j.batch, what)
}

func (j *journal) after(context.Context) {
	j.mu.Lock()
	defer j.mu.Unlock()
	slices.Sort(j.batch)
	j.lines = append(j.lines, strings.Join(j.batch, " "))
	j.batch = nil
}

func someDroplets(n int) []ocean.Droplet {
	droplets := make([]ocean.Droplet, n)
	for i := range droplets {
		droplets[i] = ocean.Droplet{ID: i + 1, Name: fmt.Sprint("d", i+1)}
	}
	return droplets
}

func TestRolloutChangesBatchAfterBatchAndStopsAtTheFirstThatFails(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		droplets, size, max int
		rollback            bool
		fail, failBack      string // names of droplets
		untouched           string // names of droplets that there is nothing to bring back of
		did, outcomes       string
	}{
		"no droplets":                     {did: "", outcomes: ""},
		"one at a time":                   {droplets: 3, size: 1, did: "d1|d2|d3", outcomes: "VVV"},
		"a size of nothing is one":        {droplets: 2, size: 0, did: "d1|d2", outcomes: "VV"},
		"two at a time":                   {droplets: 3, size: 2, did: "d1 d2|d3", outcomes: "VVV"},
		"more than there are":             {droplets: 2, size: 9, did: "d1 d2", outcomes: "VV"},
		"the first fails":                 {droplets: 3, size: 1, fail: "d1", did: "d1", outcomes: "F--"},
		"one of a batch fails":            {droplets: 4, size: 2, fail: "d3", did: "d1 d2|d3 d4", outcomes: "VVFV"},
		"one may fail":                    {droplets: 3, size: 1, max: 1, fail: "d1", did: "d1|d2|d3", outcomes: "FVV"},
		"one may fail, two do":            {droplets: 4, size: 1, max: 1, fail: "d1 d3", did: "d1|d2|d3", outcomes: "FVF-"},
		"goes back":                       {droplets: 3, size: 1, rollback: true, fail: "d1", did: "d1|<d1", outcomes: "R--"},
		"the batch goes back as a whole":  {droplets: 4, size: 2, rollback: true, fail: "d1", did: "d1 d2|<d1 <d2", outcomes: "RR--"},
		"a verified batch stays":          {droplets: 4, size: 2, rollback: true, fail: "d3", did: "d1 d2|d3 d4|<d3 <d4", outcomes: "VVRR"},
		"what failed before goes back":    {droplets: 4, size: 1, max: 1, rollback: true, fail: "d1 d3", did: "d1|d2|d3|<d1 <d3", outcomes: "RVR-"},
		"fewer failures than may be":      {droplets: 2, size: 1, max: 1, rollback: true, fail: "d1", did: "d1|d2", outcomes: "FV"},
		"one of two does not get back":    {droplets: 2, size: 2, rollback: true, fail: "d1", failBack: "d2", did: "d1 d2|<d1 <d2", outcomes: "RF"},
		"none gets back":                  {droplets: 1, size: 1, rollback: true, fail: "d1", failBack: "d1", did: "d1|<d1", outcomes: "F"},
		"what was not touched stays so":   {droplets: 2, size: 2, rollback: true, fail: "d1 d2", untouched: "d1", did: "d1 d2|<d1 <d2", outcomes: "-R"},
		"the last batch fails, and stops": {droplets: 3, size: 2, fail: "d3", did: "d1 d2|d3", outcomes: "VVF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			r := rollout{
				size: tc.size, maxFailures: tc.max, after: j.after,
				change: func(_ context.Context, d ocean.Droplet) error {
					j.add(d.Name)
					return failing(tc.fail, d.Name)
				},
			}
			if tc.rollback {
				r.back = func(_ context.Context, d ocean.Droplet) error {
					j.add("<" + d.Name)
					if tc.untouched == d.Name {
						return fmt.Errorf("droplet %s: %w", d.Name, errUntouched)
					}
					return failing(tc.failBack, d.Name)
				}
			}
			results := r.run(t.Context(), someDroplets(tc.droplets))
			if diff := cmp.Diff(tc.did, strings.Join(j.lines, "|")); diff != "" {
				t.Errorf("did (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.outcomes, letters(results)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			for i, one := range results {
				if one.droplet.ID != i+1 {
					t.Errorf("result %d is of droplet %d", i, one.droplet.ID)
				}
				if (one.err != nil) != strings.Contains(tc.fail, one.droplet.Name) {
					t.Errorf("%s: error %v", one.droplet.Name, one.err)
				}
				if (one.backErr != nil) != strings.Contains(tc.failBack, one.droplet.Name) && tc.failBack != "" {
					t.Errorf("%s: way back %v", one.droplet.Name, one.backErr)
				}
			}
		})
	}
}

func failing(names, name string) error {
	if slices.Contains(strings.Fields(names), name) {
		return errors.New(name + " failed")
	}
	return nil
}

// letters are the outcomes in short.
func letters(results []result) string {
	short := map[event.Outcome]string{
		event.Verified: "V", event.Failed: "F", event.RolledBack: "R", event.Untouched: "-", event.Cancelled: "C",
	}
	var b strings.Builder
	for _, r := range results {
		b.WriteString(short[r.outcome])
	}
	return b.String()
}

func TestCancelledRolloutBeginsNoBatchAndBringsNothingBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var j journal
	r := rollout{
		size: 2, after: j.after,
		change: func(ctx context.Context, d ocean.Droplet) error {
			j.add(d.Name)
			if d.ID == 3 {
				cancel()
				return ctx.Err()
			}
			if d.ID == 4 {
				<-ctx.Done() // verified all the same
			}
			return nil
		},
		back: func(context.Context, ocean.Droplet) error {
			t.Error("something was brought back")
			return nil
		},
	}
	results := r.run(ctx, someDroplets(6))
	if got := letters(results); got != "VVCV--" {
		t.Errorf("outcomes %s", got)
	}
	if got := strings.Join(j.lines, "|"); got != "d1 d2|d3 d4" {
		t.Errorf("did %s", got)
	}
	if got := letters(r.run(ctx, someDroplets(2))); got != "--" {
		t.Errorf("a rollout that is cancelled before it begins: %s", got)
	}
}
