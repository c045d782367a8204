package nspawn

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// closeTimeout bounds Close. A machine dies in a tenth of a second.
const closeTimeout = 30 * time.Second

// Host is what the real droplets of one lab run on. It is safe for concurrent use.
type Host struct {
	config  Config
	id      labID
	dir     string
	traces  traces
	network network
	alive   *os.File // the lock that says so

	mu       sync.Mutex
	closing  chan struct{} // closed by Close: ends what machines are at
	closed   bool
	machines map[string]*Machine
	numbers  map[int]bool
}

// NewHost makes the network and the directory for a lab's machines. First it
// removes what labs left behind whose process is no longer there; labs that run
// at the same time do not disturb each other. On an error nothing is left behind.
// The error is a *MissingError where the system lacks something.
func NewHost(ctx context.Context, config Config) (*Host, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if config.StateDir == "" {
		config.StateDir = "/var/tmp"
	}
	stateDir, err := filepath.Abs(config.StateDir)
	if err != nil {
		return nil, fmt.Errorf("find the lab's state directory: %w", err)
	}
	for _, dir := range []string{lockDir, stateDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory for the lab: %w", err)
		}
	}
	all, err := lock(ctx, filepath.Join(lockDir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("wait for another lab that is just starting: %w", err)
	}
	defer all.Close()
	h := &Host{
		config: config, traces: realTraces(stateDir), closing: make(chan struct{}),
		machines: map[string]*Machine{}, numbers: map[int]bool{},
	}
	swept, err := h.traces.sweep(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range swept {
		config.log("removed what the former lab %s left behind", name)
	}
	if err := h.setUp(ctx, stateDir); err != nil {
		return nil, errors.Join(err, h.tearDown(context.WithoutCancel(ctx)))
	}
	return h, nil
}

func (h *Host) setUp(ctx context.Context, stateDir string) error {
	var random [idLength / 2]byte
	if _, err := rand.Read(random[:]); err != nil {
		return fmt.Errorf("choose the lab's name: %w", err)
	}
	h.id = labID(hex.EncodeToString(random[:]))
	h.dir = filepath.Join(stateDir, h.id.name())
	var err error
	if h.alive, err = lockLab(ctx, h.id, h.dir); err != nil {
		return err
	}
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	h.network, err = newNetwork(ctx, h.id)
	return err
}

// Machine returns the machine of that name. A new one gets an address, which it
// keeps until it is removed, and runs nothing until it is booted.
func (h *Host) Machine(name string) (*Machine, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("get the machine %s: %w", name, os.ErrClosed)
	}
	if m := h.machines[name]; m != nil {
		return m, nil
	}
	number, err := freeNumber(h.numbers)
	if err != nil {
		return nil, fmt.Errorf("get the machine %s: %w", name, err)
	}
	h.numbers[number] = true
	h.machines[name] = newMachine(h, name, number)
	return h.machines[name], nil
}

// bound ends a context when the host is closed.
func (h *Host) bound(ctx context.Context) (context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	select {
	case <-h.closing:
		cancel(nil)
		return nil, nil, fmt.Errorf("the lab: %w", os.ErrClosed)
	default:
	}
	go func() {
		select {
		case <-h.closing:
			cancel(fmt.Errorf("the lab: %w", os.ErrClosed))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }, nil
}

// forget gives a machine's name and address free.
func (h *Host) forget(m *Machine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.machines[m.name] == m {
		delete(h.machines, m.name)
		delete(h.numbers, m.number)
	}
}

// Close ends all machines and removes everything: processes, mounts, network,
// files. What it could not remove is in the error, and the next NewHost on this
// system tries again.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	close(h.closing)
	machines := h.machines
	h.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	var errs []error
	for _, m := range machines {
		errs = append(errs, m.Stop(ctx))
	}
	// A lab that starts just now must not look at this one while it vanishes.
	all, err := lock(ctx, filepath.Join(lockDir, "lock"))
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer all.Close()
	return errors.Join(append(errs, h.tearDown(ctx))...)
}

// tearDown removes the lab as it stands and gives its lock back.
func (h *Host) tearDown(ctx context.Context) error {
	err := h.traces.removeLab(ctx, h.id)
	if h.alive != nil {
		err = errors.Join(err, h.alive.Close())
	}
	return err
}
