package deploy

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// composedIn finds out what a system is made of from the store that was asked for
// beside the Space and this machine's own. why is why those do not know it; the error
// says that, and why the store does not know it either.
func (d *Deployer) composedIn(ctx context.Context, store, system string, why error) (composition, error) {
	if store == "" || system == "" || ctx.Err() != nil {
		return composition{}, why
	}
	paths, err := d.Nix.ClosureIn(ctx, store, system)
	if err != nil {
		return composition{}, fmt.Errorf("%w; nor does the store that was named say it: %w", why, err)
	}
	return composition{paths: paths, unknown: "a binary cache tells of packages alone"}, nil
}

// cached finds in the request's store the new systems that are still not known: those
// that were not to be built, or could not be.
func (c comparing) cached(ctx context.Context, store string, all []*comparison) {
	var group errgroup.Group
	group.SetLimit(8)
	for _, one := range all {
		if one.after != nil || one.before == nil || store == "" {
			continue
		}
		group.Go(func() error {
			why := errNotBuilt
			if one.why != "" {
				why = errors.New(one.why)
			}
			found, err := c.d.composedIn(ctx, store, one.plan.Want.Toplevel, why)
			if err != nil {
				one.why = firstLine(err)
				return nil
			}
			one.after = &found
			return nil
		})
	}
	_ = group.Wait() // what failed is in the outlook
}

// errNotBuilt is why a new system is not known that nobody wanted to build.
var errNotBuilt = errors.New("nothing was built")
