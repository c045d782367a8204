package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// betweenWrites is the pause that GitHub asks for between requests that change
// something, to stay below the secondary rate limits. They are also to be sent
// one after the other.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#pause-between-mutative-requests
const betweenWrites = time.Second

// turn lets one in at a time. Unlike a mutex, waiting for it ends with a context.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx) //nolint:wrapcheck // the caller says what it waited for
	case t <- struct{}{}:
		return nil
	}
}

func (t turn) give() { <-t }

// pacer sends requests no faster than GitHub wants them, and none at all while a
// rate limit holds that lasts too long to wait for.
type pacer struct {
	next    http.RoundTripper
	clock   Clock
	writing turn
	// hurry is closed when there is no time for pauses any more.
	hurry    chan struct{}
	hurrying sync.Once

	mu        sync.Mutex
	nextWrite time.Time
	limit     *APIError
}

func newPacer(next http.RoundTripper, clock Clock) *pacer {
	return &pacer{next: next, clock: clock, writing: newTurn(), hurry: make(chan struct{})}
}

// hurryUp ends the pauses, those that are under way too.
func (p *pacer) hurryUp() { p.hurrying.Do(func() { close(p.hurry) }) }

func (p *pacer) hurried() bool {
	select {
	case <-p.hurry:
		return true
	default:
		return false
	}
}

// RoundTrip waits for its turn, then sends. While a rate limit lasts longer than
// a minute or so, it returns that limit's error without sending.
func (p *pacer) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if req.Method != http.MethodGet && !p.hurried() {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the turn of %s %s: %w", req.Method, req.URL.Path, context.Cause(ctx))
		case <-p.hurry:
		case p.writing <- struct{}{}:
			defer p.writing.give()
		}
		if err := p.ready(ctx); err != nil {
			return nil, err
		}
	}
	if err := p.obey(ctx); err != nil {
		return nil, err
	}
	resp, err := p.next.RoundTrip(req)
	p.mu.Lock()
	defer p.mu.Unlock()
	if req.Method != http.MethodGet {
		p.nextWrite = p.clock.Now().Add(betweenWrites)
	}
	var answer *APIError
	if errors.As(err, &answer) && answer.limited {
		p.limit = answer
	}
	return resp, err //nolint:wrapcheck // a RoundTripper in between adds nothing
}

// ready waits until something may be written. Who looks at something to change
// it waits before looking, so that little can happen in between.
func (p *pacer) ready(ctx context.Context) error {
	p.mu.Lock()
	wait := p.nextWrite.Sub(p.clock.Now())
	p.mu.Unlock()
	if wait <= 0 || p.hurried() {
		return nil
	}
	pause, wake := context.WithCancel(ctx)
	defer wake()
	go func() {
		select {
		case <-p.hurry:
			wake()
		case <-pause.Done():
		}
	}()
	if err := p.clock.Sleep(pause, wait); err != nil && (ctx.Err() != nil || !p.hurried()) {
		return fmt.Errorf("wait for the second between two writes: %w", err)
	}
	return nil
}

// obey waits for the end of a rate limit.
func (p *pacer) obey(ctx context.Context) error {
	p.mu.Lock()
	limit := p.limit
	p.mu.Unlock()
	if limit == nil {
		return nil
	}
	wait := limit.until.Sub(p.clock.Now())
	switch {
	case wait <= 0:
		return nil
	case wait > patience:
		return limit
	}
	if err := p.clock.Sleep(ctx, wait); err != nil {
		return fmt.Errorf("wait for the end of GitHub's rate limit: %w", err)
	}
	return nil
}
