package hub

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/lab/fault"
)

// limiter counts the requests of each token, in windows of an hour that begin with
// its first request.
type limiter struct {
	perHour int
	mu      sync.Mutex
	windows map[string]window
}

type window struct {
	used  int
	reset time.Time
}

func newLimiter(perHour int) *limiter {
	return &limiter{perHour: perHour, windows: map[string]window{}}
}

// take counts a request, sets the headers, and fails with 403 if it is one too many.
func (l *limiter) take(c *call, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[c.token.Value]
	if !at.Before(w.reset) {
		w = window{reset: at.Add(time.Hour)}
	}
	tooMany := w.used >= l.perHour
	if !tooMany {
		w.used++
	}
	l.windows[c.token.Value] = w
	for name, n := range map[string]int64{
		"limit": int64(l.perHour), "remaining": int64(l.perHour - w.used), "used": int64(w.used), "reset": w.reset.Unix(),
	} {
		c.header.Set("x-ratelimit-"+name, strconv.FormatInt(n, 10))
	}
	c.header.Set("x-ratelimit-resource", "core")
	if !tooMany {
		return nil
	}
	whose := "user ID "
	if c.token.bot() {
		whose = "installation ID "
	}
	return &apiError{
		status: http.StatusForbidden,
		message: "API rate limit exceeded for " + whose + strconv.FormatInt(numberOf(c.token.Login), 10) +
			". If you reach out to GitHub Support for help, please include the request ID " + c.requestID +
			" and timestamp " + at.UTC().Format("2006-01-02 15:04:05 UTC") + ".",
		docs: docsRoot + "/using-the-rest-api/rate-limits-for-the-rest-api",
	}
}

// secondaryLimit is what a burst is answered with.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
func secondaryLimit(c *call, f fault.Fault) error {
	return &apiError{
		status: cmp.Or(f.Status, http.StatusForbidden),
		message: cmp.Or(f.Message, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "+
			"If you reach out to GitHub Support for help, please include the request ID "+c.requestID+"."),
		docs: "https://docs.github.com/free-pro-team@latest/rest/overview/" +
			"rate-limits-for-the-rest-api#about-secondary-rate-limits",
		retryAfter: cmp.Or(f.Delay, time.Minute),
	}
}
