package ocean

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/digitalocean/godo"
	"golang.org/x/oauth2"
)

const (
	defaultBaseURL = "https://api.digitalocean.com/"
	defaultPoll    = 3 * time.Second
	perPage        = 200 // the API's maximum
)

// Config says how the API is reached.
type Config struct {
	Token string
	// BaseURL is the API's address; empty: https://api.digitalocean.com.
	BaseURL   string
	UserAgent string
	// Transport sends the requests; nil: a transport of its own.
	Transport http.RoundTripper
	// Clock is nil for the real one.
	Clock Clock
	// Poll is the first wait between two looks at something; 0: 3 s.
	Poll time.Duration
}

// Client speaks with DigitalOcean's API. It is safe for concurrent use.
type Client struct {
	api     *godo.Client
	clock   Clock
	poll    time.Duration
	watcher *watcher
}

// New makes a Client; it sends nothing. It fails on an empty token or an address
// that is none.
func New(cfg Config) (*Client, error) {
	token := strings.TrimSpace(cfg.Token)
	if token == "" {
		return nil, fmt.Errorf("%w: there is none; set %s to a token from https://cloud.digitalocean.com/account/api/tokens", ErrUnauthorized, tokenVariables)
	}
	base, err := baseURL(cfg.BaseURL)
	if err != nil {
		return nil, err
	}
	c := &Client{clock: cfg.Clock, poll: cfg.Poll}
	if c.clock == nil {
		c.clock = realClock{}
	}
	if c.poll <= 0 {
		c.poll = defaultPoll
	}
	transport := cfg.Transport
	if transport == nil {
		transport = http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one, unless a program replaced it
	}
	client := &http.Client{
		Transport: &oauth2.Transport{
			Source: oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token}),
			Base:   newRetrying(newPacer(transport, c.clock), c.clock),
		},
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := []godo.ClientOpt{godo.SetBaseURL(base)}
	if cfg.UserAgent != "" {
		options = append(options, godo.SetUserAgent(cfg.UserAgent))
	}
	if c.api, err = godo.New(client, options...); err != nil {
		return nil, fmt.Errorf("make a client of DigitalOcean's API: %w", err)
	}
	c.watcher = newWatcher(c)
	return c, nil
}

func baseURL(address string) (string, error) {
	if address == "" {
		return defaultBaseURL, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", fmt.Errorf("the API's address %q is not an http(s) URL: correct DIGITALOCEAN_API_URL or leave it out", address)
	}
	// Without the slash at its end, the last part of a path would be dropped.
	return strings.TrimSuffix(u.String(), "/") + "/", nil
}

// CustomImages are all custom images of the account, ours and others', the
// newest first.
func (c *Client) CustomImages(ctx context.Context) ([]Image, error) {
	all, err := everyPage(ctx, c.api.Images.ListUser, func(i godo.Image) int { return i.ID })
	if err != nil {
		return nil, fmt.Errorf("list the custom images: %w", explain(err, "image:read"))
	}
	return customImages(all), nil
}

// Droplets are all droplets of the account.
func (c *Client) Droplets(ctx context.Context) ([]Droplet, error) {
	all, err := everyPage(ctx, c.api.Droplets.List, func(d godo.Droplet) int { return d.ID })
	if err != nil {
		return nil, fmt.Errorf("list the droplets: %w", explain(err, "droplet:read"))
	}
	droplets := make([]Droplet, 0, len(all))
	for _, d := range all {
		droplets = append(droplets, toDroplet(d))
	}
	return droplets, nil
}

// Image is one image, whatever its kind. It is ErrNotFound if there is none.
func (c *Client) Image(ctx context.Context, id int) (Image, error) {
	got, _, err := c.api.Images.GetByID(ctx, id)
	if err != nil {
		return Image{}, fmt.Errorf("look at image %d: %w", id, explain(err, "image:read"))
	}
	return toImage(*got), nil
}

// DeleteImage deletes a custom image from all its regions; it is fine if there
// is none.
func (c *Client) DeleteImage(ctx context.Context, id int) error {
	_, err := c.api.Images.Delete(ctx, id)
	if err = explain(err, "image:delete"); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete custom image %d: %w", id, err)
	}
	return nil
}

// Account is whose token it is.
func (c *Client) Account(ctx context.Context) (Account, error) {
	got, _, err := c.api.Account.Get(ctx)
	if err != nil {
		return Account{}, fmt.Errorf("look at the account: %w", explain(err, "account:read"))
	}
	account := Account{Email: got.Email, Status: got.Status, DropletLimit: got.DropletLimit}
	if got.Team != nil {
		account.Team = got.Team.Name
	}
	return account, nil
}

// everyPage reads a list to its end. A list that changes while it is read can
// lose an entry between two pages, which a total that changed tells: it is then
// read once more, and the result holds what either reading saw. (An entry
// too many does no harm; a droplet that was overlooked could cost its image.)
func everyPage[T any](ctx context.Context, list func(context.Context, *godo.ListOptions) ([]T, *godo.Response, error), id func(T) int) ([]T, error) {
	var all []T
	seen := map[int]bool{}
	for range 2 {
		read, total, changed := map[int]bool{}, 0, false
		for page := 1; ; page++ {
			items, resp, err := list(ctx, &godo.ListOptions{Page: page, PerPage: perPage})
			if err != nil {
				return nil, err //nolint:wrapcheck // the caller says which list it is
			}
			for _, item := range items {
				read[id(item)] = true
				if !seen[id(item)] {
					seen[id(item)] = true
					all = append(all, item)
				}
			}
			if resp.Meta != nil {
				changed = changed || (page > 1 && resp.Meta.Total != total)
				total = resp.Meta.Total
			}
			if len(items) == 0 || resp.Links == nil || resp.Links.IsLastPage() {
				break
			}
		}
		if !changed && len(read) >= total {
			break
		}
	}
	return all, nil
}
