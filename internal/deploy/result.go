package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps/prune"
)

// Result says what state everything was left in.
type Result struct {
	// Revision is the flake's; empty where it is not committed, or was not asked.
	Revision string
	Servers  []ServerResult
}

// ServerResult is how one server's part of a run ended.
type ServerResult struct {
	Server   string
	Outcome  event.Outcome
	Took     time.Duration
	Image    ocean.Image
	Droplets []DropletResult
	// Pruned is what was deleted, or in a dry run would be, and why the rest stays.
	Pruned prune.Out
	// Err is nil unless Outcome is Failed, RolledBack or Cancelled.
	Err error
}

// DropletResult is how one droplet's part of a run ended.
type DropletResult struct {
	Droplet ocean.Droplet
	Outcome event.Outcome
	// Rebuilt says that a rebuild of it was asked for, whatever came of it.
	Rebuilt bool
	// Switched says that another system was activated on it, or set to boot, and is
	// not undone.
	Switched bool
	// State is one sentence: what runs there now.
	State string
	Err   error
}

// FailedError says that servers failed. Its causes are what each of them says.
type FailedError struct {
	Failed []ServerResult
	Of     int
}

// Error sums it up in a line; the report has shown each server's error in full.
func (e *FailedError) Error() string {
	names := make([]string, len(e.Failed))
	for i, s := range e.Failed {
		names[i] = s.Server + " " + string(s.Outcome)
	}
	return fmt.Sprintf("%d of %s did not get the release: %s", len(e.Failed), plural(e.Of, "server"), strings.Join(names, ", "))
}

// Unwrap returns the servers' errors.
func (e *FailedError) Unwrap() []error {
	errs := make([]error, len(e.Failed))
	for i, s := range e.Failed {
		errs[i] = s.Err
	}
	return errs
}

// RolledBack says whether every server that failed runs its former release again.
func (e *FailedError) RolledBack() bool {
	for _, s := range e.Failed {
		if s.Outcome != event.RolledBack {
			return false
		}
	}
	return true
}

// finish ends a run: it tells how, and returns the result with the run's error.
func (r *run) finish(ctx context.Context) (*Result, error) {
	err := r.failure(ctx)
	r.steps.Sink.Emit(event.RunFinished{Verb: r.verb, Took: r.since(), Next: r.next(err), Err: err})
	return &Result{Revision: r.plan.Revision, Servers: r.results}, err
}

func (r *run) failure(ctx context.Context) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s was cancelled: %w", r.verb, context.Cause(ctx))
	}
	failed := &FailedError{Of: len(r.results)}
	for _, s := range r.results {
		if s.Err != nil {
			failed.Failed = append(failed.Failed, s)
		}
	}
	if len(failed.Failed) == 0 {
		return nil
	}
	return failed
}

// next are the commands that are worth typing after this run.
func (r *run) next(err error) []string {
	if strings.HasPrefix(r.verb, verbPreview) {
		return []string{"snowdrop " + verbPreview + " list"}
	}
	if r.verb == verbInstall && r.steps.DryRun {
		return []string{"snowdrop install " + r.plan.Servers[0].Droplets[0].Name}
	}
	if r.verb == verbInstall && err != nil {
		return []string{"snowdrop status"} // the error says what to do on the host
	}
	if r.plan.how != nil {
		return r.nextSwitch(err)
	}
	if err == nil {
		switch {
		case r.verb == verbPlan && len(r.plan.Pending()) > 0:
			return []string{"snowdrop " + verbDeploy}
		case r.steps.DryRun && r.verb != verbPlan:
			return []string{"snowdrop " + r.verb}
		default:
			return []string{"snowdrop status"}
		}
	}
	var next []string
	for _, s := range r.results {
		switch {
		case s.Err == nil:
		case s.Outcome == event.Failed && hasDroplet(s, event.Failed):
			next = append(next, "snowdrop verify "+s.Server, "snowdrop rollback "+s.Server)
		case s.Outcome == event.Cancelled:
			next = append(next, fmt.Sprintf("snowdrop %s --server %s   # goes on where this stopped", r.verb, s.Server))
		}
	}
	if errors.Is(err, context.Canceled) && len(next) == 0 {
		next = append(next, "snowdrop "+r.verb+"   # goes on where this stopped")
	}
	return append(next, "snowdrop status")
}

func hasDroplet(s ServerResult, o event.Outcome) bool {
	for _, d := range s.Droplets {
		if d.Outcome == o {
			return true
		}
	}
	return false
}
