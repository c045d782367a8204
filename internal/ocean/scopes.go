package ocean

import (
	"context"
	"errors"
	"fmt"

	"github.com/digitalocean/godo"
)

// ScopeResult says of one scope of the token whether it works.
type ScopeResult struct {
	// Scope is DigitalOcean's name, such as "image:read".
	Scope string
	// Checked is false for scopes that change things: they cannot be tried
	// without changing something.
	Checked, OK bool
	// Optional says that snowdrop gets along without it.
	Optional bool
	// For says what snowdrop needs it for.
	For string
	// Err is why it does not work; nil if it does or was not checked.
	Err error
}

// String is the result in one line.
func (r ScopeResult) String() string {
	switch {
	case !r.Checked:
		return fmt.Sprintf("%s: not checked, it cannot be tried without changing something; needed to %s", r.Scope, r.For)
	case r.OK:
		return r.Scope + ": works"
	case r.Optional:
		return fmt.Sprintf("%s: does not work, which is fine; it would serve to %s", r.Scope, r.For)
	default:
		return fmt.Sprintf("%s: does not work, and is needed to %s: %v", r.Scope, r.For, r.Err)
	}
}

// Probe tries with harmless reads which scopes of the token work. The scopes that
// change things are listed too, as not checked.
func (c *Client) Probe(ctx context.Context) []ScopeResult {
	one := &godo.ListOptions{PerPage: 1}
	results := []ScopeResult{
		probe("account:read", "show whose token it is", true, func() error { _, _, err := c.api.Account.Get(ctx); return explain(err, "account:read") }),
		probe("image:read", "find custom images and wait for them", false, func() error { _, _, err := c.api.Images.ListUser(ctx, one); return explain(err, "image:read") }),
		probe("droplet:read", "find the droplets and what runs on them", false, func() error { _, _, err := c.api.Droplets.List(ctx, one); return explain(err, "droplet:read") }),
		probe("actions:read", "wait for many actions with one request", true, func() error { _, _, err := c.api.Actions.List(ctx, one); return explain(err, "actions:read") }),
		probe("tag:read", "see the tags of droplets and images", false, func() error { _, _, err := c.api.Tags.List(ctx, one); return explain(err, "tag:read") }),
	}
	for _, r := range results {
		if errors.Is(r.Err, ErrUnauthorized) {
			return results // the token as a whole is not accepted
		}
	}
	for _, w := range [][2]string{
		{"image:create", "import a custom image"},
		{"tag:create", "mark custom images as snowdrop's"},
		{"image:update", "transfer a custom image to further regions"},
		{"image:delete", "delete custom images that are no longer needed"},
		{"droplet:update", "rebuild droplets"},
		{"droplet:admin", "rebuild droplets"},
	} {
		results = append(results, ScopeResult{Scope: w[0], For: w[1]})
	}
	return results
}

// ProbePreviews is Probe for what previews need beside that. keys says that their
// droplets let in the account's SSH keys, which have to be read for that.
func (c *Client) ProbePreviews(ctx context.Context, keys bool) []ScopeResult {
	one := &godo.ListOptions{PerPage: 1}
	results := []ScopeResult{
		probe("sizes:read", "choose a preview's size and say what it costs", false, func() error { _, _, err := c.api.Sizes.List(ctx, one); return explain(err, "sizes:read") }),
	}
	if keys {
		results = append(results, probe("ssh_key:read", "let the account's SSH keys in to previews", false, func() error { _, _, err := c.api.Keys.List(ctx, one); return explain(err, "ssh_key:read") }))
	}
	return append(results,
		ScopeResult{Scope: "droplet:create", For: "make the droplets of previews"},
		ScopeResult{Scope: "droplet:delete", For: "delete the droplets of previews"},
	)
}

// probe tries a scope by a harmless read.
func probe(scope, need string, optional bool, read func() error) ScopeResult {
	err := read()
	if err != nil {
		err = fmt.Errorf("try %s: %w", scope, err)
	}
	return ScopeResult{Scope: scope, Checked: true, OK: err == nil, Optional: optional, For: need, Err: err}
}
