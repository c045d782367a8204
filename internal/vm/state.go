package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrRunning says that the machine runs already.
var ErrRunning = errors.New("the virtual machine runs already")

// State is the folder in which a machine keeps its disk from one run to the next.
// Whoever opened it closes it.
type State struct {
	// Dir is the folder, Disk the file of its disk.
	Dir, Disk string
	lock      *os.File
}

// OpenState makes the folder of a server of a fleet file and holds it, so that nobody
// starts the machine twice: ErrRunning then. The disk is where NIX_DISK_IMAGE says, as
// for the script alone, else in the folder, below XDG_STATE_HOME.
func OpenState(getenv func(string) string, fleetFile, server string) (*State, error) {
	dir, err := stateDir(getenv, fleetFile, server)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for the state of the virtual machine: %w", err)
	}
	s := &State{Dir: dir, Disk: filepath.Join(dir, server+".qcow2")}
	if own := getenv("NIX_DISK_IMAGE"); own != "" {
		if s.Disk, err = filepath.Abs(own); err != nil {
			return nil, fmt.Errorf("find NIX_DISK_IMAGE: %w", err)
		}
	}
	if s.lock, err = lock(filepath.Join(dir, "lock")); err != nil {
		return nil, fmt.Errorf("take the state of the virtual machine in %s: %w", dir, err)
	}
	return s, nil
}

// stateDir tells servers of the same name in two fleets apart.
func stateDir(getenv func(string) string, fleetFile, server string) (string, error) {
	root := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(root) { // as the XDG specification demands
		home := getenv("HOME")
		if home == "" {
			return "", errors.New("there is no place for the state of the virtual machine: set XDG_STATE_HOME or HOME to a folder")
		}
		root = filepath.Join(home, ".local", "state")
	}
	file, err := filepath.Abs(fleetFile)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", fleetFile, err)
	}
	sum := sha256.Sum256([]byte(file))
	return filepath.Join(root, "snowdrop", "vm", server+"-"+hex.EncodeToString(sum[:4])), nil
}

// Reset removes the disk and what else the script keeps in the folder, and returns
// what was removed.
func (s *State) Reset() ([]string, error) {
	var gone []string
	paths := []string{s.Disk}
	for _, pattern := range []string{"*.qcow2", "*-efi-vars.fd", "*-swtpm"} {
		found, err := filepath.Glob(filepath.Join(s.Dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("look into %s: %w", s.Dir, err)
		}
		for _, path := range found {
			if path != s.Disk {
				paths = append(paths, path)
			}
		}
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && info.IsDir() && path == s.Disk:
			return gone, fmt.Errorf("the disk of the virtual machine, %s, is a folder: it was not removed", path)
		case err == nil:
			err = os.RemoveAll(path)
		}
		if err != nil {
			return gone, fmt.Errorf("remove the state of the virtual machine: %w", err)
		}
		gone = append(gone, path)
	}
	return gone, nil
}

// Close lets others have the state.
func (s *State) Close() error {
	if s.lock == nil {
		return nil
	}
	if err := s.lock.Close(); err != nil {
		return fmt.Errorf("let go of the state in %s: %w", s.Dir, err)
	}
	return nil
}

// Emulated says that QEMU has to emulate the processor, since there is no KVM that may
// be used. Only Linux has it; elsewhere that is not known and false.
func Emulated() bool {
	if runtime.GOOS != "linux" {
		return false
	}
	kvm, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return true
	}
	_ = kvm.Close() //nolint:errcheck // nothing was done with it
	return false
}
