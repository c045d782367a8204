package droplet

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// node is a file, a directory or a symbolic link. A file with read set is made up
// when it is read, as those below /proc are.
type node struct {
	mode         fs.FileMode
	owner, group string
	data         []byte
	link         string
	kids         map[string]*node
	at           time.Time
	read         func() []byte
}

// filesystem is the disk of a simulated droplet, in memory.
type filesystem struct {
	mu   sync.Mutex
	root *node
}

// view is the file system as one user sees it. Paths are absolute.
type view struct {
	*filesystem
	user string
}

func newDir(mode fs.FileMode, owner string) *node {
	return &node{mode: fs.ModeDir | mode, owner: owner, group: group(owner), kids: map[string]*node{}, at: time.Now()}
}

func newFilesystem() *filesystem {
	return &filesystem{root: newDir(0o755, "root")}
}

// group is a user's primary group.
func group(user string) string {
	if user == "root" {
		return "root"
	}
	return "users"
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

var errLoop = errors.New("too many levels of symbolic links")

// walk finds what a path leads to. real is the path without symbolic links; with a
// missing last element n is nil and err wraps fs.ErrNotExist, while real and dir
// are still good.
func (f *filesystem) walk(name string, follow bool) (n, dir *node, real string, err error) {
	return f.walkFrom(path.Clean("/"+name), follow, 40)
}

func (f *filesystem) walkFrom(name string, follow bool, depth int) (n, dir *node, real string, err error) {
	if depth == 0 {
		return nil, nil, "", errLoop
	}
	n, real = f.root, "/"
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '/' })
	for i, part := range parts {
		if !n.mode.IsDir() {
			return nil, nil, "", errors.New("not a directory")
		}
		dir = n
		next := dir.kids[part]
		last := i == len(parts)-1
		switch {
		case next == nil && last:
			return nil, dir, path.Join(real, part), fs.ErrNotExist
		case next == nil:
			return nil, nil, "", fs.ErrNotExist
		case next.mode&fs.ModeSymlink != 0 && (follow || !last):
			target := next.link
			if !path.IsAbs(target) {
				target = path.Join(real, target)
			}
			return f.walkFrom(path.Join(append([]string{target}, parts[i+1:]...)...), follow, depth-1)
		}
		n, real = next, path.Join(real, part)
	}
	return n, dir, real, nil
}

// may says whether the user has a permission (4 read, 2 write, 1 search) on a node.
func (v view) may(n *node, bit fs.FileMode) bool {
	if v.user == "root" {
		return true
	}
	if n.owner == v.user {
		return n.mode.Perm()>>6&bit != 0
	}
	if n.group == group(v.user) {
		return n.mode.Perm()>>3&bit != 0
	}
	return n.mode.Perm()&bit != 0
}

type info struct {
	name string
	n    *node
	size int64
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.n.mode }
func (i info) ModTime() time.Time { return i.n.at }
func (i info) IsDir() bool        { return i.n.mode.IsDir() }
func (i info) Sys() any           { return i.n }

func (v view) stat(name string, follow bool) (info, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, _, _, err := v.walk(name, follow)
	if err != nil {
		return info{}, pathError("stat", name, err)
	}
	copied := *n
	copied.kids = nil
	return info{path.Base(name), &copied, int64(len(n.data))}, nil
}

func (v view) readFile(name string) ([]byte, error) {
	v.mu.Lock()
	n, _, _, err := v.walk(name, true)
	switch {
	case err != nil:
	case n.mode.IsDir():
		err = errors.New("is a directory")
	case !v.may(n, 4):
		err = fs.ErrPermission
	}
	if err != nil {
		v.mu.Unlock()
		return nil, pathError("open", name, err)
	}
	read, data := n.read, slices.Clone(n.data)
	v.mu.Unlock()
	if read != nil {
		return read(), nil
	}
	return data, nil
}

// realPath is what readlink -f prints: every element but the last must exist.
func (v view) realPath(name string) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, _, real, err := v.walk(name, true)
	if err != nil && real == "" {
		return "", pathError("readlink", name, err)
	}
	return real, nil
}

// readDir lists a directory in the order of names.
func (v view) readDir(name string) ([]fs.DirEntry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, _, _, err := v.walk(name, true)
	if err == nil && !n.mode.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	var entries []fs.DirEntry
	for name, kid := range n.kids {
		copied := *kid
		copied.kids = nil
		entries = append(entries, fs.FileInfoToDirEntry(info{name, &copied, int64(len(kid.data))}))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}
