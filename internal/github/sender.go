package github

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	apiVersion = "2022-11-28"
	mediaType  = "application/vnd.github+json"
	// attemptTimeout bounds one exchange, so that a connection that went silent
	// does not hold up everything.
	attemptTimeout = 30 * time.Second
)

// sender makes one exchange: it adds the headers that all requests have, reads
// the answer whole (so that one cut off in the middle counts as lost, and is
// asked for again), and makes an error of a reached rate limit.
type sender struct {
	next  http.RoundTripper
	token string
	clock Clock
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
	resp, err := s.next.RoundTrip(out)
	if err != nil {
		return nil, err //nolint:wrapcheck // a RoundTripper in between adds nothing
	}
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
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
