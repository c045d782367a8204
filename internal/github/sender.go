package github

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	apiVersion = "2022-11-28"
	mediaType  = "application/vnd.github+json"
	// attemptTimeout bounds one exchange, so that a connection that went silent
	// does not hold up everything. GitHub itself gives up on a request after ten
	// seconds.
	// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#timeouts
	attemptTimeout = 15 * time.Second
	// longSilence is how long nothing may be answered until no more is expected.
	longSilence = 2 * attemptTimeout
)

// sender makes one exchange: it adds the headers that all requests have, reads
// the answer whole (so that one cut off in the middle counts as lost, and is
// asked for again), and makes an error of a reached rate limit.
type sender struct {
	next  http.RoundTripper
	token string
	clock Clock

	mu sync.Mutex
	// unanswered is since when nothing was answered that was asked; zero: it was.
	unanswered time.Time
}

// RoundTrip sends a request with the token. That it goes to the API's own host is
// up to the client that follows redirects.
func (s *sender) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), attemptTimeout)
	defer cancel()
	out := req.Clone(ctx)
	// go-github asks for previews here and there that ended years ago.
	out.Header.Set("Accept", mediaType)
	out.Header.Set("X-GitHub-Api-Version", apiVersion)
	out.Header.Set("Authorization", "Bearer "+s.token)
	began := s.clock.Now()
	resp, err := s.next.RoundTrip(out)
	if err != nil {
		s.note(req.Context(), began, ctx.Err() == nil)
		return nil, err //nolint:wrapcheck // a RoundTripper in between adds nothing
	}
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		s.note(req.Context(), began, ctx.Err() == nil)
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	s.note(req.Context(), began, true)
	resp.Body = io.NopCloser(bytes.NewReader(data))
	if limit := limitOf(resp, data, s.clock.Now()); limit != nil {
		return nil, limit
	}
	// go-github would refuse further requests by these, by a clock that is not ours.
	for _, name := range []string{"Limit", "Remaining", "Reset"} {
		resp.Header.Del("X-Ratelimit-" + name)
	}
	return resp, nil
}

// note takes in whether what was asked at a time was answered, be that by a failure.
// Where the caller did not wait for it, that is not known.
func (s *sender) note(caller context.Context, began time.Time, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !answered && caller.Err() != nil:
	case answered:
		s.unanswered = time.Time{}
	case s.unanswered.IsZero():
		s.unanswered = began
	}
}

// silent says that nothing was answered for long.
func (s *sender) silent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unanswered.IsZero() && s.clock.Now().Sub(s.unanswered) >= longSilence
}
