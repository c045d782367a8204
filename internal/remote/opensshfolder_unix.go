//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package remote

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// hold takes the lock on a new private folder. The system gives it back when the
// process ends, however it ends; programs that it starts do not have it. The file gets
// its name when the lock is held already, so that nobody finds it free meanwhile.
// Where the file system knows no locks there is no such file: the folder is then never
// swept, which must keep nobody from their work.
func hold(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	file, err := os.OpenFile(name+".new", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // in the folder that was just made
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	if tryLock(file) != nil {
		return nil, errors.Join(file.Close(), os.Remove(name+".new"))
	}
	if err := os.Rename(name+".new", name); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func tryLock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec,wrapcheck // a file descriptor is a small number; said by the caller
}

// sweep removes the private folders that processes left which were killed: those with
// our name, of this user and for nobody else, whose lock nobody holds. It is done
// beside what was asked for, so that what cannot be looked at is left as it is.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !abandonable(e.Name()) || !e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil || info.Mode() != os.ModeDir|0o700 {
			continue
		}
		if owner, ok := info.Sys().(*syscall.Stat_t); !ok || int(owner.Uid) != os.Geteuid() {
			continue
		}
		dir := filepath.Join(parent, e.Name())
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0) //nolint:gosec // in a folder that is ours alone
		if err != nil {
			continue
		}
		if tryLock(lock) == nil {
			_ = removeFolder(dir)
		}
		_ = lock.Close()
	}
}
