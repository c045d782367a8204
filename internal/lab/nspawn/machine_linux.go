package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
)

// Machine is one real droplet. It is safe for concurrent use; what changes it is
// done one after the other.
type Machine struct {
	host    *Host
	name    string
	number  int
	group   cgroup
	console console

	mu      sync.Mutex // held by Boot, Start, Stop and Remove
	process atomic.Pointer[process]
}

func newMachine(h *Host, name string, number int) *Machine {
	return &Machine{
		host: h, name: name, number: number,
		group: cgroupOf(h.traces.cgroups, h.id.machine(number)),
	}
}

// Name is the droplet's name.
func (m *Machine) Name() string { return m.name }

// Address is the droplet's IPv4 address. This system reaches it directly while
// the machine runs. It stays the same over rebuilds.
func (m *Machine) Address() string {
	return address(m.host.network.subnet, m.number).String()
}

// Running says whether the machine's init runs. It is false too after the machine
// switched itself off.
func (m *Machine) Running() bool {
	p := m.process.Load()
	return p != nil && !p.ended()
}

// Console is the end of what the machine wrote to its console since it was last
// started, for error messages.
func (m *Machine) Console() string { return m.console.String() }

// Boot rebuilds the machine: it ends the former one without asking it, wipes its
// disk, and starts it from the image, which is read to its end: raw or qcow2, not
// compressed. It returns once the image's init runs; SSH answers later, if ever.
//
// An error that is ErrNotBootable is the image's fault. On any error the machine is
// off, and its disk is not to be used.
func (m *Machine) Boot(ctx context.Context, image io.Reader, o BootOptions) error {
	return m.rebuild(ctx, o, func(ctx context.Context) error {
		return unpack(ctx, image, m.dir())
	})
}

// BootFile is Boot from an image in a file, which is only read.
func (m *Machine) BootFile(ctx context.Context, path string, o BootOptions) error {
	return m.rebuild(ctx, o, func(ctx context.Context) error {
		return unpackFile(ctx, path, m.dir())
	})
}

func (m *Machine) rebuild(ctx context.Context, o BootOptions, fill func(context.Context) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	ctx, cancel, err := m.host.bound(ctx)
	if err != nil {
		return fmt.Errorf("boot %s: %w", m.name, err)
	}
	defer cancel()
	if o.Hostname == "" {
		o.Hostname = m.name
	}
	o.AuthorizedKeys = append(append([]string{}, m.host.config.AuthorizedKeys...), o.AuthorizedKeys...)
	if err := m.install(ctx, o, fill); err != nil {
		return fmt.Errorf("boot %s: %w", m.name, errors.Join(err, m.halt(context.WithoutCancel(ctx))))
	}
	if err := m.powerOn(ctx); err != nil {
		return fmt.Errorf("boot %s: %w", m.name, err)
	}
	return nil
}

// install replaces the disk and leaves it mounted, with the droplet's own files.
func (m *Machine) install(ctx context.Context, o BootOptions, fill func(context.Context) error) error {
	if err := m.wipe(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(m.root(), 0o700); err != nil {
		return fmt.Errorf("make the machine's directory: %w", err)
	}
	if err := fill(ctx); err != nil {
		return err
	}
	if err := mountDisk(ctx, m.disk(), m.root()); err != nil {
		return err
	}
	return personalize(m.root(), o)
}

// wipe switches the machine off and destroys its disk.
func (m *Machine) wipe(ctx context.Context) error {
	if err := m.halt(ctx); err != nil {
		return err
	}
	return removeAll(m.dir())
}

// Start switches the machine on with the disk that it has. It does nothing if the
// machine runs.
func (m *Machine) Start(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Running() {
		return nil
	}
	ctx, cancel, err := m.host.bound(ctx)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	defer cancel()
	if err := m.halt(ctx); err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	if err := mountDisk(ctx, m.disk(), m.root()); err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	if err := m.powerOn(ctx); err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	return nil
}

// Stop switches the machine off, as one pulls a plug, and keeps its disk. It does
// nothing if the machine is off.
func (m *Machine) Stop(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.halt(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", m.name, err)
	}
	return nil
}

// Remove destroys the machine and its disk and gives its name and its address free.
func (m *Machine) Remove(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.wipe(ctx); err != nil {
		return fmt.Errorf("remove %s: %w", m.name, err)
	}
	m.host.forget(m)
	return nil
}

// powerOn starts the machine from its mounted disk; on an error it is off.
func (m *Machine) powerOn(ctx context.Context) error {
	m.console.reset()
	err := m.spawn(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(err, m.halt(context.WithoutCancel(ctx)))
}

// halt ends the machine's processes, unmounts its disk and takes its network away.
func (m *Machine) halt(ctx context.Context) error {
	if p := m.process.Load(); p != nil {
		p.end(ctx, m.group)
	}
	if err := m.group.destroy(ctx); err != nil {
		return err
	}
	if err := unmount(ctx, m.root()); err != nil {
		return err
	}
	m.process.Store(nil)
	propagate := filepath.Join(m.host.traces.propagate, m.host.id.machine(m.number))
	return errors.Join(removeAll(propagate), m.host.network.unplug(ctx, m.number))
}

func (m *Machine) dir() string  { return filepath.Join(m.host.dir, strconv.Itoa(m.number)) }
func (m *Machine) disk() string { return filepath.Join(m.dir(), diskFile) }
func (m *Machine) root() string { return filepath.Join(m.dir(), rootDir) }
