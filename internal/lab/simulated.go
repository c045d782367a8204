package lab

import (
	"context"
	"fmt"
	"net"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/droplet"
)

// simulated is a machine in this process.
type simulated struct{ *droplet.Machine }

func (l *Lab) simulated(ctx context.Context, d api.Droplet) (machine, error) {
	t := l.cfg.Timings
	m, err := droplet.New(ctx, droplet.Config{
		Name: d.Name, Faults: &l.faults, Authorized: l.authorized, Volumes: d.VolumeIDs, Log: l.cfg.Log,
		Timings: droplet.Timings{SSH: t.SSH, Units: t.Units, Restart: t.Restart, Start: t.Start, Timeout: t.Timeout, Second: t.Second},
	})
	if err != nil {
		return nil, fmt.Errorf("simulate a droplet: %w", err)
	}
	return simulated{m}, nil
}

func (s simulated) Boot(_ context.Context, from api.Disk, running bool) error {
	if running {
		return s.Adopt(from.Spec)
	}
	return s.Install(from.Spec)
}

// Store puts a system into the machine's store.
func (s simulated) Store(spec ImageSpec) error {
	return s.Machine.Store(spec) //nolint:wrapcheck // it says which droplet
}

func (s simulated) Power(_ context.Context, to string) error {
	return s.Machine.Power(to)
}

func (s simulated) Dial(ctx context.Context, port int) (net.Conn, error) {
	return s.Machine.Dial(ctx, port)
}

func (s simulated) Close(context.Context) error {
	return s.Machine.Close()
}
