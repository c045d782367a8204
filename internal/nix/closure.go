package nix

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
		if isOurs(ctx, err) || len(said.faults) == 0 {
			return nil, fmt.Errorf("list the closure of %s: %w", path, err)
		}
		return nil, fmt.Errorf("list the closure of %s: %s", path, said.faults[len(said.faults)-1].message())
	}
	return parsePathInfo(stdout)
}

// parsePathInfo reads the array of older versions and the object keyed by path
// that Nix writes since 2.19. A path that is not valid is null in both.
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
