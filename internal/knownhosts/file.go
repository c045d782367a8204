package knownhosts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a known_hosts file, which need not be there yet.
type File struct {
	path string // with no link at its end
}

// Open finds the file: a link is followed, so that it stays one.
func Open(path string) (File, error) {
	for range 16 {
		to, err := os.Readlink(path)
		switch {
		case errors.Is(err, fs.ErrNotExist), err != nil && isFile(path):
			return File{path}, nil
		case err != nil:
			return File{}, fmt.Errorf("find the known_hosts file: %s is no ordinary file: %w", path, err)
		case !filepath.IsAbs(to):
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return File{}, fmt.Errorf("find the known_hosts file: %s is a link without end", path)
}

func isFile(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// Path is where the file is.
func (f File) Path() string { return f.path }

// Backup is where Update puts the file as it was.
func (f File) Backup() string { return f.path + ".old" }

// Read returns the file's text; none if there is no file.
func (f File) Read() ([]byte, error) {
	text, err := os.ReadFile(f.path) //nolint:gosec // the file that was asked for
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the known_hosts file: %w", err)
	}
	return text, nil
}

// Update replaces the file by what edit makes of it, as a whole or not at all,
// with the mode and the owner that it had, and keeps the former one as Backup.
// If nothing changes, nothing is written. Others that use Update wait; what ssh
// has added in the meantime is not lost: edit is called again then.
func (f File) Update(ctx context.Context, edit func(text []byte) ([]byte, error)) error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the known_hosts file: %w", err)
	}
	unlock, err := lock(ctx, dir)
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	defer unlock()
	for {
		before, err := f.Read()
		if err != nil {
			return err
		}
		after, err := edit(before)
		if err != nil {
			return err
		}
		if bytes.Equal(before, after) {
			return nil
		}
		done, err := f.replace(before, after)
		if err != nil {
			return fmt.Errorf("write %s, which is as it was: %w", f.path, err)
		}
		if done {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("write %s, which others write all the time: %w", f.path, err)
		}
	}
}

// replace puts the new text in the place of the old one. It is not done if the
// file is no longer what it was.
func (f File) replace(before, after []byte) (done bool, err error) {
	temp, err := os.CreateTemp(filepath.Dir(f.path), ".known_hosts-*")
	if err != nil {
		return false, err //nolint:wrapcheck // it says which file
	}
	defer func() { _ = os.Remove(temp.Name()) }() // it is gone if all went well
	info, err := os.Stat(f.path)
	there := err == nil
	if there {
		err = errors.Join(temp.Chmod(info.Mode().Perm()), keepOwner(temp, info))
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil // CreateTemp's mode, 0600, is the right one
	}
	if err == nil {
		_, err = temp.Write(after)
	}
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return false, err
	}
	now, err := f.Read()
	if err != nil || !bytes.Equal(now, before) {
		return false, err
	}
	if there {
		if err := f.backUp(before, info.Mode().Perm()); err != nil {
			return false, err
		}
	}
	if err := os.Rename(temp.Name(), f.path); err != nil {
		return false, err //nolint:wrapcheck // it says which file
	}
	syncFolder(filepath.Dir(f.path))
	return true, nil
}

// backUp keeps the file under its second name, as ssh-keygen does.
func (f File) backUp(text []byte, mode fs.FileMode) error {
	if err := os.Remove(f.Backup()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replace the backup: %w", err)
	}
	if os.Link(f.path, f.Backup()) == nil {
		return nil
	}
	if err := os.WriteFile(f.Backup(), text, mode); err != nil { // a file system without links
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}
