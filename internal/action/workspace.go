package action

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// giveBack gives what this run wrote into the workspace to the workspace's owner:
// a container action is root, and the steps after it are not. Only what is root's
// and was changed since the run began is touched.
func giveBack(workspace string, since time.Time) error {
	if workspace == "" || since.IsZero() || os.Geteuid() != 0 {
		return nil
	}
	// Whatever links the repository holds, nothing outside of the workspace is reached.
	root, err := os.OpenRoot(workspace)
	if err != nil {
		return fmt.Errorf("open the workspace: %w", err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(".")
	if err != nil {
		return fmt.Errorf("find out whose the workspace is: %w", err)
	}
	uid, gid, ok := ownerOf(info)
	if !ok || uid == 0 {
		return nil
	}
	var faults []error
	_ = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is not ours
		}
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // it is gone meanwhile
		}
		whose, _, ok := ownerOf(info)
		if !ok || whose != 0 || info.ModTime().Before(since.Truncate(time.Second)) {
			return nil
		}
		if err := root.Lchown(name, uid, gid); err != nil {
			faults = append(faults, err)
		}
		return nil
	})
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("give the files that were written back to the workspace's owner: %w", err)
	}
	return nil
}
