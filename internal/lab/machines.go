package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/droplet"
	"github.com/versatus/snowdrop/internal/lab/nspawn"
)

// machine is what stands behind a droplet: simulated or real.
type machine interface {
	// Boot wipes the disk, puts the image on it and starts the machine; it returns
	// when the power is on. running says that it is to have been up for long.
	Boot(ctx context.Context, from api.Disk, running bool) error
	// Power switches it "on", "off", or "reset"s it.
	Power(ctx context.Context, to string) error
	// Dial connects to one of its ports.
	Dial(ctx context.Context, port int) (net.Conn, error)
	// Status says how it is, as far as that can be seen from outside.
	Status() droplet.Status
	Close(ctx context.Context) error
}

// machines runs the droplets' machines.
type machines struct {
	make func(ctx context.Context, d api.Droplet) (machine, error)
	end  func() error

	mu      sync.Mutex
	all     map[int]machine
	names   map[string]machine
	address map[string]machine
}

var _ api.Machines = (*machines)(nil)

func newMachines(ctx context.Context, l *Lab) (*machines, error) {
	m := &machines{all: map[int]machine{}, names: map[string]machine{}, address: map[string]machine{}, end: func() error { return nil }}
	if !l.cfg.Real {
		// A machine lives as long as the lab, not as the request that made it.
		m.make = func(_ context.Context, d api.Droplet) (machine, error) { return l.simulated(ctx, d) }
		return m, nil
	}
	if err := nspawn.Check(); err != nil {
		return nil, fmt.Errorf("real droplets: %w", err)
	}
	host, err := nspawn.NewHost(ctx, nspawn.Config{
		StateDir: l.cfg.StateDir, Log: l.cfg.Log, AuthorizedKeys: []string{authorizedKey(l.clientKey)},
	})
	if err != nil {
		return nil, fmt.Errorf("real droplets: %w", err)
	}
	m.end = host.Close
	m.make = func(_ context.Context, d api.Droplet) (machine, error) { return newReal(host, d) }
	return m, nil
}

func authorizedKey(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

// Create implements api.Machines, as the methods below do.
func (m *machines) Create(ctx context.Context, d api.Droplet, from api.Disk) error {
	made, err := m.make(ctx, d)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.all[d.ID], m.names[d.Name] = made, made
	for _, n := range d.Networks.V4 {
		m.address[n.IPAddress] = made
	}
	m.mu.Unlock()
	return made.Boot(ctx, from, d.Status == "active")
}

var errNoMachine = errors.New("the droplet has no machine")

func (m *machines) of(id int) (machine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if found := m.all[id]; found != nil {
		return found, nil
	}
	return nil, errNoMachine
}

func (m *machines) Rebuild(ctx context.Context, id int, from api.Disk) error {
	found, err := m.of(id)
	if err != nil {
		return err
	}
	return found.Boot(ctx, from, false)
}

func (m *machines) Power(ctx context.Context, id int, to string) error {
	found, err := m.of(id)
	if err != nil {
		return err
	}
	return found.Power(ctx, to)
}

func (m *machines) Destroy(ctx context.Context, id int) error {
	m.mu.Lock()
	found := m.all[id]
	delete(m.all, id)
	for _, list := range []map[string]machine{m.names, m.address} {
		for key, other := range list {
			if other == found {
				delete(list, key)
			}
		}
	}
	m.mu.Unlock()
	if found == nil {
		return errNoMachine
	}
	return found.Close(ctx)
}

// dial is what the jump host forwards to: droplets alone, by their addresses.
func (m *machines) dial(ctx context.Context, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	m.mu.Lock()
	found := m.address[host]
	m.mu.Unlock()
	if found == nil {
		return nil, fmt.Errorf("forward to %s: no route to host", address)
	}
	c, err := found.Dial(ctx, port)
	if err != nil {
		return nil, fmt.Errorf("forward to %s: %w", address, err)
	}
	return c, nil
}

func (m *machines) close() error {
	m.mu.Lock()
	all := m.all
	m.all = map[int]machine{}
	m.mu.Unlock()
	var errs []error
	for _, found := range all {
		errs = append(errs, found.Close(context.Background()))
	}
	return errors.Join(append(errs, m.end())...)
}
