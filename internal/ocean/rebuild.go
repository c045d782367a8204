package ocean

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

// recent is how many of a droplet's actions are looked at.
const recent = 20

// RebuildRequest asks for a droplet to be rebuilt.
type RebuildRequest struct {
	DropletID, ImageID int
	// Timeout bounds waiting for a busy droplet; 0: 20 minutes.
	Timeout time.Duration
	// Phase is told what is waited for; it may be nil.
	Phase func(string)
}

// Rebuild is StartRebuild with the default time-out and without phases.
func (c *Client) Rebuild(ctx context.Context, dropletID, imageID int) (Action, error) {
	return c.StartRebuild(ctx, RebuildRequest{DropletID: dropletID, ImageID: imageID})
}

// StartRebuild starts the rebuild of a droplet, which wipes its disk, and returns
// the action as it is then: running. A droplet that is busy with something else
// is waited for. Where the answer was lost it looks for a rebuild among the
// droplet's newest actions, and sends again only if there is none.
func (c *Client) StartRebuild(ctx context.Context, r RebuildRequest) (Action, error) {
	if r.Timeout <= 0 {
		r.Timeout = defaultActionTimeout
	}
	if r.Phase == nil {
		r.Phase = func(string) {}
	}
	doing := fmt.Sprintf("rebuild droplet %d with image %d", r.DropletID, r.ImageID)
	deadline := c.clock.Now().Add(r.Timeout)
	for sent := 1; ; {
		before, err := c.dropletActions(ctx, r.DropletID)
		if err != nil {
			return Action{}, fmt.Errorf("%s: see what it is doing: %w", doing, err)
		}
		action, err := c.postRebuild(ctx, r)
		switch {
		case err == nil:
			return action, nil
		case busy(err):
			if err := c.waitUntilFree(ctx, r, deadline); err != nil {
				return Action{}, fmt.Errorf("%s: %w", doing, err)
			}
			continue
		case ctx.Err() != nil:
			return Action{}, fmt.Errorf("%s: %w; it may have been started all the same: look at the droplet's history", doing, err)
		case !inDoubt(err):
			return Action{}, fmt.Errorf("%s: %w", doing, err)
		}
		found, lookErr := c.started(ctx, r.DropletID, before)
		if lookErr != nil {
			return Action{}, fmt.Errorf("%s: %w; whether it was started could not be seen, so it was not asked for again: %w", doing, err, lookErr)
		}
		if found != nil {
			return *found, nil
		}
		if sent == sends {
			return Action{}, fmt.Errorf("%s: asked %d times, and no rebuild was started: %w", doing, sent, err)
		}
		sent++
	}
}

func (c *Client) postRebuild(ctx context.Context, r RebuildRequest) (Action, error) {
	got, _, err := c.api.DropletActions.RebuildByImageID(ctx, r.DropletID, r.ImageID)
	if err = explain(err, "droplet:update", "droplet:admin"); err != nil {
		return Action{}, rebuildHint(err)
	}
	if got == nil || got.ID == 0 {
		return Action{}, errors.New("the rebuild was accepted, but the answer holds no action")
	}
	return ofResource(toAction(*got), "droplet", r.DropletID), nil
}

// ofResource fills in what an answer left out: the single look at the action
// needs it.
func ofResource(a Action, kind string, id int) Action {
	if a.ResourceType == "" {
		a.ResourceType = kind
	}
	if a.ResourceID == 0 {
		a.ResourceID = id
	}
	return a
}

func rebuildHint(err error) error {
	var api *APIError
	if !errors.As(err, &api) || api.Status != http.StatusUnprocessableEntity {
		return err
	}
	switch message := strings.ToLower(api.Message); {
	case strings.Contains(message, "ipv6"):
		api.Hint = "custom images know no IPv6, and it cannot be switched off; make a new droplet without it"
	case strings.Contains(message, "region"):
		api.Hint = "the image has to be transferred to the droplet's region first"
	case strings.Contains(message, "disk"):
		api.Hint = "resize the droplet's disk, or build the image with a smaller virtualisation.diskSize"
	}
	return err
}

// busy says whether the droplet does something else at the moment
// (hashicorp/packer#1814).
func busy(err error) bool {
	var api *APIError
	return errors.As(err, &api) && api.Status == http.StatusUnprocessableEntity &&
		strings.Contains(strings.ToLower(api.Message), "pending event")
}

// waitUntilFree waits for the droplet's running action, or for a while if none is
// seen.
func (c *Client) waitUntilFree(ctx context.Context, r RebuildRequest, deadline time.Time) error {
	actions, err := c.dropletActions(ctx, r.DropletID)
	if err != nil {
		return err
	}
	running := "another event"
	left := deadline.Sub(c.clock.Now())
	for _, a := range actions {
		if !a.Running() || left <= 0 {
			continue
		}
		running = fmt.Sprintf("%s (action %d)", a.Type, a.ID)
		r.Phase(fmt.Sprintf("waiting for droplet %d, which is busy with its %s", r.DropletID, running))
		_, err := c.WaitForAction(ctx, a, left, nil)
		var failed *ActionError
		if err == nil || errors.As(err, &failed) {
			return nil // over, one way or the other
		}
		if !errors.Is(err, ErrTimeout) {
			return err
		}
		left = 0
	}
	if left <= 0 {
		return &TimeoutError{
			What: fmt.Sprintf("droplet %d", r.DropletID), Last: "busy with " + running, After: r.Timeout,
			Fix: "the rebuild was not started; wait for that to end, then run the same command again",
		}
	}
	r.Phase(fmt.Sprintf("waiting for droplet %d, which is busy with %s", r.DropletID, running))
	if err := c.clock.Sleep(ctx, min(left, 2*c.poll)); err != nil {
		return fmt.Errorf("wait for droplet %d, which is busy: %w", r.DropletID, err)
	}
	return nil
}

// dropletActions are a droplet's newest actions.
func (c *Client) dropletActions(ctx context.Context, id int) ([]Action, error) {
	page, _, err := c.api.Droplets.Actions(ctx, id, &godo.ListOptions{PerPage: recent})
	if err != nil {
		return nil, fmt.Errorf("list the actions of droplet %d: %w", id, explain(err, "droplet:read"))
	}
	actions := make([]Action, 0, len(page))
	for _, a := range page {
		actions = append(actions, ofResource(toAction(a), "droplet", id))
	}
	return actions, nil
}

// started looks for a rebuild that was not there before; nil if there is none
// even after a while.
func (c *Client) started(ctx context.Context, droplet int, before []Action) (*Action, error) {
	return c.newAction(ctx, before, func(a Action) bool { return a.Type == "rebuild" },
		func() ([]Action, error) { return c.dropletActions(ctx, droplet) })
}

// newAction looks a few times for an action that was not there before. Actions
// are numbered in their order, so one that had merely slipped off the page of
// before does not count as new.
func (c *Client) newAction(ctx context.Context, before []Action, fits func(Action) bool, list func() ([]Action, error)) (*Action, error) {
	newest := 0
	for _, a := range before {
		newest = max(newest, a.ID)
	}
	pause := lookPause
	for look := 1; ; look++ {
		now, err := list()
		if err != nil {
			return nil, err
		}
		for _, a := range now {
			if a.ID > newest && fits(a) {
				return &a, nil
			}
		}
		if look == looks {
			return nil, nil //nolint:nilnil // none is an answer here
		}
		if err := c.clock.Sleep(ctx, pause); err != nil {
			return nil, fmt.Errorf("look at the actions again: %w", err)
		}
		pause *= 2
	}
}
