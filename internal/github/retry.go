package github

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	// Few and short: nobody waits for a report longer than for what it tells.
	retries      = 3
	firstBackoff = time.Second
)

// retrying sends a request again where that can do no harm: one that changes
// nothing when repeated after any failure of the network or the server, others
// only if they provably were not acted on.
type retrying struct {
	client *retryablehttp.Client
	clock  Clock
}

// attempts travels in the request's context: retryablehttp's hooks see little
// more than that.
type attempts struct {
	careful bool
	count   int
	// wait is before the next attempt, limited what rate limits asked for so far.
	wait, limited time.Duration
}

type (
	attemptsKey struct{}
	carefulKey  struct{}
)

// carefully makes a PATCH be sent like a POST: one that adds to what is there, or
// that depends on what was seen just before, must not simply be repeated.
func carefully(ctx context.Context) context.Context {
	return context.WithValue(ctx, carefulKey{}, true)
}

func newRetrying(next http.RoundTripper, clock Clock) *retrying {
	r := &retrying{clock: clock, client: retryablehttp.NewClient()}
	r.client.Logger = nil
	r.client.RetryMax = retries
	r.client.HTTPClient = &http.Client{
		Transport: next,
		// The client around this one decides on redirects.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.client.CheckRetry = r.decide
	// The wait itself is in PrepareRetry, where the clock is ours.
	r.client.Backoff = func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return 0 }
	r.client.PrepareRetry = func(req *http.Request) error {
		if a, ok := req.Context().Value(attemptsKey{}).(*attempts); ok && a.wait > 0 {
			return r.clock.Sleep(req.Context(), a.wait)
		}
		return nil
	}
	r.client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return r
}

// RoundTrip sends the request, as often as it takes and may be.
func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	careful, _ := req.Context().Value(carefulKey{}).(bool)
	a := &attempts{careful: careful || req.Method == http.MethodPost}
	again, err := retryablehttp.FromRequest(req.WithContext(context.WithValue(req.Context(), attemptsKey{}, a)))
	if err != nil {
		return nil, fmt.Errorf("prepare %s %s: %w", req.Method, req.URL.Path, err)
	}
	resp, err := r.client.Do(again)
	if err != nil {
		// With an error the passed-on response is closed, or about to be useless.
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, err //nolint:wrapcheck // a RoundTripper in between adds nothing
	}
	return resp, nil
}

func (r *retrying) decide(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx) //nolint:wrapcheck // http.Client says of which request
	}
	a, ok := ctx.Value(attemptsKey{}).(*attempts)
	if !ok {
		return false, nil
	}
	a.wait = firstBackoff << a.count
	a.count++
	var answer *APIError
	switch {
	case errors.As(err, &answer) && answer.limited:
		// Not acted on. The pacer waits, as all requests have to.
		a.wait = 0
		a.limited += max(0, answer.until.Sub(r.clock.Now()))
		return a.limited <= patience, nil
	case err != nil:
		return !a.careful || neverSent(err), nil
	default:
		return resp.StatusCode >= http.StatusInternalServerError && !a.careful, nil
	}
}

// neverSent says whether the connection could not even be made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}
