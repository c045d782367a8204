package ocean

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Clock tells and passes the time.
type Clock interface {
	Now() time.Time
	// Sleep returns early with the context's error when it ends.
	Sleep(ctx context.Context, d time.Duration) error
}

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
type Client struct{}

var errSoon = errors.New("not there yet")

// New makes a Client; it sends nothing.
func New(Config) (*Client, error) { return nil, errSoon }

// CustomImages are all custom images of the account, newest first.
func (c *Client) CustomImages(ctx context.Context) ([]Image, error) { return nil, errSoon }

// Droplets are all droplets of the account.
func (c *Client) Droplets(ctx context.Context) ([]Droplet, error) { return nil, errSoon }

// Import starts the import of a custom image.
func (c *Client) Import(ctx context.Context, r ImportRequest) (Image, error) { return Image{}, errSoon }

// WaitForImage waits until an image is available.
func (c *Client) WaitForImage(ctx context.Context, id int, timeout time.Duration, phase func(string)) (Image, error) {
	return Image{}, errSoon
}

// Transfer makes an image available in further regions.
func (c *Client) Transfer(ctx context.Context, imageID int, regions []string, timeout time.Duration, phase func(string)) (Image, error) {
	return Image{}, errSoon
}

// Rebuild starts the rebuild of a droplet.
func (c *Client) Rebuild(ctx context.Context, dropletID, imageID int) (Action, error) {
	return Action{}, errSoon
}

// WaitForAction waits until an action has completed.
func (c *Client) WaitForAction(ctx context.Context, a Action, timeout time.Duration, phase func(string)) (Action, error) {
	return Action{}, errSoon
}

// DeleteImage deletes a custom image; it is fine if there is none.
func (c *Client) DeleteImage(ctx context.Context, id int) error { return errSoon }

// Account is whose token it is.
func (c *Client) Account(ctx context.Context) (Account, error) { return Account{}, errSoon }
