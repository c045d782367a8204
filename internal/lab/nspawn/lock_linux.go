package nspawn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lock takes a file lock and waits for it. The kernel gives it back when the
// process ends, however it ends: that is how a dead lab is told from a live one.
func lock(ctx context.Context, path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // A file in this package's own directory.
	if err != nil {
		return nil, fmt.Errorf("open the lock file: %w", err)
	}
	err = until(ctx, func() (bool, error) {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("flock: %w", err)
		}
		return true, nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return file, nil
}

// lockLab locks the file that says that a lab is alive, and writes to it where the
// lab's files are.
func lockLab(ctx context.Context, id labID, dir string) (*os.File, error) {
	file, err := lock(ctx, filepath.Join(lockDir, id.lockFile()))
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(lockContent{PID: os.Getpid(), Dir: dir})
	if err == nil {
		_, err = file.Write(content)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write %s: %w", file.Name(), err), file.Close())
	}
	return file, nil
}

// locked says whether a live process holds the lock. No file, no process.
func locked(path string) (bool, error) {
	file, err := os.Open(path) //nolint:gosec // A file in this package's own directory.
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of a former lab: %w", err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock of a former lab: %w", err)
	}
	return false, nil
}
