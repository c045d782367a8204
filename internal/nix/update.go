package nix

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
)

// Update brings inputs of a flake up to date: all of them, where none is named. The
// flake is in a git working tree, in the folder dir of it ("." is its top). Nothing but
// flake.lock is written. An input that the flake does not have is not noticed by nix:
// see Lock.Missing. The error is an *EvalError.
func (c *Client) Update(ctx context.Context, tree, dir string, inputs []string, p Progress) error {
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	// By its path, a tree beside a shallow clone is not known to be shallow.
	flake := "git+file://" + (&url.URL{Path: filepath.ToSlash(tree)}).EscapedPath() + "?shallow=1"
	if dir != "." {
		flake += "&dir=" + url.QueryEscape(filepath.ToSlash(dir))
	}
	var args []string
	switch named := atLeast(version, 2, 19); { // before, it took the flake: https://nix.dev/manual/nix/latest/release-notes/rl-2.19
	case named:
		args = append([]string{"flake", "update", "--flake", flake, "--"}, inputs...)
	case len(inputs) == 0:
		args = []string{"flake", "update", flake}
	default:
		args = []string{"flake", "lock", flake}
		for _, input := range inputs {
			args = append(args, "--update-input", input)
		}
	}
	_, said, err := c.json(ctx, p, args[0], args[1:]...)
	if err != nil {
		if isOurs(ctx, err) {
			return err
		}
		return fmt.Errorf("nix %s %s: %w", args[0], args[1], said.evalError([]string{flake}, tree, err))
	}
	return nil
}
