package deploy

import (
	"context"
	"errors"

	"github.com/versatus/snowdrop/internal/fleet"
)

// The exit codes, which both front ends share.
const (
	ExitDone       = 0
	ExitFailed     = 1
	ExitUsage      = 2 // wrong use or configuration
	ExitRolledBack = 3 // failed, and every server that failed runs its former release
	ExitChanges    = 4 // a plan found something to do, and was asked to say so
	ExitCancelled  = 130
)

// UsageError is an error of the person who asked: nothing was begun.
type UsageError struct{ Err error }

// Error is what Err says.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e UsageError) Unwrap() error { return e.Err }

// ErrChanges says that a plan, which was asked to, found something to do.
var ErrChanges = errors.New("the plan has changes")

// ExitCode is the exit code for the error that a front end ended with; a ctx that
// ended says that somebody cancelled it.
func ExitCode(ctx context.Context, err error) int {
	var failed *FailedError
	var usage UsageError
	var faults fleet.Errors
	switch {
	case err == nil:
		return ExitDone
	case ctx.Err() != nil:
		return ExitCancelled
	case errors.As(err, &failed) && failed.RolledBack():
		return ExitRolledBack
	case errors.As(err, &usage), errors.As(err, &faults):
		return ExitUsage
	case errors.Is(err, ErrChanges):
		return ExitChanges
	default:
		return ExitFailed
	}
}
