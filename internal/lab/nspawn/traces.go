package nspawn

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// traces says where labs leave something on a machine.
type traces struct {
	locks      string   // lock files: one a lab, locked for as long as it lives
	cgroups    []string // roots of hierarchies
	namespaces string   // named network namespaces
	links      string   // network links, as in /sys/class/net
	propagate  string   // directories of systemd-nspawn, one a machine
	mountinfo  string
	stateDirs  []string // where directories of labs may lie
}

const (
	namespaces = "/run/netns"
	lockDir    = "/run/snowdrop-lab"
	rootDir    = "root"
)

// lockContent is what a lab writes to its lock file for whoever cleans up after it.
type lockContent struct {
	PID int    `json:"pid"`
	Dir string `json:"dir"`
}

// found is what there is of one lab.
type found struct {
	lock       string // path of the lock file; it need not be there
	dirs       []string
	cgroups    []string // names
	namespaces []string
	links      []string
	propagate  []string
	mounts     []string
}

// find lists everything that carries the name of a lab, by lab. It looks only.
func (t traces) find() (map[labID]*found, error) {
	labs := map[labID]*found{}
	lab := func(id labID) *found {
		if labs[id] == nil {
			labs[id] = &found{lock: filepath.Join(t.locks, id.lockFile())}
		}
		return labs[id]
	}
	var errs []error
	each := func(dir string, add func(*found, string)) {
		errs = append(errs, eachEntry(dir, func(name string) {
			if id, ok := ownerOf(name); ok {
				add(lab(id), name)
			}
		}))
	}
	for _, root := range t.cgroups {
		each(root, func(f *found, name string) { f.cgroups = append(f.cgroups, name) })
	}
	each(t.namespaces, func(f *found, name string) { f.namespaces = append(f.namespaces, name) })
	each(t.propagate, func(f *found, name string) {
		f.propagate = append(f.propagate, filepath.Join(t.propagate, name))
	})
	each(t.locks, func(f *found, name string) {
		if dir, ok := lockedDir(filepath.Join(t.locks, name)); ok {
			f.dirs = append(f.dirs, dir)
		}
	})
	for _, parent := range t.stateDirs {
		each(parent, func(f *found, name string) { f.dirs = append(f.dirs, filepath.Join(parent, name)) })
	}
	errs = append(errs, eachEntry(t.links, func(name string) {
		alias, _ := os.ReadFile(filepath.Join(t.links, name, "ifalias")) //nolint:gosec // A file of the kernel.
		if id, ok := ownerOfLink(name, string(alias)); ok {
			lab(id).links = append(lab(id).links, name)
		}
	}), t.findMounts(lab))
	return labs, errors.Join(errs...)
}

func (t traces) findMounts(lab func(labID) *found) error {
	table, err := os.Open(t.mountinfo)
	if err != nil {
		return fmt.Errorf("look for mounts of former labs: %w", err)
	}
	defer table.Close()
	mounts, err := mountsOfLabs(table)
	for id, points := range mounts {
		lab(id).mounts = append(lab(id).mounts, points...)
	}
	return err
}

// lockedDir reads the lab's directory off a lock file. It must be named after the
// lab, so that a damaged file leads nowhere.
func lockedDir(path string) (string, bool) {
	text, err := os.ReadFile(path) //nolint:gosec // A file in this package's own directory.
	if err != nil {
		return "", false
	}
	var content lockContent
	if json.Unmarshal(text, &content) != nil || !filepath.IsAbs(content.Dir) {
		return "", false
	}
	return content.Dir, filepath.Base(content.Dir)+".lock" == filepath.Base(path)
}

func eachEntry(dir string, visit func(name string)) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for former labs: %w", err)
	}
	for _, entry := range entries {
		// An unfinished lock file or a lock file of systemd-nspawn is none of ours.
		if !strings.HasPrefix(entry.Name(), ".") {
			visit(entry.Name())
		}
	}
	return nil
}
