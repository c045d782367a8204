package nix

import (
	"context"
	"errors"
)

// Evaluate says what each installable will be, in the order asked, without
// building anything.
func (c *Client) Evaluate(ctx context.Context, installables []string) ([]Output, error) {
	return nil, errors.ErrUnsupported
}

// Build evaluates the installables, then builds them in one nix build.
func (c *Client) Build(ctx context.Context, installables []string, p Progress) ([]Output, error) {
	return nil, errors.ErrUnsupported
}

// Realise builds what Evaluate found, in one nix build.
func (c *Client) Realise(ctx context.Context, outputs []Output, p Progress) error {
	return errors.ErrUnsupported
}
