package nix

import (
	"context"
	"errors"
)

func (c *Client) output(ctx context.Context, verb string, p Progress, args ...string) ([]byte, error) {
	return nil, errors.ErrUnsupported
}
