package deploy

import (
	"context"
	"errors"
	"sync"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
)

// rollout changes droplets batch by batch. It is the one place that decides
// which droplet is touched when, and which one goes back.
type rollout struct {
	// size is how many droplets are changed at once; at least 1.
	size int
	// maxFailures is how many droplets may fail before the rollout stops.
	maxFailures int
	// change brings one droplet to the new release and verifies it.
	change func(ctx context.Context, d ocean.Droplet) error
	// back brings one droplet to what it ran before and verifies that, or returns
	// errUntouched; nil where a failure just stops the rollout.
	back func(ctx context.Context, d ocean.Droplet) error
	// after is called when a batch is done and nothing is in flight: the place to
	// write down what is known, since the next batch may be the last thing done.
	after func(ctx context.Context)
}

// errUntouched says that there is nothing to bring back: nothing was done to the
// droplet, so nothing is known to be verified of it either.
var errUntouched = errors.New("not touched")

// result is how one droplet's part ended.
type result struct {
	droplet ocean.Droplet
	outcome event.Outcome
	// err is why it failed; backErr is why it could not be brought back.
	err, backErr error
}

// run changes all droplets and returns a result for each, in their order. It
// stops at the first batch with which the failures exceed maxFailures; then all
// droplets of that batch, and those that failed before it, go back. A cancelled
// context stops it before the next batch, and nothing is brought back: the
// person who cancelled wants the work to end, not to begin anew.
func (r rollout) run(ctx context.Context, droplets []ocean.Droplet) []result {
	results := make([]result, len(droplets))
	for i, d := range droplets {
		results[i] = result{droplet: d, outcome: event.Untouched}
	}
	size := max(1, r.size)
	for start := 0; start < len(results); start += size {
		if ctx.Err() != nil {
			break
		}
		batch := results[start:min(start+size, len(results))]
		each(batch, func(one *result) {
			one.err = r.change(ctx, one.droplet)
			one.outcome = outcomeOf(ctx, one.err)
		})
		if r.after != nil {
			r.after(ctx)
		}
		if failures(results) <= r.maxFailures {
			continue
		}
		if r.back != nil && ctx.Err() == nil {
			r.bringBack(ctx, results[:start], batch)
		}
		break
	}
	return results
}

func (r rollout) bringBack(ctx context.Context, before, batch []result) {
	var back []*result
	for i := range before {
		if before[i].outcome == event.Failed {
			back = append(back, &before[i])
		}
	}
	for i := range batch {
		back = append(back, &batch[i])
	}
	var wait sync.WaitGroup
	for _, one := range back {
		wait.Go(func() {
			one.backErr = r.back(ctx, one.droplet)
			switch {
			case one.backErr == nil:
				one.outcome = event.RolledBack
			case errors.Is(one.backErr, errUntouched):
				one.outcome, one.backErr = event.Untouched, nil
			default:
				one.outcome = event.Failed
			}
		})
	}
	wait.Wait()
	if r.after != nil {
		r.after(ctx)
	}
}

func each(batch []result, do func(*result)) {
	var wait sync.WaitGroup
	for i := range batch {
		wait.Go(func() { do(&batch[i]) })
	}
	wait.Wait()
}

func outcomeOf(ctx context.Context, err error) event.Outcome {
	switch {
	case err == nil:
		return event.Verified
	case ctx.Err() != nil:
		return event.Cancelled
	default:
		return event.Failed
	}
}

func failures(results []result) int {
	n := 0
	for _, r := range results {
		if r.outcome == event.Failed {
			n++
		}
	}
	return n
}
