package ocean

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// A token has 250 requests a minute and 5,000 an hour. Less than the first is
	// used on purpose: others may use the same token.
	requestsPerMinute = 200
	burst             = 20
	// The last part of the hour's requests is spread over the time that is left.
	reserveShare = 10 // a tenth
	slowestPace  = 15 * time.Second
)

// pacer sends requests no faster than the token's limits allow. It learns what
// is left from the headers of every answer, so it also slows down for what
// others do with the same token.
type pacer struct {
	next    http.RoundTripper
	clock   Clock
	limiter *rate.Limiter

	mu sync.Mutex
	// notBefore is when the API said that it wants to be asked again.
	notBefore time.Time
}

func newPacer(next http.RoundTripper, clock Clock) *pacer {
	return &pacer{next: next, clock: clock, limiter: rate.NewLimiter(perMinute(requestsPerMinute), burst)}
}

func perMinute(n int) rate.Limit { return rate.Limit(float64(n) / time.Minute.Seconds()) }

// RoundTrip waits for its turn, then sends.
func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := p.wait(req.Context()); err != nil {
		return nil, fmt.Errorf("wait for the turn of %s %s: %w", req.Method, req.URL.Path, err)
	}
	resp, err := p.next.RoundTrip(req)
	if err == nil {
		p.learn(resp)
	}
	return resp, err //nolint:wrapcheck // a RoundTripper in between adds nothing
}

func (p *pacer) wait(ctx context.Context) error {
	now := p.clock.Now()
	delay := p.limiter.ReserveN(now, 1).DelayFrom(now)
	p.mu.Lock()
	delay = max(delay, p.notBefore.Sub(now))
	p.mu.Unlock()
	if delay <= 0 {
		return nil
	}
	return p.clock.Sleep(ctx, delay) //nolint:wrapcheck // RoundTrip wraps it
}

func (p *pacer) learn(resp *http.Response) {
	now := p.clock.Now()
	if resp.StatusCode == http.StatusTooManyRequests {
		if wait, ok := retryAfter(resp, now); ok && wait <= patience {
			p.mu.Lock()
			p.notBefore = now.Add(wait)
			p.mu.Unlock()
		}
	}
	left, ok := quotaOf(resp)
	if !ok {
		return
	}
	p.limiter.SetLimitAt(now, left.pace(now))
}

// quota is what the API says is left of the hour's requests.
type quota struct {
	limit, remaining int
	// reset is when the oldest request no longer counts.
	reset time.Time
}

func quotaOf(resp *http.Response) (quota, bool) {
	limit, err1 := strconv.Atoi(resp.Header.Get("Ratelimit-Limit"))
	remaining, err2 := strconv.Atoi(resp.Header.Get("Ratelimit-Remaining"))
	reset, err3 := strconv.ParseInt(resp.Header.Get("Ratelimit-Reset"), 10, 64)
	return quota{limit, remaining, time.Unix(reset, 0)}, err1 == nil && err2 == nil && err3 == nil
}

// pace is how fast requests may be sent.
func (q quota) pace(now time.Time) rate.Limit {
	full := perMinute(requestsPerMinute)
	left := q.reset.Sub(now)
	if left <= 0 || q.remaining > q.limit/reserveShare {
		return full
	}
	spread := rate.Limit(float64(q.remaining) / left.Seconds())
	return min(full, max(spread, rate.Every(slowestPace)))
}
