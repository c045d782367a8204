package github

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

const (
	// patience is the longest wait for a rate limit: a minute is what GitHub asks
	// for on a burst. Beyond it the hour's requests are used up, and a person
	// should hear that instead.
	patience = 75 * time.Second
	// unsaid is how long to wait for a limit that does not say.
	unsaid = time.Minute
	// slack makes up for times that are told in whole seconds.
	slack = time.Second
)

// limitOf is the error for an answer that says that a rate limit is reached, the
// hour's (primary) or that on bursts (secondary); nil for others.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
func limitOf(resp *http.Response, body []byte, now time.Time) *APIError {
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests {
		return nil
	}
	until, ok := limitEnds(resp.Header, now)
	if !ok {
		// Secondary limits are not always told by headers.
		named := bytes.Contains(body, []byte("secondary rate limit")) || bytes.Contains(body, []byte("secondary-rate-limits"))
		if resp.StatusCode != http.StatusTooManyRequests && !named {
			return nil
		}
		until = now.Add(unsaid)
	}
	e := &APIError{Status: resp.StatusCode, RequestID: resp.Header.Get(requestIDHeader), limited: true, until: until}
	e.Message, e.DocumentationURL = complaint(body)
	return e
}

func limitEnds(header http.Header, now time.Time) (time.Time, bool) {
	if value := header.Get("Retry-After"); value != "" {
		if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
			return now.Add(time.Duration(seconds) * time.Second), true
		}
		if at, err := http.ParseTime(value); err == nil {
			return at.Add(slack), true
		}
	}
	reset, err := strconv.ParseInt(header.Get("X-Ratelimit-Reset"), 10, 64)
	if header.Get("X-Ratelimit-Remaining") != "0" || err != nil {
		return time.Time{}, false
	}
	return time.Unix(reset, 0).Add(slack), true
}
