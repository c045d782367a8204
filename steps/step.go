// Package steps holds the contract of the pipeline's steps. Each step is a
// package below this one; they do not import each other.
package steps

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
)

// Step does one thing of the pipeline: typed input in, typed result out.
type Step[In, Out any] interface {
	// Name is the step's verb as people read it: "build", "upload", …
	Name() string
	// Run does the work. A Skip error says that there was nothing to do; the
	// result is valid then. On another error the step says in the error what it
	// left behind.
	Run(ctx context.Context, tell event.Teller, in In) (Out, error)
}

// DryRunner is a Step that can tell what it would do, and with what result,
// without changing anything. A step without it is not run in a dry run.
type DryRunner[In, Out any] interface {
	// DryRun returns the result as far as it is known, and one sentence.
	DryRun(ctx context.Context, in In) (Out, string, error)
}

// Run is what every step of one run shares.
type Run struct {
	Sink   event.Sink
	Now    func() time.Time
	DryRun bool
}

// Do runs one step on one subject: it emits the events, measures the time, turns
// a Skip into a shown reason, answers a dry run, and says in an error which step
// failed on what. errors.Is and errors.As see through that.
func Do[In, Out any](ctx context.Context, r Run, s event.Subject, step Step[In, Out], in In) (Out, error) {
	start := r.Now()
	finished := event.StepFinished{Subject: s, Step: step.Name()}
	r.Sink.Emit(event.StepStarted{Subject: s, Step: step.Name()})

	out, err := run(ctx, r, s, step, in, &finished)

	finished.Took = r.Now().Sub(start)
	var skip *SkipError
	switch {
	case errors.As(err, &skip):
		finished.Skipped = skip.Reason
		err = nil
	case err != nil:
		err = fmt.Errorf("%s %s: %w", step.Name(), s, err)
		finished.Err = err
	default:
		if r, ok := any(out).(fmt.Stringer); ok && finished.Result == "" {
			finished.Result = r.String()
		}
	}
	r.Sink.Emit(finished)
	return out, err
}

func run[In, Out any](ctx context.Context, r Run, s event.Subject, step Step[In, Out], in In, finished *event.StepFinished) (Out, error) {
	var none Out
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("not started: %w", context.Cause(ctx))
	}
	if !r.DryRun {
		return step.Run(ctx, event.NewTeller(r.Sink, s, step.Name()), in)
	}
	dry, ok := any(step).(DryRunner[In, Out])
	if !ok {
		return none, Skip("dry run")
	}
	out, would, err := dry.DryRun(ctx, in)
	finished.Result = would
	return out, err
}

// SkipError says that a step had nothing to do. It is shown and is not a failure.
type SkipError struct{ Reason string }

// Error is the reason.
func (e *SkipError) Error() string { return "skipped: " + e.Reason }

// Skip makes a SkipError.
func Skip(format string, args ...any) error {
	return &SkipError{Reason: fmt.Sprintf(format, args...)}
}
