package github

import (
	"context"
	"time"
)

// Clock tells and passes the time.
type Clock interface {
	Now() time.Time
	// Sleep returns early with the context's error when it ends.
	Sleep(ctx context.Context, d time.Duration) error
}

type realClock struct{}

// Now is the time of the machine.
func (realClock) Now() time.Time { return time.Now() }

// Sleep waits for d or for the end of the context.
func (realClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller says what it slept for
	case <-timer.C:
		return nil
	}
}
