package nix

import (
	"context"
	"fmt"
)

// Update brings inputs of the flake in a folder (or above it, as nix looks for one) up
// to date: all of them, where none is named. Nothing but flake.lock is written. An
// input that the flake does not have is not noticed by nix: see Lock.Missing. The error
// is an *EvalError.
func (c *Client) Update(ctx context.Context, dir string, inputs []string, p Progress) error {
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	args := []string{"flake", "update"}
	switch {
	case len(inputs) == 0:
	case atLeast(version, 2, 19): // before, it took the flake: https://nix.dev/manual/nix/latest/release-notes/rl-2.19
		args = append(args, "--")
		args = append(args, inputs...)
	default:
		args[1] = "lock"
		for _, input := range inputs {
			args = append(args, "--update-input", input)
		}
	}
	cfg := c.cfg
	cfg.Dir = dir
	there := &Client{cfg: cfg, grace: c.grace}
	_, said, err := there.json(ctx, p, args[0], args[1:]...)
	if err != nil {
		if isOurs(ctx, err) {
			return err
		}
		return fmt.Errorf("nix %s %s: %w", args[0], args[1], said.evalError([]string{"."}, dir, err))
	}
	return nil
}
