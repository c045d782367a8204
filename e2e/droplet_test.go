//go:build linux && e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/remote"
)

// seen is what a droplet says of itself, not by way of snowdrop.
type seen struct{ boot, system, hostKey string }

// look asks all droplets.
func (w *world) look(ctx context.Context, t *testing.T) map[string]seen {
	t.Helper()
	all := map[string]seen{}
	for _, name := range droplets() {
		out, key := w.on(ctx, t, name, "cat /proc/sys/kernel/random/boot_id; readlink -e /run/current-system || echo none")
		boot, system, _ := strings.Cut(out, "\n")
		all[name] = seen{boot, system, key}
	}
	return all
}

// on runs a command on a droplet and returns its output and the host key.
func (w *world) on(ctx context.Context, t *testing.T, name, command string) (out, hostKey string) {
	t.Helper()
	target := remote.Target{
		Name: name, Address: publicAddress(t, w.droplet(t, name)), Port: 22, User: "root",
		Keys: remote.HostKeys{Policy: fleet.AcceptNew},
	}
	var result remote.Result
	until(ctx, t, name+" answers", func() error {
		conn, err := w.ssh.Dial(ctx, target)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		hostKey = conn.HostKey()
		result, err = conn.Run(ctx, command, nil)
		return err
	})
	if result.Exit != 0 {
		t.Fatalf("%s: %q ended with %d: %s%s", name, command, result.Exit, result.Stdout, result.Stderr)
	}
	return strings.TrimSpace(string(result.Stdout)), hostKey
}

func (w *world) droplet(t *testing.T, name string) *lab.DropletState {
	t.Helper()
	d := w.lab.State().Droplet(name)
	if d == nil {
		t.Fatalf("the lab has no droplet %s", name)
	}
	return d
}

func publicAddress(t *testing.T, d *lab.DropletState) string {
	t.Helper()
	for _, n := range d.Networks.V4 {
		if n.Type == "public" {
			return n.IPAddress
		}
	}
	t.Fatalf("droplet %s has no public address", d.Name)
	return ""
}
