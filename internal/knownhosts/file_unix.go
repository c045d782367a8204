//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package knownhosts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lock takes the lock on the folder, which the system gives back when the process
// ends, however it ends; so no lock file is left behind.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	folder, err := os.Open(dir) //nolint:gosec // the folder of the file that was asked for
	if err != nil {
		return nil, err //nolint:wrapcheck // said by the caller
	}
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a file descriptor is a small number
		switch {
		case err == nil:
			return func() { _ = folder.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return nil, errors.Join(err, folder.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("somebody else holds it: %w", context.Cause(ctx)), folder.Close())
		case <-time.After(lockPoll):
		}
	}
}

const lockPoll = 50 * time.Millisecond

// keepOwner gives the new file to whom the old one belongs.
func keepOwner(temp *os.File, old fs.FileInfo) error {
	info, err := temp.Stat()
	if err != nil {
		return err //nolint:wrapcheck // it says which file
	}
	was, ok := old.Sys().(*syscall.Stat_t)
	is, also := info.Sys().(*syscall.Stat_t)
	if !ok || !also || was.Uid == is.Uid && was.Gid == is.Gid {
		return nil
	}
	if err := temp.Chown(int(was.Uid), int(was.Gid)); err != nil {
		return fmt.Errorf("keep the file's owner: %w", err)
	}
	return nil
}

// syncFolder makes a rename last. Some file systems refuse it for folders, and
// need none.
func syncFolder(dir string) {
	folder, err := os.Open(dir) //nolint:gosec // the folder of the file that was asked for
	if err != nil {
		return
	}
	_ = folder.Sync()
	_ = folder.Close()
}
