package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/bucket"
	"github.com/versatus/snowdrop/internal/lab/fault"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/lab/sshd"
)

// Lab is a running lab. Make one with Start.
type Lab struct {
	cfg      Config
	dir      string
	faults   fault.Set
	api      *api.Server
	bucket   *bucket.Bucket
	github   *hub.Hub
	machines *machines
	jump     *sshd.Server
	requests requestLog

	apiURL, spaceURL  string
	githubURL         string
	privateKey        string
	clientKey, jumpID ssh.Signer

	closers []func() error
	once    sync.Once
	closed  error
}

// Start starts a lab. It ends with Close, or when ctx ends; Close must be called in
// both cases, it removes what the lab wrote.
func Start(ctx context.Context, cfg Config) (*Lab, error) {
	l := &Lab{cfg: cfg.withDefaults()}
	if err := l.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start the lab: %w", err), l.Close())
	}
	return l, nil
}

func (l *Lab) start(ctx context.Context) error {
	for _, f := range l.cfg.Faults {
		if err := l.faults.Add(f); err != nil {
			return fmt.Errorf("arm a fault: %w", err)
		}
	}
	if err := l.makeDir(); err != nil {
		return err
	}
	if err := l.makeKeys(); err != nil {
		return err
	}
	if err := l.startMachines(ctx); err != nil {
		return err
	}
	if err := l.startBucket(ctx); err != nil {
		return err
	}
	if err := l.startGitHub(ctx); err != nil {
		return err
	}
	if err := l.startAPI(ctx); err != nil {
		return err
	}
	if err := l.startJump(ctx); err != nil {
		return err
	}
	for _, d := range l.cfg.Droplets {
		if _, err := l.AddDroplet(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) atClose(f func() error) { l.closers = append(l.closers, f) }

func (l *Lab) makeDir() error {
	dir, err := os.MkdirTemp(l.cfg.StateDir, "snowdrop-lab-")
	if err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	l.dir = dir
	l.atClose(func() error { return os.RemoveAll(dir) })
	return nil
}

// makeKeys makes the key that may log in everywhere, and the jump host's.
func (l *Lab) makeKeys() error {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "snowdrop-lab")
	if err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	l.privateKey = string(pem.EncodeToMemory(block))
	if l.clientKey, err = ssh.NewSignerFromKey(private); err != nil {
		return fmt.Errorf("make an SSH key: %w", err)
	}
	if err := os.WriteFile(l.KeyFile(), []byte(l.privateKey), 0o600); err != nil {
		return fmt.Errorf("write the SSH key: %w", err)
	}
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	if l.jumpID, err = ssh.NewSignerFromKey(host); err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	return nil
}

// KeyFile is the private key that may log in everywhere, as a file for ssh -i.
func (l *Lab) KeyFile() string { return filepath.Join(l.dir, "id_ed25519") }

func (l *Lab) authorized(key ssh.PublicKey) bool {
	return string(key.Marshal()) == string(l.clientKey.PublicKey().Marshal())
}

func (l *Lab) startMachines(ctx context.Context) error {
	m, err := newMachines(ctx, l)
	if err != nil {
		return err
	}
	l.machines = m
	l.atClose(m.close)
	return nil
}

func (l *Lab) startBucket(ctx context.Context) error {
	b, err := bucket.New(bucket.Config{
		Name: l.cfg.Bucket, AccessKey: l.cfg.AccessKey, SecretKey: l.cfg.SecretKey, Dir: l.dir, Faults: &l.faults, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("start the Space: %w", err)
	}
	l.bucket = b
	l.spaceURL, err = l.serve(ctx, l.cfg.ListenSpace, l.requests.record("s3", b))
	return err
}

func (l *Lab) startGitHub(ctx context.Context) error {
	cfg := l.cfg.GitHub
	cfg.Faults = &l.faults
	l.github = hub.New(cfg)
	// Its pages are for people and are not recorded.
	mux := http.NewServeMux()
	mux.Handle("/", l.github)
	for _, path := range []string{"/repos/", "/user"} {
		mux.Handle(path, l.requests.record("github", l.github))
	}
	var err error
	l.githubURL, err = l.serve(ctx, l.cfg.ListenGitHub, mux)
	return err
}

func (l *Lab) startAPI(ctx context.Context) error {
	cfg := api.Config{
		Tokens: append([]Token{{Value: l.cfg.Token}}, l.cfg.Tokens...), Machines: l.machines, Faults: &l.faults,
		Limits: api.Limits{PerHour: l.cfg.RequestsPerHour, PerMinute: l.cfg.RequestsPerMinute}, StrictHead: l.cfg.StrictHead,
		Log: l.cfg.Log,
		Timings: api.Timings{
			New: l.cfg.Timings.New, Pending: l.cfg.Timings.Pending, Transfer: l.cfg.Timings.Transfer, Create: l.cfg.Timings.Create,
			Rebuild: l.cfg.Timings.Rebuild, Power: l.cfg.Timings.Power, Snapshot: l.cfg.Timings.Snapshot,
		},
	}
	if l.cfg.Real {
		cfg.ImageDir = l.dir
	}
	l.api = api.New(ctx, cfg)
	l.atClose(func() error { l.api.Close(); return nil })
	mux := http.NewServeMux()
	mux.Handle("/", l.requests.record("api", l.api))
	l.control(mux)
	var err error
	l.apiURL, err = l.serve(ctx, l.cfg.Listen, mux)
	return err
}

// serve serves HTTP on an address until Close, and returns the URL.
func (l *Lab) serve(ctx context.Context, address string, h http.Handler) (string, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("listen on %s: %w", address, err)
	}
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 30 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(listener) })
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	l.atClose(func() error {
		stop()
		err := server.Close()
		wg.Wait()
		if err != nil {
			return fmt.Errorf("stop serving: %w", err)
		}
		return nil
	})
	return "http://" + listener.Addr().String(), nil
}

func (l *Lab) startJump(ctx context.Context) error {
	s, err := sshd.Serve(ctx, l.cfg.ListenSSH, sshd.Config{
		HostKeys:   func() []ssh.Signer { return []ssh.Signer{l.jumpID} },
		Authorized: func(_ string, key ssh.PublicKey) bool { return l.authorized(key) },
		Dial:       l.machines.dial,
	})
	if err != nil {
		return fmt.Errorf("start the jump host: %w", err)
	}
	l.jump = s
	l.atClose(s.Close)
	return nil
}

// Close ends the lab, waits for all that runs in it, and removes what it wrote.
func (l *Lab) Close() error {
	l.once.Do(func() {
		var errs []error
		for i := len(l.closers) - 1; i >= 0; i-- {
			errs = append(errs, l.closers[i]())
		}
		if err := errors.Join(errs...); err != nil {
			l.closed = fmt.Errorf("close the lab: %w", err)
		}
	})
	return l.closed
}

// AddDroplet adds a droplet that runs already.
func (l *Lab) AddDroplet(ctx context.Context, d DropletSpec) (api.Droplet, error) {
	made, err := l.api.AddDroplet(ctx, api.DropletSpec{
		Name: d.Name, Region: d.Region, Size: d.Size, Tags: d.Tags, Volumes: d.Volumes, IPv6: d.IPv6, DiskGB: d.DiskGB,
		Disk: api.Disk{Name: "initial", Spec: d.Image, File: d.ImageFile},
	})
	if err != nil {
		return made, fmt.Errorf("add droplet %s: %w", d.Name, err)
	}
	return made, nil
}

// Fault arms a fault. It fails on an unknown kind.
func (l *Lab) Fault(f Fault) error {
	if err := l.faults.Add(f); err != nil {
		return fmt.Errorf("arm a fault: %w", err)
	}
	l.cfg.Log("fault armed: " + f.String())
	return nil
}

// ClearFaults disarms all faults.
func (l *Lab) ClearFaults() { l.faults.Clear() }
