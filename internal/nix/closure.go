package nix

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
)

// Closure lists path and all that it needs at run time, ordered by path. It
// errors when path is not in the store: nothing is built or fetched for it. Where the
// store's database can be read nix is not run at all.
func (c *Client) Closure(ctx context.Context, path string) ([]closure.Path, error) {
	if paths, err := c.databaseClosure(ctx, path); err == nil {
		return paths, nil
	}
	stdout, said, err := c.json(ctx, Progress{}, "path-info", "--json", "--recursive", "--", path)
	if err != nil {
		return nil, said.askError("list the closure of "+path, err)
	}
	paths, err := closure.Parse(bytes.NewReader(stdout))
	if err != nil {
		return nil, fmt.Errorf("list the closure of %s: nix path-info --json: %w", path, err)
	}
	return paths, nil
}

// ClosureIn lists a path and all that it needs at run time, as another store knows
// it: store is what nix takes for --store, such as a binary cache's address. Nothing
// but what it says of the paths is fetched. It errors when the store cannot be asked,
// or does not have all of the closure.
func (c *Client) ClosureIn(ctx context.Context, store, path string) ([]closure.Path, error) {
	what := "list the closure of " + path + " in " + withoutPassword(store)
	stdout, said, err := c.json(ctx, Progress{}, "path-info", "--store", store, "--json", "--recursive", "--", path)
	if err != nil {
		return nil, said.askError(what, err)
	}
	paths, err := closure.Parse(bytes.NewReader(stdout))
	if err != nil {
		return nil, fmt.Errorf("%s: nix path-info --json: %w", what, err)
	}
	return paths, nil
}

// withoutPassword is a store's address as it may be shown.
func withoutPassword(store string) string {
	address, err := url.Parse(store)
	if err != nil || address.User == nil {
		return store
	}
	return address.Redacted()
}

// askError says what nix answered to a question that is neither an evaluation
// nor a build.
func (t *transcript) askError(what string, err error) error {
	if len(t.faults) == 0 {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %s (%w)", what, t.faults[len(t.faults)-1].message(), err)
}

// Valid says whether path is in the store, whole. A file that a failed build
// left there is not valid. Nothing is built or fetched for the answer.
func (c *Client) Valid(ctx context.Context, path string) (bool, error) {
	_, said, err := c.json(ctx, Progress{}, "path-info", "--", path)
	switch {
	case err == nil:
		return true, nil
	case isOurs(ctx, err):
		return false, err
	}
	for _, f := range said.faults {
		if strings.HasSuffix(f.message(), "is not valid") {
			return false, nil
		}
	}
	return false, said.askError("ask for "+path, err)
}
