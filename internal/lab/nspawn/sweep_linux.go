package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

func realTraces(stateDir string) traces {
	return traces{
		locks:      lockDir,
		cgroups:    cgroupRoots(),
		namespaces: namespaces,
		links:      "/sys/class/net",
		propagate:  "/run/systemd/nspawn/propagate",
		mountinfo:  "/proc/self/mountinfo",
		stateDirs:  []string{stateDir},
	}
}

// sweep removes what labs left behind that are no longer there, and returns their
// names. The caller holds the lock of all labs: nobody is just starting.
func (t traces) sweep(ctx context.Context) ([]string, error) {
	labs, err := t.find()
	if err != nil {
		return nil, err
	}
	var swept []string
	for id, left := range labs {
		alive, err := locked(left.lock)
		if err != nil {
			return swept, err
		}
		if alive {
			continue
		}
		if err := t.remove(ctx, left); err != nil {
			return swept, fmt.Errorf("clean up after the former lab %s: %w", id.name(), err)
		}
		swept = append(swept, id.name())
	}
	return swept, nil
}

// removeLab removes everything of one lab, whatever there is of it.
func (t traces) removeLab(ctx context.Context, id labID) error {
	labs, err := t.find()
	if err != nil {
		return err
	}
	if left := labs[id]; left != nil {
		return t.remove(ctx, left)
	}
	return nil
}

// remove goes from the inside out: processes, mounts, network, files. What it
// could not remove it goes on from; the lock file goes last and only if all went.
func (t traces) remove(ctx context.Context, f *found) error {
	var errs []error
	for _, name := range compact(f.cgroups) {
		errs = append(errs, cgroupOf(t.cgroups, name).destroy(ctx))
	}
	for _, point := range f.mounts {
		errs = append(errs, unmount(ctx, point))
	}
	for _, link := range f.links {
		errs = append(errs, deleteLink(ctx, link))
	}
	for _, ns := range f.namespaces {
		errs = append(errs, deleteNamespace(ctx, ns))
	}
	for _, dir := range f.propagate {
		errs = append(errs, removeAll(dir))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Nothing is mounted below them any more.
	for _, dir := range compact(f.dirs) {
		errs = append(errs, removeAll(dir))
	}
	return errors.Join(append(errs, removeAll(f.lock))...)
}

func removeAll(path string) error {
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

func compact(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// unmount takes a file system off; its loop device goes with it. What is not
// mounted is fine.
func unmount(ctx context.Context, point string) error {
	err := until(ctx, func() (bool, error) {
		err := syscall.Unmount(point, 0)
		switch {
		case err == nil, errors.Is(err, syscall.EINVAL), errors.Is(err, fs.ErrNotExist):
			return true, nil
		case errors.Is(err, syscall.EBUSY):
			return false, nil
		default:
			return false, fmt.Errorf("unmount %s: %w", point, err)
		}
	})
	if err != nil {
		return fmt.Errorf("take off the file system at %s: %w", point, err)
	}
	return nil
}
