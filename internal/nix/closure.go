package nix

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// PathInfo is one path of a closure. NarSize is its size in bytes.
type PathInfo struct {
	Path    string
	NarSize int64
}

// Closure lists path and all that it needs at run time, ordered by path. It
// errors when path is not in the store: nothing is built or fetched for it.
func (c *Client) Closure(ctx context.Context, path string) ([]PathInfo, error) {
	stdout, said, err := c.json(ctx, Progress{}, "path-info", "--json", "--recursive", "--", path)
	if err != nil {
		return nil, said.askError("list the closure of "+path, err)
	}
	return parsePathInfo(stdout)
}

// parsePathInfo reads the array of older versions and the object keyed by path
// that Nix writes since 2.19; a path that is not valid may be null there.
func parsePathInfo(stdout []byte) ([]PathInfo, error) {
	type info struct {
		Path    string `json:"path"`
		NarSize int64  `json:"narSize"`
	}
	var paths []PathInfo
	if bytes.HasPrefix(bytes.TrimSpace(stdout), []byte("[")) {
		var list []info
		if err := json.Unmarshal(stdout, &list); err != nil {
			return nil, fmt.Errorf("read what nix path-info --json answered: %w", err)
		}
		for _, i := range list {
			paths = append(paths, PathInfo(i))
		}
	} else {
		var byPath map[string]*info
		if err := json.Unmarshal(stdout, &byPath); err != nil {
			return nil, fmt.Errorf("read what nix path-info --json answered: %w", err)
		}
		for path, i := range byPath {
			if i == nil {
				return nil, fmt.Errorf("%s is not in the Nix store", path)
			}
			paths = append(paths, PathInfo{Path: path, NarSize: i.NarSize})
		}
	}
	slices.SortFunc(paths, func(a, b PathInfo) int { return cmp.Compare(a.Path, b.Path) })
	return paths, nil
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
