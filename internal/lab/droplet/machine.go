// Package droplet holds simulated droplets: a machine with a disk in memory, a real
// SSH server, a shell that runs the scripts that it gets, and a systemd whose units
// do what the image's marker says. It behaves as a machine does: it takes time to
// start, has a new boot id at every boot, new host keys on a wiped disk, and loses
// what was written to the disk when it is rebuilt; volumes survive.
package droplet

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/lab/fault"
	"github.com/versatus/snowdrop/internal/lab/sshd"
)

// Config says what a Machine is. All fields but Log and Volumes must be set.
type Config struct {
	Name    string
	Faults  *fault.Set
	Timings Timings
	// Authorized says whether a key may log in.
	Authorized func(key ssh.PublicKey) bool
	// Volumes are the names of volumes, mounted below /mnt, that survive a rebuild.
	Volumes []string
	Log     func(string)
}

// Timings are how long a boot takes. Each is counted from the one before.
type Timings struct {
	// SSH is from power-on to an answer on port 22, Units from there to running.
	SSH, Units time.Duration
	// Restart is between two crashes of a crash loop; Start is how long a unit takes
	// to start when it is told to.
	Restart, Start time.Duration
	// Timeout is how long a connection to a machine that is not there hangs.
	Timeout time.Duration
	// Second is how long the programs of a machine sleep for each second that they
	// are told to; 0 is a second.
	Second time.Duration
}

// ErrRefused is the error of Dial where nothing listens, ErrTimeout where nothing answers.
var (
	ErrRefused = errors.New("connection refused")
	ErrTimeout = errors.New("connection timed out")
)

// Machine is a simulated droplet. Make one with New.
type Machine struct {
	cfg     Config
	server  *sshd.Server
	web     *web
	volumes map[string]*node
	// later runs something once the caller is done, and is waited for by Close.
	later func(func())
	wait  func()

	mu     sync.Mutex
	fs     *filesystem
	spec   *disk.Spec // what the disk holds
	former *disk.Spec // what ran before the last rebuild
	boot   *boot      // nil while it is off
	keys   []ssh.Signer
	// transients are the units that systemd-run started, by name.
	transients map[string]*transient
}

// boot is one start of a machine.
type boot struct {
	id   string
	at   time.Time
	spec disk.Spec
	*manager
}

// New makes a machine that is switched off. Its listener is closed when ctx ends.
func New(ctx context.Context, cfg Config) (*Machine, error) {
	var wg sync.WaitGroup
	m := &Machine{cfg: cfg, volumes: map[string]*node{}, fs: newFilesystem(), transients: map[string]*transient{}, later: func(f func()) { wg.Go(f) }, wait: wg.Wait}
	for _, name := range cfg.Volumes {
		m.volumes[name] = newDir(0o755, "root")
	}
	s, err := sshd.Serve(ctx, "127.0.0.1:0", sshd.Config{
		HostKeys:   m.hostKeys,
		Authorized: func(_ string, key ssh.PublicKey) bool { return cfg.Authorized(key) },
		Run:        m.run,
		Hang: func() bool {
			_, ok := cfg.Faults.Take(fault.SSHHang, cfg.Name)
			return ok
		},
	})
	if err != nil {
		return nil, fmt.Errorf("make droplet %s: %w", cfg.Name, err)
	}
	m.server, m.web = s, newWeb(m)
	return m, nil
}

// Install wipes the disk, writes an image to it and starts the machine. A nil spec
// is an image that the lab knows nothing about: it starts, but is no NixOS.
func (m *Machine) Install(spec *disk.Spec) error { return m.install(spec, m.cfg.Timings) }

// Adopt is Install for a machine that has been up for long: nothing of it is
// still starting.
func (m *Machine) Adopt(spec *disk.Spec) error {
	timings := m.cfg.Timings
	timings.SSH, timings.Units, timings.Start = 0, 0, 0
	return m.install(spec, timings)
}

func (m *Machine) install(spec *disk.Spec, t Timings) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down()
	if spec == nil {
		spec = &disk.Spec{}
	}
	m.former, m.spec = m.spec, spec
	m.fs = newFilesystem()
	return m.up(t)
}

// Power switches the machine "on", "off", or "reset"s it.
func (m *Machine) Power(to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if to == "on" && m.boot != nil {
		return nil
	}
	m.down()
	if to == "off" {
		return nil
	}
	return m.up(m.cfg.Timings)
}

// Close ends the machine.
func (m *Machine) Close() error {
	m.mu.Lock()
	m.down()
	m.mu.Unlock()
	m.web.close()
	err := m.server.Close()
	m.wait()
	if err != nil {
		return fmt.Errorf("end droplet %s: %w", m.cfg.Name, err)
	}
	return nil
}

func (m *Machine) down() {
	m.boot = nil
	for name, unit := range m.transients {
		unit.end()
		delete(m.transients, name)
	}
	m.server.Disconnect()
}

// up starts the machine from its disk.
func (m *Machine) up(t Timings) error {
	spec := m.behaviour()
	b := &boot{id: newUUID(), at: time.Now(), spec: spec}
	if err := m.furnish(b); err != nil {
		return fmt.Errorf("start droplet %s: %w", m.cfg.Name, err)
	}
	b.manager = newManager(b, t, view{m.fs, "root"})
	m.boot = b
	m.readHostKeys()
	m.logf("boots %s (%s)", or(spec.System, "an unknown system"), or(spec.Boot, disk.BootOK))
	return nil
}

// behaviour is the disk's Spec as a fault or old-system has changed it.
func (m *Machine) behaviour() disk.Spec {
	spec := *m.spec
	for kind, b := range map[fault.Kind]disk.Boot{
		fault.BootFailedUnit: disk.BootFailedUnit, fault.BootCrashLoop: disk.BootCrashLoop, fault.BootHang: disk.BootHang,
		fault.BootOldSystem: disk.BootOldSystem, fault.BootNever: disk.BootNever,
	} {
		if _, ok := m.cfg.Faults.Take(kind, m.cfg.Name); ok {
			spec.Boot = b
		}
	}
	if spec.Boot == disk.BootOldSystem {
		if m.former == nil {
			return disk.Spec{}
		}
		spec = *m.former
		spec.Boot = disk.BootOK
	}
	return spec
}

// Dial opens a connection to a port as it would come from outside. It fails with
// ErrRefused, or after a while with ErrTimeout.
func (m *Machine) Dial(ctx context.Context, port int) (net.Conn, error) {
	if _, ok := m.cfg.Faults.Take(fault.SSHRefuse, m.cfg.Name); ok && port == 22 {
		return nil, ErrRefused
	}
	m.mu.Lock()
	b := m.boot
	m.mu.Unlock()
	if b == nil || b.spec.Boot == disk.BootNever {
		t := time.NewTimer(m.cfg.Timings.Timeout)
		defer t.Stop()
		select {
		case <-t.C:
			return nil, ErrTimeout
		case <-ctx.Done():
			return nil, fmt.Errorf("connect to %s: %w", m.cfg.Name, ctx.Err())
		}
	}
	if time.Now().Before(b.sshAt) {
		return nil, ErrRefused
	}
	if port != 22 {
		return m.web.dial(b, port)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", m.server.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", m.cfg.Name, err)
	}
	return c, nil
}

// Status describes the machine for a test or a person.
type Status struct {
	// State is "off", or the word of systemctl is-system-running.
	State    string   `json:"state"`
	BootID   string   `json:"bootId"`
	System   string   `json:"system"`
	HostKeys []string `json:"hostKeys"`
}

// Status says how the machine is.
func (m *Machine) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.boot == nil {
		return Status{State: "off"}
	}
	s := Status{State: m.boot.word(time.Now()), BootID: m.boot.id, System: m.boot.spec.System}
	for _, k := range m.keys {
		s.HostKeys = append(s.HostKeys, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.PublicKey()))))
	}
	return s
}

// ReadFile reads a file of the machine's disk as root.
func (m *Machine) ReadFile(name string) ([]byte, error) {
	m.mu.Lock()
	f := m.fs
	m.mu.Unlock()
	return view{f, "root"}.readFile(name)
}

func (m *Machine) logf(format string, args ...any) {
	if m.cfg.Log != nil {
		m.cfg.Log("droplet " + m.cfg.Name + " " + fmt.Sprintf(format, args...))
	}
}

func newUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
