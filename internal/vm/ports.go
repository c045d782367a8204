package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// loopback is where forwarded ports are on this computer.
const loopback = "127.0.0.1"

// CheckFree says which of the ports cannot be had, all of them in one error: QEMU
// names but the first, and after a while.
func CheckFree(ctx context.Context, forwards []Forward) error {
	var faults []error
	for _, f := range forwards {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(f.Host)))
		if err != nil {
			faults = append(faults, fmt.Errorf("port %d of this computer cannot be forwarded to port %d of the virtual machine: %w; take another one", f.Host, f.Guest, err))
			continue
		}
		_ = listener.Close() //nolint:errcheck // it was free
	}
	return errors.Join(faults...)
}

// FreePort is a port of the loopback that nobody listens on.
func FreePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close() //nolint:errcheck // it was free
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return strconv.Atoi(port) //nolint:wrapcheck // the system has said it
}
