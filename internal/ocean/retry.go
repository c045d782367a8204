package ocean

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

const (
	retries        = 5
	firstBackoff   = time.Second
	longestBackoff = 20 * time.Second
	// patience is the longest wait that an answer 429 may ask for: beyond it the
	// hour's requests are used up, and a person should hear that instead.
	patience = 2 * time.Minute
	// attemptTimeout bounds one exchange, so that a connection that went silent
	// does not hold up everything.
	attemptTimeout = time.Minute
)

// retrying sends a request again where that can do no harm: one that changes
// nothing when repeated after any failure of the network or the server, a POST
// only if it provably was not acted on. godo's own retries make no difference
// between the two, so they stay off.
type retrying struct {
	client *retryablehttp.Client
	clock  Clock
}

// attempts travels in the request's context: retryablehttp's hooks see little
// more than that.
type attempts struct {
	method string
	count  int
	wait   time.Duration
	once   bool
}

type (
	attemptsKey struct{}
	onceKey     struct{}
)

// withoutRetries makes requests fail at once: their caller asks again anyway.
func withoutRetries(ctx context.Context) context.Context {
	return context.WithValue(ctx, onceKey{}, true)
}

func newRetrying(next http.RoundTripper, clock Clock) *retrying {
	r := &retrying{clock: clock, client: retryablehttp.NewClient()}
	r.client.Logger = nil
	r.client.RetryMax = retries
	r.client.HTTPClient = &http.Client{
		Transport: next, Timeout: attemptTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.client.CheckRetry = r.decide
	// The wait itself is in PrepareRetry, where the clock is ours.
	r.client.Backoff = func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return 0 }
	r.client.PrepareRetry = func(req *http.Request) error {
		if a, ok := req.Context().Value(attemptsKey{}).(*attempts); ok {
			return r.clock.Sleep(req.Context(), a.wait)
		}
		return nil
	}
	r.client.ErrorHandler = func(resp *http.Response, err error, _ int) (*http.Response, error) {
		if err != nil && resp != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		return resp, err
	}
	return r
}

// RoundTrip sends the request, as often as it takes and may be.
func (r *retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	once, _ := req.Context().Value(onceKey{}).(bool)
	ctx := context.WithValue(req.Context(), attemptsKey{}, &attempts{method: req.Method, once: once})
	again, err := retryablehttp.FromRequest(req.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("prepare %s %s: %w", req.Method, req.URL.Path, err)
	}
	return r.client.Do(again) //nolint:wrapcheck // a RoundTripper in between adds nothing
}

func (r *retrying) decide(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx) //nolint:wrapcheck // http.Client says of which request
	}
	a, ok := ctx.Value(attemptsKey{}).(*attempts)
	if !ok || a.once {
		return false, nil
	}
	a.count++
	a.wait = min(firstBackoff<<(a.count-1), longestBackoff)
	switch {
	case err != nil:
		return idempotent(a.method) || neverSent(err), nil
	case resp.StatusCode == http.StatusTooManyRequests:
		if wait, ok := retryAfter(resp, r.clock.Now()); ok {
			a.wait = wait
		}
		return a.wait <= patience, nil
	default:
		return resp.StatusCode >= http.StatusInternalServerError && idempotent(a.method), nil
	}
}

func idempotent(method string) bool { return method != http.MethodPost && method != http.MethodPatch }

// neverSent says whether the connection could not even be made.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect")
}

// inDoubt says whether a POST that failed may have been acted on all the same.
func inDoubt(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.Status >= http.StatusInternalServerError
	}
	return err != nil && !neverSent(err)
}

// transient says whether asking again later may help.
func transient(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.Status >= http.StatusInternalServerError || api.Status == http.StatusTooManyRequests
	}
	return err != nil && !errors.Is(err, context.Canceled)
}

// retryAfter is how long an answer 429 asks to wait: retry-after on a burst;
// when the hour's requests are used up, until some of them no longer count.
func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	value := resp.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	if q, ok := quotaOf(resp); ok && q.remaining <= 0 && q.reset.After(now) {
		return q.reset.Sub(now), true
	}
	return 0, false
}
