package nspawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

const maxLinks = 40

// resolve follows the symbolic links of a path as the machine itself would, for
// which an absolute one begins at its own root: os.Root refuses those. What it
// returns is relative to the root and without links; it need not exist.
func resolve(root *os.Root, name string) (string, error) {
	done, todo := ".", strings.Split(path.Clean("/"+name), "/")
	for links := 0; len(todo) > 0; {
		next := path.Join("/", done, todo[0])[1:]
		todo = todo[1:]
		if next == "" {
			done = "."
			continue
		}
		info, err := root.Lstat(next)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look at /%s: %w", next, err)
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("look at /%s: too many links", name)
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", fmt.Errorf("read the link /%s: %w", next, err)
		}
		if path.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}
