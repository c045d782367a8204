package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	// tries is how often something is sent that must not be there twice.
	tries = 3
	// settle is how long a change may take to be seen where one looks for it.
	settle = 2 * time.Second
)

// once does what must not be done twice. When the answer was lost, or the server
// failed and may have acted all the same, find looks whether it took effect, and
// only if it did not is it sent again. With an error it is not known to have
// taken effect.
func once[T any](ctx context.Context, clock Clock, send func(context.Context) (T, error), find func(context.Context) (T, bool, error)) (T, error) {
	var none T
	for try := 1; ; try++ {
		got, err := send(carefully(ctx))
		if err == nil {
			return got, nil
		}
		if !inDoubt(err) {
			return none, err
		}
		if sleepErr := clock.Sleep(ctx, settle); sleepErr != nil {
			return none, fmt.Errorf("%w (stopped before it was known whether that took effect: %w)", err, sleepErr)
		}
		found, ok, lookErr := find(ctx)
		switch {
		case lookErr != nil:
			return none, fmt.Errorf("%w (whether it took effect is not known: %w)", err, lookErr)
		case ok:
			return found, nil
		case try == tries:
			return none, err
		}
	}
}

// inDoubt says whether a request that failed may have been acted on all the same.
func inDoubt(err error) bool {
	var answer *APIError
	if errors.As(err, &answer) {
		return answer.Status >= http.StatusInternalServerError
	}
	return err != nil && !neverSent(err)
}
