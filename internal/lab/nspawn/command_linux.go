package nspawn

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// How often a condition is looked at that the kernel does not tell about.
const tick = 5 * time.Millisecond

// run runs a program to its end; an error holds what it wrote.
func run(ctx context.Context, program string, args ...string) error {
	return runWith(ctx, "", program, args...)
}

func runWith(ctx context.Context, stdin, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // The programs are constants, and no shell is involved.
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// until waits for a condition, looking at it every tick.
func until(ctx context.Context, condition func() (bool, error)) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if done, err := condition(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
}
