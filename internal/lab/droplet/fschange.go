package droplet

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"
)

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
