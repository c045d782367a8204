package nix

import (
	"context"
	"errors"
	"time"
)

// Metadata is what is known of a flake's sources.
type Metadata struct {
	// URL is the flake's address as nix resolved it.
	URL string
	// Revision is the git revision; empty where the tree is dirty or is no git tree.
	Revision string
	// Dirty says that the sources are not those of a revision.
	Dirty bool
	// LastModified is the commit's time, or the newest file's.
	LastModified time.Time
}

// Metadata asks about a flake.
func (c *Client) Metadata(ctx context.Context, flake string) (Metadata, error) {
	return Metadata{}, errors.ErrUnsupported
}

// Shown is what a flake offers.
type Shown struct {
	// Configurations are the names of its nixosConfigurations.
	Configurations []string
	// Images are the packages whose name has "image": "packages.x86_64-linux.web-image".
	Images []string
}

// Show lists what a flake offers, evaluating names only.
func (c *Client) Show(ctx context.Context, flake string) (Shown, error) {
	return Shown{}, errors.ErrUnsupported
}
