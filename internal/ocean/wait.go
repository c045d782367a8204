package ocean

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/godo"
)

// What a wait is bounded by where the caller gives no time-out. DigitalOcean
// publishes no times; packer's 20 minutes are too short for some imports
// (packer-plugin-digitalocean#129).
const (
	defaultImageTimeout  = time.Hour
	defaultActionTimeout = 20 * time.Minute
)

// WaitForImage waits until an image is available and returns it. It ends at once
// with an *ImageError if the import failed, and with a *TimeoutError (ErrTimeout)
// after timeout (0: an hour); the import goes on without us then. Phase, which
// may be nil, is told in a few words what is waited for.
func (c *Client) WaitForImage(ctx context.Context, id int, timeout time.Duration, phase func(string)) (Image, error) {
	if timeout <= 0 {
		timeout = defaultImageTimeout
	}
	one := newWaiter(fmt.Sprintf("custom image %d", id), timeout,
		"DigitalOcean may still finish the import; run the same command again to go on with it, or allow more time (space.import-timeout)")
	one.imageID = id
	one.judge = func(s sight) (bool, error) { return s.image.Available(), imageFailure(*s.image) }
	seen, err := c.watcher.await(ctx, one, phase)
	if err != nil {
		if seen.image != nil {
			return *seen.image, err
		}
		return Image{ID: id}, err
	}
	return *seen.image, nil
}

// WaitForAction waits until an action has completed and returns it. It ends at
// once with an *ActionError if it errored, and with a *TimeoutError (ErrTimeout)
// after timeout (0: 20 minutes); the action goes on without us then. Phase may be
// nil.
func (c *Client) WaitForAction(ctx context.Context, a Action, timeout time.Duration, phase func(string)) (Action, error) {
	if timeout <= 0 {
		timeout = defaultActionTimeout
	}
	one := newWaiter(fmt.Sprintf("%s of %s %d, action %d", a.Type, a.ResourceType, a.ResourceID, a.ID), timeout,
		"DigitalOcean goes on with it; look at it in the control panel, then run the same command again, or allow more time (rollout.rebuild-timeout)")
	one.action = a
	one.judge = func(s sight) (bool, error) { return Is(s.action.Status, StatusCompleted), actionFailure(*s.action) }
	seen, err := c.watcher.await(ctx, one, phase)
	if err != nil {
		if seen.action != nil {
			return *seen.action, err
		}
		return a, err
	}
	return *seen.action, nil
}

// action looks at one action by way of its resource, which needs no more scopes
// than starting it did.
func (c *Client) action(ctx context.Context, a Action) (Action, error) {
	var got *godo.Action
	var err error
	scope := "actions:read"
	switch a.ResourceType {
	case "droplet":
		scope = "droplet:read"
		got, _, err = c.api.DropletActions.Get(ctx, a.ResourceID, a.ID)
	case "image":
		scope = "image:read"
		got, _, err = c.api.ImageActions.Get(ctx, a.ResourceID, a.ID)
	default:
		got, _, err = c.api.Actions.Get(ctx, a.ID)
	}
	if err != nil {
		return a, fmt.Errorf("look at action %d: %w", a.ID, explain(err, scope))
	}
	return toAction(*got), nil
}

// imageFailure is an *ImageError if the image will never be available.
func imageFailure(i Image) error {
	switch {
	case i.Available(), i.Importing():
		return nil
	case Is(i.Status, StatusDeleted):
		return &ImageError{Image: i, Reason: reasonOf(i.ErrorMessage,
			"DigitalOcean gave no reason. Likely ones: the URL's path did not end like the file's format (.qcow2.gz, .raw.gz); "+
				"the server behind it did not answer HEAD; the file is not raw, qcow2, vhdx, vdi or vmdk, alone or with gzip or bzip2; "+
				"it is 100 GB or more when decompressed; or somebody deleted the image")}
	case Is(i.Status, StatusRetired):
		return &ImageError{Image: i, Reason: reasonOf(i.ErrorMessage, "DigitalOcean has withdrawn it; deploy again to import it anew")}
	case Is(i.Status, StatusErrored):
		return &ImageError{Image: i, Reason: reasonOf(i.ErrorMessage, "DigitalOcean gave no reason; deploy again to import it anew")}
	default:
		return nil // a status that nobody has met: the deadline bounds the wait
	}
}

func reasonOf(message, own string) string {
	if message = strings.TrimSpace(message); message != "" {
		return "DigitalOcean says " + quote(message)
	}
	return own
}

// actionFailure is an *ActionError if the action errored.
func actionFailure(a Action) error {
	if !Is(a.Status, StatusErrored) {
		return nil
	}
	reason := "DigitalOcean gives no reason for a failed action; look at the resource in the control panel and run the same command again"
	if a.Type == "rebuild" {
		reason = "DigitalOcean gives no reason for a failed action. The droplet may still run its former system, or none: " +
			"look at its console in the control panel, then run the same command again"
	}
	return &ActionError{Action: a, Reason: reason}
}

// waiter waits for one image or one action.
type waiter struct {
	imageID int    // 0: it waits for the action
	action  Action // as it is known from its start

	what     string // "custom image 12"
	fix      string // what to do if it takes too long
	timeout  time.Duration
	deadline time.Time
	// judge says whether a sight ends the wait, and whether badly.
	judge func(sight) (done bool, err error)

	phases chan string
	done   chan outcome

	said   string // the phase told last
	misses int    // how often it was not there

	mu      sync.Mutex
	last    string // the status seen last
	failure error  // why there is no newer one
}

// sight is what was seen of an image or an action; one of them is set.
type sight struct {
	image  *Image
	action *Action
}

type outcome struct {
	sight sight
	err   error
}

func newWaiter(what string, timeout time.Duration, fix string) *waiter {
	return &waiter{
		what: what, fix: fix, timeout: timeout, last: "in an unknown state",
		phases: make(chan string, 1), done: make(chan outcome, 1),
	}
}

// say tells a new phase; one that nobody has read yet makes way for it.
func (o *waiter) say(text string) {
	if text == o.said {
		return
	}
	o.said = text
	select {
	case <-o.phases:
	default:
	}
	o.phases <- text
}

// end ends the wait; only the first end counts.
func (o *waiter) end(how outcome) {
	select {
	case o.done <- how:
	default:
	}
}

// missed counts that it was not there.
func (o *waiter) missed() int {
	o.misses++
	return o.misses
}

func (o *waiter) saw(status string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.failure = strings.ToLower(status), nil
}

// unanswered notes that the status could not be seen this time.
func (o *waiter) unanswered(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
}

// seen is the status seen last, and why there is no newer one.
func (o *waiter) seen() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		return fmt.Sprintf("%s (the API did not answer the last time: %v)", o.last, o.failure)
	}
	return o.last
}
