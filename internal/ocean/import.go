package ocean

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/digitalocean/godo"
)

const (
	// sends is how often a POST is sent at most, each time after a look showed
	// that the former one had no effect.
	sends = 3
	// looks is how often that is looked for, lookPause the first pause between
	// two looks: what was asked for may show up late.
	looks     = 3
	lookPause = 3 * time.Second
	// cleanupTime bounds removing what a refused request left behind.
	cleanupTime = 15 * time.Second
)

// Import asks DigitalOcean to fetch a custom image, and returns it as it is then:
// new. Where the answer was lost it looks for an image of that name that was not
// there before, and sends again only if there is none. A refused import can leave
// a broken image behind all the same; that one is deleted, and the error says so.
func (c *Client) Import(ctx context.Context, r ImportRequest) (Image, error) {
	doing := fmt.Sprintf("import custom image %s in %s", r.Name, r.Region)
	before, err := c.named(ctx, r.Name)
	if err != nil {
		return Image{}, fmt.Errorf("%s: see whether there is one of that name already: %w", doing, err)
	}
	for sent := 1; ; sent++ {
		image, err := c.postImage(ctx, r)
		switch {
		case err == nil:
			return image, nil
		case ctx.Err() != nil:
			return Image{}, fmt.Errorf("%s: %w; it may have been started all the same: a further run finds it by its name", doing, err)
		case !inDoubt(err):
			return Image{}, fmt.Errorf("%s: %w%s", doing, err, c.removeLeftovers(ctx, r.Name, before, err))
		}
		found, lookErr := c.appeared(ctx, r.Name, before)
		if lookErr != nil {
			return Image{}, fmt.Errorf("%s: %w; whether it was started could not be seen, so it was not asked for again: %w", doing, err, lookErr)
		}
		if found != nil {
			return *found, nil
		}
		if sent == sends {
			return Image{}, fmt.Errorf("%s: asked %d times, and no image appeared: %w", doing, sent, err)
		}
	}
}

func (c *Client) postImage(ctx context.Context, r ImportRequest) (Image, error) {
	got, _, err := c.api.Images.Create(ctx, &godo.CustomImageCreateRequest{
		Name: r.Name, Url: r.URL, Region: r.Region,
		Distribution: "Unknown", // there is no value for NixOS
		Description:  r.Description, Tags: r.Tags,
	})
	if err = explain(err, "image:create", "tag:create"); err != nil {
		return Image{}, importHint(withoutURL(err, r.URL))
	}
	if got == nil || got.ID == 0 {
		return Image{}, errors.New("POST /v2/images was accepted, but the answer holds no image")
	}
	return toImage(*got), nil
}

// withoutURL keeps a signed URL out of an error that quotes the API.
func withoutURL(err error, source string) error {
	var api *APIError
	if u, bad := url.Parse(source); errors.As(err, &api) && source != "" {
		api.Message = strings.ReplaceAll(api.Message, source, "the source URL")
		if bad == nil && u.RawQuery != "" {
			api.Message = strings.ReplaceAll(api.Message, u.RawQuery, "…")
		}
	}
	return err
}

func importHint(err error) error {
	var api *APIError
	if errors.As(err, &api) && unreachable(api) {
		api.Hint = "DigitalOcean fetches the image itself: the URL must answer HEAD and GET from outside; " +
			"if it is presigned, try delivery: public-read"
	}
	return err
}

func unreachable(e *APIError) bool {
	return e.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "unreachable")
}

// named are the custom images of that name.
func (c *Client) named(ctx context.Context, name string) ([]Image, error) {
	all, err := c.CustomImages(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(i Image) bool { return i.Name != name }), nil
}

// appeared looks for an image of that name that was not there before; nil if
// there is none even after a while.
func (c *Client) appeared(ctx context.Context, name string, before []Image) (*Image, error) {
	pause := lookPause
	for look := 1; ; look++ {
		now, err := c.named(ctx, name)
		if err != nil {
			return nil, err
		}
		if fresh := without(now, before); len(fresh) > 0 {
			return &fresh[0], nil
		}
		if look == looks {
			return nil, nil //nolint:nilnil // none is an answer here
		}
		if err := c.clock.Sleep(ctx, pause); err != nil {
			return nil, fmt.Errorf("look for the image again: %w", err)
		}
		pause *= 2
	}
}

func without(all, some []Image) []Image {
	return slices.DeleteFunc(slices.Clone(all), func(i Image) bool {
		return slices.ContainsFunc(some, func(b Image) bool { return b.ID == i.ID })
	})
}

// removeLeftovers deletes what a refused import left behind and says so. "Your
// source URL is unreachable" does that (nanovms/ops#1166).
func (c *Client) removeLeftovers(ctx context.Context, name string, before []Image, refused error) string {
	var api *APIError
	if !errors.As(refused, &api) || !unreachable(api) {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	now, err := c.named(ctx, name)
	if err != nil {
		return fmt.Sprintf("; it may have left an image of that name behind, which could not be seen: %v", err)
	}
	var said strings.Builder
	for _, i := range without(now, before) {
		if err := c.DeleteImage(ctx, i.ID); err != nil {
			fmt.Fprintf(&said, "; it left image %d behind all the same, which could not be deleted (%v): delete it in the control panel", i.ID, err)
			continue
		}
		fmt.Fprintf(&said, "; it left image %d behind all the same, which has been deleted", i.ID)
	}
	return said.String()
}
