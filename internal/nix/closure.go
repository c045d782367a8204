package nix

import (
	"context"
	"errors"
)

// PathInfo is one path of a closure. NarSize is its size in bytes.
type PathInfo struct {
	Path    string
	NarSize int64
}

// Closure lists path and all that it needs at run time, ordered by path.
func (c *Client) Closure(ctx context.Context, path string) ([]PathInfo, error) {
	return nil, errors.ErrUnsupported
}
