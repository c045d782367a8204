package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// cgroupRoots are the hierarchies that systemd uses on this machine: one where
// there are only version 2 control groups, up to two where version 1 is mixed in.
func cgroupRoots() []string {
	const root = "/sys/fs/cgroup"
	if _, err := os.Stat(root + "/cgroup.controllers"); err == nil {
		return []string{root}
	}
	var roots []string
	for _, dir := range []string{root + "/unified", root + "/systemd"} {
		if _, err := os.Stat(dir + "/cgroup.procs"); err == nil {
			roots = append(roots, dir)
		}
	}
	return roots
}

// cgroup is a machine's control group, in each hierarchy. Two machines must not
// share one: their systemds would take each other's units for their own. It is
// also how all processes of a machine are found, by whoever started them.
type cgroup struct {
	dirs []string
}

func cgroupOf(roots []string, name string) cgroup {
	var g cgroup
	for _, root := range roots {
		g.dirs = append(g.dirs, filepath.Join(root, name))
	}
	return g
}

func (g cgroup) create() error {
	if len(g.dirs) == 0 {
		return errors.New("no control groups are mounted at /sys/fs/cgroup")
	}
	for _, dir := range g.dirs {
		if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the machine's control group: %w", err)
		}
	}
	return nil
}

// payload are the processes inside of the machine, without systemd-nspawn itself.
func (g cgroup) payload() []int {
	var pids []int
	for _, dir := range g.dirs {
		pids = append(pids, processes(filepath.Join(dir, "payload"))...)
	}
	return pids
}

func (g cgroup) processes() []int {
	var pids []int
	for _, dir := range g.dirs {
		pids = append(pids, processes(dir)...)
	}
	return pids
}

// destroy kills all processes of the group, waits for their end and removes it.
func (g cgroup) destroy(ctx context.Context) error {
	err := until(ctx, func() (bool, error) {
		left := g.processes()
		kill(left)
		return len(left) == 0, nil
	})
	if err != nil {
		return fmt.Errorf("end the processes in %s (%v are left): %w", strings.Join(g.dirs, ", "), g.processes(), err)
	}
	// A group can be busy for a moment after its last process was reaped.
	var last error
	err = until(ctx, func() (bool, error) {
		last = g.remove()
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(last, err)
	}
	return nil
}

func (g cgroup) remove() error {
	for _, dir := range g.dirs {
		dirs := directories(dir)
		slices.Reverse(dirs)
		for _, d := range dirs {
			if err := syscall.Rmdir(d); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove the control group %s: %w", d, err)
			}
		}
	}
	return nil
}

func kill(pids []int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // Gone already is as good.
	}
}

// processes lists those of a control group and of all below it.
func processes(dir string) []int {
	var pids []int
	for _, d := range directories(dir) {
		list, err := os.ReadFile(filepath.Join(d, "cgroup.procs")) //nolint:gosec // A control group of the lab.
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(list)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// directories lists dir and all below it, parents first. What vanishes meanwhile
// is left out.
func directories(dir string) []string {
	var dirs []string
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}
