package ocean

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/godo"
)

const (
	slowestPoll = 15 * time.Second
	pollGrowth  = 1.3
	// What was just made may not be listed at once.
	missesAllowed = 3
)

// watcher looks at everything that is waited for, together: one page of images
// and one of actions a tick serve every waiter. It runs only while somebody
// waits.
type watcher struct {
	client *Client

	mu      sync.Mutex
	waiters map[*waiter]bool
	// next is when the next look is due, wait how long it was put off; wake ends
	// the sleep until then, stop the watching.
	next       time.Time
	wait       time.Duration
	wake, stop context.CancelFunc
}

func newWatcher(c *Client) *watcher {
	return &watcher{client: c, waiters: map[*waiter]bool{}}
}

// await blocks until the waiter's end. Phases are told in the caller's goroutine.
func (w *watcher) await(ctx context.Context, one *waiter, phase func(string)) (sight, error) {
	if phase == nil {
		phase = func(string) {}
	}
	one.deadline = w.client.clock.Now().Add(one.timeout)
	w.join(ctx, one)
	defer w.leave(one)
	for {
		select {
		case <-ctx.Done():
			return sight{}, fmt.Errorf("wait for %s (seen last: %s): %w", one.what, one.seen(), context.Cause(ctx))
		case text := <-one.phases:
			phase(text)
		case end := <-one.done:
			return end.sight, end.err
		}
	}
}

// join adds a waiter and brings the next look forward, so that a newcomer does
// not wait as long as the others have learned to.
func (w *watcher) join(ctx context.Context, one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	poll := w.client.poll
	due := w.client.clock.Now().Add(poll)
	w.waiters[one] = true
	w.wait = poll
	if w.stop == nil {
		// It serves those who come later too, so it does not end with this context.
		var watching context.Context
		watching, w.stop = context.WithCancel(context.WithoutCancel(ctx))
		w.next = due
		go w.run(watching)
		return
	}
	if due.Before(w.next) {
		w.next = due
		if w.wake != nil {
			w.wake()
		}
	}
}

// leave removes a waiter; the last one ends the watching.
func (w *watcher) leave(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiters, one)
	if len(w.waiters) == 0 && w.stop != nil {
		w.stop()
		w.stop = nil
	}
}

func (w *watcher) run(ctx context.Context) {
	for w.sleep(ctx) {
		w.look(ctx, w.present(ctx))
		w.putOff(ctx)
	}
}

// putOff sets the time of the next look: a little later each time, but not
// beyond the next deadline.
func (w *watcher) putOff(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return // another watching has begun since
	}
	now := w.client.clock.Now()
	w.wait = min(time.Duration(float64(w.wait)*pollGrowth), slowestPoll)
	w.next = now.Add(w.wait)
	for one := range w.waiters {
		if one.deadline.After(now) && one.deadline.Before(w.next) {
			w.next = one.deadline
		}
	}
}

// sleep passes the time until the next look; false means that nobody waits.
func (w *watcher) sleep(ctx context.Context) bool {
	for ctx.Err() == nil {
		w.mu.Lock()
		left := w.next.Sub(w.client.clock.Now())
		nap, wake := context.WithCancel(ctx)
		w.wake = wake
		w.mu.Unlock()
		if left > 0 {
			_ = w.client.clock.Sleep(nap, left) //nolint:errcheck // woken or not, the time is looked at again
		}
		wake()
		if left <= 0 {
			return ctx.Err() == nil
		}
	}
	return false
}

// present are those who wait now; none if this watching has been ended.
func (w *watcher) present(ctx context.Context) []*waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ctx.Err() != nil {
		return nil
	}
	all := make([]*waiter, 0, len(w.waiters))
	for one := range w.waiters {
		all = append(all, one)
	}
	return all
}

// look asks for the lists that somebody needs and tells every waiter. It does
// not retry: the next tick does.
func (w *watcher) look(ctx context.Context, waiters []*waiter) {
	ctx = withoutRetries(ctx)
	var images, actions []*waiter
	for _, one := range waiters {
		if one.imageID != 0 {
			images = append(images, one)
		} else {
			actions = append(actions, one)
		}
	}
	if len(images) > 0 {
		w.lookAtImages(ctx, images)
	}
	if len(actions) > 0 {
		w.lookAtActions(ctx, actions)
	}
}

func (w *watcher) lookAtImages(ctx context.Context, waiters []*waiter) {
	page, _, err := w.client.api.Images.ListUser(ctx, &godo.ListOptions{PerPage: perPage})
	err = explain(err, "image:read")
	seen := map[int]Image{}
	for _, i := range page {
		seen[i.ID] = toImage(i)
	}
	for _, one := range waiters {
		image, ok := seen[one.imageID]
		failure := err
		if err == nil && !ok {
			image, failure = w.client.Image(ctx, one.imageID)
		}
		w.tell(one, sight{image: &image}, image.Status, failure)
	}
}

func (w *watcher) lookAtActions(ctx context.Context, waiters []*waiter) {
	page, _, err := w.client.api.Actions.List(ctx, &godo.ListOptions{PerPage: perPage})
	err = explain(err, "actions:read")
	if errors.Is(err, ErrForbidden) {
		err = nil // each action can be asked for with the scopes that started it
	}
	seen := map[int]Action{}
	for _, a := range page {
		seen[a.ID] = toAction(a)
	}
	for _, one := range waiters {
		action, ok := seen[one.action.ID]
		failure := err
		if err == nil && !ok {
			action, failure = w.client.action(ctx, one.action)
		}
		w.tell(one, sight{action: &action}, action.Status, failure)
	}
}

// tell ends a wait that has come to its end and tells the phase of one that has
// not.
func (w *watcher) tell(one *waiter, seen sight, status string, err error) {
	switch {
	case errors.Is(err, ErrNotFound) && one.missed() < missesAllowed:
		one.say(fmt.Sprintf("waiting for %s (not listed yet)", one.what))
	case transient(err):
		one.say(fmt.Sprintf("waiting for %s (the API does not answer, asking again: %v)", one.what, err))
		one.unanswered(err)
	case err != nil:
		one.end(outcome{err: fmt.Errorf("wait for %s: %w", one.what, err)})
		return
	default:
		if done, err := one.judge(seen); done || err != nil {
			one.end(outcome{seen, err})
			return
		}
		one.say(fmt.Sprintf("waiting for %s (%s)", one.what, strings.ToLower(status)))
		one.saw(status)
	}
	if !w.client.clock.Now().Before(one.deadline) {
		one.end(outcome{err: &TimeoutError{What: one.what, Last: one.seen(), After: one.timeout, Fix: one.fix}})
	}
}
