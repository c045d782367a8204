package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// limiter counts the requests of each token over the last hour and minute.
type limiter struct {
	limits Limits
	mu     sync.Mutex
	seen   map[string][]time.Time
}

func newLimiter(l Limits) *limiter {
	l.PerHour, l.PerMinute = or(l.PerHour, 5000), or(l.PerMinute, 250)
	return &limiter{limits: l, seen: map[string][]time.Time{}}
}

// take counts a request, sets the headers, and fails with 429 if it is one too many.
// Only a burst over the minute's limit carries retry-after.
func (l *limiter) take(h http.Header, token string, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := l.seen[token]
	for len(seen) > 0 && at.Sub(seen[0]) >= time.Hour {
		seen = seen[1:]
	}
	lastMinute := seen
	for len(lastMinute) > 0 && at.Sub(lastMinute[0]) >= time.Minute {
		lastMinute = lastMinute[1:]
	}
	var err error
	switch {
	case len(seen) >= l.limits.PerHour:
		err = tooMany(0)
	case len(lastMinute) >= l.limits.PerMinute:
		err = tooMany(max(time.Second, lastMinute[0].Add(time.Minute).Sub(at)))
	default:
		seen = append(seen, at)
	}
	l.seen[token] = seen

	reset := at
	if len(seen) > 0 {
		reset = seen[0]
	}
	h.Set("ratelimit-limit", strconv.Itoa(l.limits.PerHour))
	h.Set("ratelimit-remaining", strconv.Itoa(l.limits.PerHour-len(seen)))
	h.Set("ratelimit-reset", strconv.FormatInt(reset.Add(time.Hour).Unix(), 10))
	return err
}

func tooMany(retryAfter time.Duration) error {
	return &apiError{status: 429, ID: "too_many_requests", Message: "API rate limit exceeded.", retryAfter: retryAfter}
}
