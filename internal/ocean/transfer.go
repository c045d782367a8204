package ocean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/digitalocean/godo"
)

// Transfer makes an image available in further regions, all at once, waits for
// them, and returns the image. Regions that have it already cost nothing. The
// error joins those of all regions; the other regions have the image then.
func (c *Client) Transfer(ctx context.Context, imageID int, regions []string, timeout time.Duration, phase func(string)) (Image, error) {
	image, err := c.Image(ctx, imageID)
	if err != nil {
		return Image{ID: imageID}, err
	}
	var missing []string
	for _, region := range regions {
		if region != "" && !image.In(region) && !slices.Contains(missing, region) {
			missing = append(missing, region)
		}
	}
	if len(missing) == 0 {
		return image, nil
	}
	if timeout <= 0 {
		timeout = defaultImageTimeout
	}
	if phase != nil {
		phase(fmt.Sprintf("transferring custom image %d to %s", imageID, strings.Join(missing, ", ")))
	}
	deadline := c.clock.Now().Add(timeout)
	failures := make([]error, len(missing))
	var all sync.WaitGroup
	for i, region := range missing {
		all.Go(func() {
			if err := c.transferTo(ctx, imageID, region, timeout); err != nil {
				failures[i] = fmt.Errorf("transfer custom image %d to %s: %w", imageID, region, err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return image, err
	}
	return c.arrived(ctx, imageID, missing, deadline)
}

// arrived looks at the image until it says that it is in the regions: its list
// can lag behind the actions.
func (c *Client) arrived(ctx context.Context, id int, regions []string, deadline time.Time) (Image, error) {
	for {
		image, err := c.Image(ctx, id)
		if err != nil {
			return Image{ID: id}, err
		}
		missing := slices.DeleteFunc(slices.Clone(regions), image.In)
		if len(missing) == 0 {
			return image, nil
		}
		if !c.clock.Now().Before(deadline) {
			return image, &TimeoutError{
				What: fmt.Sprintf("custom image %d", id), Last: "not in " + strings.Join(missing, ", "), After: 0,
				Fix: "its transfers have completed; look at the image in the control panel, then run the same command again",
			}
		}
		if err := c.clock.Sleep(ctx, c.poll); err != nil {
			return image, fmt.Errorf("wait for custom image %d to be in %s: %w", id, strings.Join(missing, ", "), err)
		}
	}
}

func (c *Client) transferTo(ctx context.Context, id int, region string, timeout time.Duration) error {
	ours := func(a Action) bool { return a.Type == "transfer" && (a.Region == "" || a.Region == region) }
	list := func() ([]Action, error) { return c.imageActions(ctx, id) }
	for sent := 1; ; sent++ {
		before, err := list()
		if err != nil {
			return err
		}
		// A transfer that a run before this one started is waited for.
		if at := slices.IndexFunc(before, func(a Action) bool { return a.Running() && a.Region == region && ours(a) }); at >= 0 {
			return c.finish(ctx, before[at], timeout)
		}
		action, err := c.postTransfer(ctx, id, region)
		switch {
		case err == nil:
			return c.finish(ctx, action, timeout)
		case ctx.Err() != nil, !inDoubt(err):
			return err
		}
		found, lookErr := c.newAction(ctx, before, ours, list)
		switch {
		case lookErr != nil:
			return fmt.Errorf("%w; whether it was started could not be seen, so it was not asked for again: %w", err, lookErr)
		case found != nil:
			return c.finish(ctx, *found, timeout)
		case sent == sends:
			return fmt.Errorf("asked %d times, and no transfer was started: %w", sent, err)
		}
	}
}

func (c *Client) finish(ctx context.Context, a Action, timeout time.Duration) error {
	_, err := c.WaitForAction(ctx, a, timeout, nil)
	return err
}

// postTransfer does without godo's method: the API's description has the action
// bare in the answer, its example and godo have it wrapped. Both are read.
func (c *Client) postTransfer(ctx context.Context, id int, region string) (Action, error) {
	var got struct {
		Wrapped *godo.Action `json:"action"`
		godo.Action
	}
	body := map[string]string{"type": "transfer", "region": region}
	if err := c.exchange(ctx, http.MethodPost, fmt.Sprintf("v2/images/%d/actions", id), body, &got, "image:update"); err != nil {
		return Action{}, err
	}
	action := got.Action
	if got.Wrapped != nil {
		action = *got.Wrapped
	}
	if action.ID == 0 {
		return Action{}, errors.New("the transfer was accepted, but the answer holds no action")
	}
	return ofResource(toAction(action), "image", id), nil
}

// imageActions are an image's actions; godo has no method for them.
func (c *Client) imageActions(ctx context.Context, id int) ([]Action, error) {
	var got struct{ Actions []godo.Action }
	if err := c.exchange(ctx, http.MethodGet, fmt.Sprintf("v2/images/%d/actions", id), nil, &got, "image:read"); err != nil {
		return nil, fmt.Errorf("list the actions of image %d: %w", id, err)
	}
	actions := make([]Action, 0, len(got.Actions))
	for _, a := range got.Actions {
		actions = append(actions, ofResource(toAction(a), "image", id))
	}
	return actions, nil
}

func (c *Client) exchange(ctx context.Context, method, path string, body, into any, scope string) error {
	req, err := c.api.NewRequest(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("make the request %s %s: %w", method, path, err)
	}
	var raw json.RawMessage
	if _, err := c.api.Do(ctx, req, &raw); err != nil {
		return explain(err, scope)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}
