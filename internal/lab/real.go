package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/lab/api"
	"github.com/versatus/snowdrop/internal/lab/droplet"
	"github.com/versatus/snowdrop/internal/lab/nspawn"
)

// real is a machine that systemd-nspawn boots.
type real struct {
	*nspawn.Machine
	name string
}

func newReal(host *nspawn.Host, d api.Droplet) (machine, error) {
	m, err := host.Machine(d.Name)
	if err != nil {
		return nil, fmt.Errorf("make a machine for %s: %w", d.Name, err)
	}
	return real{m, d.Name}, nil
}

// Boot leaves the machine off if there is no image: nothing can be assumed of a
// real one.
func (r real) Boot(ctx context.Context, from api.Disk, running bool) error {
	if from.File == "" && running {
		return nil
	}
	if from.File == "" {
		return errors.New("the image has no file that a real droplet could be booted from")
	}
	return r.BootFile(ctx, from.File, nspawn.BootOptions{Hostname: r.name})
}

func (r real) Power(ctx context.Context, to string) error {
	if to != "on" {
		if err := r.Stop(ctx); err != nil {
			return err
		}
	}
	if to == "off" {
		return nil
	}
	return r.Start(ctx)
}

func (r real) Dial(ctx context.Context, port int) (net.Conn, error) {
	host, _, _ := strings.Cut(r.Address(), "/")
	var d net.Dialer
	return d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port))) //nolint:wrapcheck // the caller names the address
}

func (r real) Status() droplet.Status {
	if !r.Running() {
		return droplet.Status{State: "off"}
	}
	return droplet.Status{State: "on"}
}

func (r real) Close(ctx context.Context) error {
	return r.Remove(ctx)
}
