package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	folderPrefix = "snowdrop-ssh-"
	// lockName is the file in a private folder that its process holds a lock on.
	lockName = "lock"
)

// privateFolder makes a folder whose path needs no quoting: OpenSSH hands it to a
// shell as it is (ProxyJump), and nix splits NIX_SSHOPTS at blanks. Those of processes
// that were killed are removed before, with the private keys in them.
func privateFolder() (string, *os.File, error) {
	parent := os.TempDir()
	if !plainPath(parent) {
		parent = "/tmp"
	}
	sweep(parent)
	dir, err := os.MkdirTemp(parent, folderPrefix)
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for OpenSSH's configuration: %w", err)
	}
	lock, err := hold(dir)
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("hold the folder for OpenSSH's configuration: %w", err), os.RemoveAll(dir))
	}
	return dir, lock, nil
}

// Close removes the folder and the private keys in it. Closing twice is fine.
func (o *OpenSSH) Close() error {
	err := removeFolder(o.dir)
	if o.lock != nil {
		_ = o.lock.Close() // it was a lock alone
		o.lock = nil
	}
	if err != nil {
		return fmt.Errorf("remove the folder with OpenSSH's configuration and private keys: %w", err)
	}
	return nil
}

// removeFolder removes a private folder: the lock last, so that whoever is killed
// meanwhile leaves a folder that is known to be nobody's.
func removeFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err //nolint:wrapcheck // said by the caller
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err //nolint:wrapcheck // as above
		}
	}
	return os.RemoveAll(dir) //nolint:wrapcheck // as above
}

// abandonable says whether a name is one that privateFolder gives.
func abandonable(name string) bool {
	number, ok := strings.CutPrefix(name, folderPrefix)
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// plainPath says whether neither a shell nor ssh_config sees more in a path than
// letters.
func plainPath(path string) bool {
	return path != "" && strings.IndexFunc(filepath.ToSlash(path), func(r rune) bool {
		return !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/:._-+", r)
	}) < 0
}
