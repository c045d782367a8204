package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
// what was removed. What NIX_DISK_IMAGE names is removed only if it is a disk of QEMU:
// it might be a device, or another file that somebody needs.
func (s *State) Reset() ([]string, error) {
	paths, err := s.files()
	if err != nil {
		return nil, err
	}
	if err := removable(s.Disk); err != nil {
		return nil, fmt.Errorf("the disk of the virtual machine, %s, was not removed: %w", s.Disk, err)
	}
	var gone []string
	for _, path := range paths {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return gone, fmt.Errorf("remove the state of the virtual machine: %w", err)
		}
		gone = append(gone, path)
	}
	return gone, nil
}

// files are the disk and, in the folder, what else is of the machine.
func (s *State) files() ([]string, error) {
	paths := []string{s.Disk}
	entries, err := os.ReadDir(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("look for the state of the virtual machine: %w", err)
	}
	for _, entry := range entries {
		path := filepath.Join(s.Dir, entry.Name())
		ours := func(suffix string) bool { return strings.HasSuffix(path, suffix) }
		if path != s.Disk && (ours(".qcow2") || ours("-efi-vars.fd") || ours("-swtpm")) {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// qcow2 is how a disk that the script has made begins.
const qcow2 = "QFI\xfb"

// removable errors where a disk's file is something else. One that is not there is not.
func removable(disk string) error {
	info, err := os.Lstat(disk)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err //nolint:wrapcheck // the caller says which
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is no plain file (%s)", info.Mode().Type())
	case info.Size() == 0:
		return nil
	}
	file, err := os.Open(disk) //nolint:gosec // only its first bytes are read
	if err != nil {
		return err //nolint:wrapcheck // the caller says which
	}
	defer file.Close() //nolint:errcheck // it was read
	begins := make([]byte, len(qcow2))
	if _, err := io.ReadFull(file, begins); err != nil || string(begins) != qcow2 {
		return errors.New("it is no disk in QEMU's format qcow2, as the machine's script makes them")
	}
	return nil
}

// Lock is for Options.Lock.
func (s *State) Lock() *os.File { return s.lock }

// Close lets others have the state. The machine no longer runs then: where this process
// ends before the machine does, the machine holds it on.
func (s *State) Close() error {
	if s.lock == nil {
		return nil
	}
	if err := unlock(s.lock); err != nil {
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
