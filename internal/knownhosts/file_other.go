//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package knownhosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// lock makes a file that nobody else can make meanwhile.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	name := filepath.Join(dir, "known_hosts.snowdrop-lock")
	for {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		switch {
		case err == nil:
			return func() {
				_ = file.Close()
				_ = os.Remove(name)
			}, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, err //nolint:wrapcheck // said by the caller
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is there; if no other snowdrop runs, delete it: %w", name, context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}

const lockPoll = 50 * time.Millisecond

// keepOwner has nothing to do: files have no owner here that a new one would lose.
func keepOwner(*os.File, fs.FileInfo) error { return nil }

// syncFolder has nothing to do: a rename lasts.
func syncFolder(string) {}
