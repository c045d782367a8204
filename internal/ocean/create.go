package ocean

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/digitalocean/godo"
)

// ErrForeign says that a droplet lacks a tag that would make it ours.
var ErrForeign = errors.New("the droplet is not snowdrop's")

// CreateRequest asks for a new droplet.
type CreateRequest struct {
	Name, Region string // Region is a slug, such as "nyc3"
	Size         string // slug, such as "s-1vcpu-1gb"
	ImageID      int
	// SSHKeys are fingerprints of keys of the account.
	SSHKeys []string
	// Tags must tell the droplet, together with its name, from all others: a droplet
	// whose answer was lost is found by them.
	Tags []string
}

// CreateDroplet makes a droplet and returns it as it is then: new, without an
// address (see WaitForDroplet). A droplet that has the name and all of the tags
// already is returned instead, and made is false. Where the answer was lost it
// looks for such a one, and sends again only if there is none.
func (c *Client) CreateDroplet(ctx context.Context, r CreateRequest) (droplet Droplet, made bool, err error) {
	doing := fmt.Sprintf("create droplet %s (%s) in %s", r.Name, r.Size, r.Region)
	if r.Name == "" || len(r.Tags) == 0 {
		return Droplet{}, false, fmt.Errorf("%s: it has no name, or no tags that tell it from others", doing)
	}
	found, err := c.dropletsLike(ctx, r)
	if err != nil {
		return Droplet{}, false, fmt.Errorf("%s: see whether it is there already: %w", doing, err)
	}
	if len(found) > 0 {
		return found[0], false, nil
	}
	for sent := 1; ; sent++ {
		droplet, err := c.postDroplet(ctx, r)
		switch {
		case err == nil:
			return droplet, true, nil
		case ctx.Err() != nil:
			return Droplet{}, false, fmt.Errorf("%s: %w; it may have been made all the same, and costs money then: a further run finds it", doing, err)
		case !inDoubt(err):
			return Droplet{}, false, fmt.Errorf("%s: %w", doing, err)
		}
		late, lookErr := c.dropletAppeared(ctx, r)
		if lookErr != nil {
			return Droplet{}, false, fmt.Errorf("%s: %w; whether it was made could not be seen, so it was not asked for again: %w", doing, err, lookErr)
		}
		if late != nil {
			return *late, true, nil
		}
		if sent == sends {
			return Droplet{}, false, fmt.Errorf("%s: asked %d times, and no droplet appeared: %w", doing, sent, err)
		}
	}
}

func (c *Client) postDroplet(ctx context.Context, r CreateRequest) (Droplet, error) {
	keys := make([]godo.DropletCreateSSHKey, 0, len(r.SSHKeys))
	for _, fingerprint := range r.SSHKeys {
		keys = append(keys, godo.DropletCreateSSHKey{Fingerprint: fingerprint})
	}
	got, _, err := c.api.Droplets.Create(ctx, &godo.DropletCreateRequest{
		Name: r.Name, Region: r.Region, Size: r.Size, Image: godo.DropletCreateImage{ID: r.ImageID},
		SSHKeys: keys, Tags: r.Tags, // no IPv6: custom images know none
	})
	if err = explain(err, "droplet:create", "ssh_key:read", "tag:create"); err != nil {
		return Droplet{}, err
	}
	if got == nil || got.ID == 0 {
		return Droplet{}, errors.New("POST /v2/droplets was accepted, but the answer holds no droplet")
	}
	return toDroplet(*got), nil
}

// dropletsLike are the droplets with the name and all of the tags of a request, the
// oldest first.
func (c *Client) dropletsLike(ctx context.Context, r CreateRequest) ([]Droplet, error) {
	all, err := c.Droplets(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d Droplet) bool { return d.Name != r.Name || !d.Carries(r.Tags...) })
	slices.SortFunc(all, func(a, b Droplet) int { return a.ID - b.ID })
	return all, nil
}

// dropletAppeared looks a few times for the droplet of a request; nil if there is
// none even after a while.
func (c *Client) dropletAppeared(ctx context.Context, r CreateRequest) (*Droplet, error) {
	pause := lookPause
	for look := 1; ; look++ {
		found, err := c.dropletsLike(ctx, r)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return &found[0], nil
		}
		if look == looks {
			return nil, nil //nolint:nilnil // none is an answer here
		}
		if err := c.clock.Sleep(ctx, pause); err != nil {
			return nil, fmt.Errorf("look for the droplet again: %w", err)
		}
		pause *= 2
	}
}

// WaitForDroplet waits until a droplet is active and takes actions, and returns it
// with its addresses. It ends with a *TimeoutError (ErrTimeout) after timeout (0: 20
// minutes); the droplet goes on being made without us then. Phase may be nil.
func (c *Client) WaitForDroplet(ctx context.Context, id int, timeout time.Duration, phase func(string)) (Droplet, error) {
	if timeout <= 0 {
		timeout = defaultActionTimeout
	}
	deadline := c.clock.Now().Add(timeout)
	for {
		got, _, err := c.api.Droplets.Get(ctx, id)
		if err != nil {
			return Droplet{ID: id}, fmt.Errorf("wait for droplet %d: %w", id, explain(err, "droplet:read"))
		}
		droplet := toDroplet(*got)
		if Is(droplet.Status, StatusActive) && !droplet.Locked {
			return droplet, nil
		}
		if !c.clock.Now().Before(deadline) {
			return droplet, &TimeoutError{
				What: fmt.Sprintf("droplet %s (%d)", droplet.Name, id), Last: droplet.Status, After: timeout,
				Fix: "look at it in the control panel, then run the same command again",
			}
		}
		if phase != nil {
			phase(fmt.Sprintf("waiting for droplet %d (%s)", id, droplet.Status))
		}
		if err := c.clock.Sleep(ctx, c.poll); err != nil {
			return droplet, fmt.Errorf("wait for droplet %d: %w", id, err)
		}
	}
}

// DeleteDroplet deletes a droplet and its disk for good, if it carries all of the
// tags now; else it is left alone and the error is ErrForeign. It is fine if there
// is none.
func (c *Client) DeleteDroplet(ctx context.Context, id int, tags ...string) error {
	got, _, err := c.api.Droplets.Get(ctx, id)
	if err = explain(err, "droplet:read"); errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at droplet %d before deleting it: %w", id, err)
	}
	if d := toDroplet(*got); len(tags) == 0 || !d.Carries(tags...) {
		return fmt.Errorf("%w: droplet %s (%d) is not deleted, it does not carry the tags %q", ErrForeign, d.Name, id, tags)
	}
	_, err = c.api.Droplets.Delete(ctx, id)
	if err = explain(err, "droplet:delete"); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete droplet %d: %w", id, err)
	}
	return nil
}

// Carries says whether a droplet has all of the tags.
func (d Droplet) Carries(tags ...string) bool {
	for _, tag := range tags {
		if !slices.Contains(d.Tags, tag) {
			return false
		}
	}
	return true
}

// Size is a size of droplets.
type Size struct {
	Slug   string
	DiskGB int
	// PriceHourly and PriceMonthly are in US dollars.
	PriceHourly, PriceMonthly float64
	// Regions are those that have it; Available says whether it can be had at all.
	Regions   []string
	Available bool
}

// Sizes are the sizes that droplets can have.
func (c *Client) Sizes(ctx context.Context) ([]Size, error) {
	var sizes []Size
	for page := 1; ; page++ {
		some, resp, err := c.api.Sizes.List(ctx, &godo.ListOptions{Page: page, PerPage: perPage})
		if err != nil {
			return nil, fmt.Errorf("list the sizes of droplets: %w", explain(err, "sizes:read"))
		}
		for _, s := range some {
			sizes = append(sizes, Size{
				Slug: s.Slug, DiskGB: s.Disk, PriceHourly: s.PriceHourly, PriceMonthly: s.PriceMonthly,
				Regions: s.Regions, Available: s.Available,
			})
		}
		if len(some) == 0 || resp.Links == nil || resp.Links.IsLastPage() {
			return sizes, nil
		}
	}
}

// SSHKeys are the fingerprints of the account's SSH keys.
func (c *Client) SSHKeys(ctx context.Context) ([]string, error) {
	keys, err := everyPage(ctx, c.api.Keys.List, func(k godo.Key) int { return k.ID })
	if err != nil {
		return nil, fmt.Errorf("list the account's SSH keys: %w", explain(err, "ssh_key:read"))
	}
	fingerprints := make([]string, 0, len(keys))
	for _, k := range keys {
		fingerprints = append(fingerprints, k.Fingerprint)
	}
	return fingerprints, nil
}
