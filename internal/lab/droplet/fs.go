package droplet

import (
	"errors"
	"fmt"
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

func (n *node) content() []byte {
	if n.read != nil {
		return n.read()
	}
	return n.data
}

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

// create opens a file for writing: emptied, or as it is. A new one gets perm.
func (v view) create(name string, truncate bool, perm fs.FileMode) (*node, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, dir, real, err := v.walk(name, true)
	switch {
	case n != nil && n.mode.IsDir():
		err = errors.New("is a directory")
	case n != nil && !v.may(n, 2), n == nil && dir != nil && !v.may(dir, 2):
		err = fs.ErrPermission
	case n == nil && dir != nil:
		n, err = &node{mode: perm.Perm(), owner: v.user, group: group(v.user), at: time.Now()}, nil
		dir.kids[path.Base(real)] = n
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if truncate {
		n.data, n.at = nil, time.Now()
	}
	return n, nil
}

func (v view) writeFile(name string, data []byte, perm fs.FileMode) error {
	n, err := v.create(name, true, perm)
	if err != nil {
		return err
	}
	v.append(n, data)
	return nil
}

func (v view) append(n *node, data []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n.data, n.at = append(n.data, data...), time.Now()
}

// put makes a file whatever stands in the way, with its directories; for what the
// system itself makes.
func (f *filesystem) put(name, data string, perm fs.FileMode) {
	root := view{f, "root"}
	_ = root.mkdirAll(path.Dir(name), 0o755)
	_ = root.writeFile(name, []byte(data), perm)
}

// proc makes a file that is made up when it is read.
func (f *filesystem) proc(name string, read func() []byte) {
	f.put(name, "", 0o444)
	f.mu.Lock()
	defer f.mu.Unlock()
	if n, _, _, err := f.walk(name, true); err == nil {
		n.read = read
	}
}

func (v view) mkdir(name string, perm fs.FileMode) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, dir, real, err := v.walk(name, true)
	switch {
	case n != nil:
		err = fs.ErrExist
	case dir != nil && !v.may(dir, 2):
		err = fs.ErrPermission
	case dir != nil:
		dir.kids[path.Base(real)], err = newDir(perm, v.user), nil
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	return nil
}

func (v view) mkdirAll(name string, perm fs.FileMode) error {
	name = path.Clean("/" + name)
	if i, err := v.stat(name, true); err == nil {
		if !i.IsDir() {
			return pathError("mkdir", name, fs.ErrExist)
		}
		return nil
	}
	if err := v.mkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return v.mkdir(name, perm)
}

func (v view) symlink(target, name string, force bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, dir, real, err := v.walk(name, false)
	switch {
	case n != nil && !force:
		err = fs.ErrExist
	case dir == nil && err != nil:
	case !v.may(dir, 2):
		err = fs.ErrPermission
	default:
		dir.kids[path.Base(real)] = &node{mode: fs.ModeSymlink | 0o777, link: target, owner: v.user, group: group(v.user), at: time.Now()}
		err = nil
	}
	if err != nil {
		return pathError("symlink", name, err)
	}
	return nil
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

func (v view) remove(name string, recursive bool) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, dir, real, err := v.walk(name, false)
	switch {
	case err != nil:
	case dir == nil:
		err = errors.New("device or resource busy")
	case !v.may(dir, 2):
		err = fs.ErrPermission
	case n.mode.IsDir() && len(n.kids) > 0 && !recursive:
		err = errors.New("directory not empty")
	default:
		delete(dir.kids, path.Base(real))
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	return nil
}

func (v view) rename(from, to string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, fromDir, fromReal, err := v.walk(from, false)
	if err != nil {
		return pathError("rename", from, err)
	}
	if fromDir == nil || !v.may(fromDir, 2) {
		return pathError("rename", from, fs.ErrPermission)
	}
	old, toDir, toReal, err := v.walk(to, false)
	switch {
	case toDir == nil && err != nil:
		return pathError("rename", to, err)
	case toDir == nil, !v.may(toDir, 2):
		return pathError("rename", to, fs.ErrPermission)
	case old != nil && old.mode.IsDir() != n.mode.IsDir():
		return pathError("rename", to, fs.ErrExist)
	}
	delete(fromDir.kids, path.Base(fromReal))
	toDir.kids[path.Base(toReal)] = n
	return nil
}

// alter changes a node's mode or owner; only root and the owner may.
func (v view) alter(name string, f func(*node)) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, _, _, err := v.walk(name, true)
	if err == nil && v.user != "root" && n.owner != v.user {
		err = errors.New("operation not permitted")
	}
	if err != nil {
		return pathError("change", name, err)
	}
	f(n)
	return nil
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

// mount puts a directory of another disk, such as a volume, at a path.
func (f *filesystem) mount(name string, dir *node) error {
	if err := (view{f, "root"}).mkdirAll(path.Dir(name), 0o755); err != nil {
		return fmt.Errorf("mount %s: %w", name, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	parent, _, _, err := f.walk(path.Dir(name), true)
	if err != nil {
		return fmt.Errorf("mount %s: %w", name, err)
	}
	parent.kids[path.Base(name)] = dir
	return nil
}
