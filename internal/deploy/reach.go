package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/knownhosts"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
)

// Machine is a droplet, or a host of provider ssh, and the way to it.
type Machine struct {
	Server   string
	Provider fleet.Provider
	Name     string
	// Target has the host keys that the record and the fleet file demand.
	Target remote.Target
	// Doubt says why the recorded host keys may not be the machine's any more; empty
	// if nothing speaks against them.
	Doubt string
}

// String is SERVER/MACHINE.
func (m Machine) String() string { return m.Server + "/" + m.Name }

// Machines are those of the servers asked for, in order. A server whose droplets
// cannot be found has none: the error, which comes with the others' machines,
// says why.
func (d *Deployer) Machines(ctx context.Context, req Request) ([]Machine, error) {
	servers, err := d.Fleet.Select(req.Servers, req.Cycle)
	if err != nil {
		return nil, UsageError{Err: fmt.Errorf("choose servers: %w", err)}
	}
	now, err := d.look(ctx, servers)
	if err != nil {
		return nil, err
	}
	var (
		all    []Machine
		faults []error
	)
	for _, s := range servers {
		droplets, err := machines(s, now.droplets)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, droplet := range droplets {
			all = append(all, machineOf(s, droplet, now.records[s.Name].Droplet(droplet.ID)))
		}
	}
	return all, errors.Join(faults...)
}

// Machine is the one that a name means: SERVER where it has one machine,
// SERVER/MACHINE, or MACHINE. An error of the name is a UsageError and lists what
// there is.
func (d *Deployer) Machine(ctx context.Context, name string) (Machine, error) {
	server, machine, both := strings.Cut(name, "/")
	req := Request{}
	if _, ok := d.Fleet.Servers[server]; ok || both {
		req.Servers = []string{server}
	}
	all, err := d.Machines(ctx, req)
	if err != nil && len(all) == 0 {
		return Machine{}, err
	}
	var found []Machine
	for _, m := range all {
		if (both && m.Name == machine) || (!both && (m.Server == server || m.Name == server)) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Machine{}, errors.Join(UsageError{Err: fmt.Errorf("there is no server and no machine %q: there is %s", name, listMachines(all))}, err)
	default:
		return Machine{}, UsageError{Err: fmt.Errorf("%q means several machines: say which, %s", name, listMachines(found))}
	}
}

func listMachines(machines []Machine) string {
	if len(machines) == 0 {
		return "none"
	}
	names := make([]string, len(machines))
	for i, m := range machines {
		names[i] = m.String()
	}
	return strings.Join(names, ", ")
}

func machineOf(s fleet.Server, droplet ocean.Droplet, known *release.Droplet) Machine {
	if known == nil {
		known = &release.Droplet{}
	}
	m := Machine{Server: s.Name, Provider: s.Provider, Name: droplet.Name, Target: targetOf(s, droplet, *known)}
	switch {
	case len(known.HostKeys) == 0:
		// There is nothing to doubt.
	case wasRebuilt(droplet, *known):
		m.Doubt = unseen(s.Name)
	case known.ImageID != 0 && droplet.ImageID != known.ImageID:
		m.Doubt = fmt.Sprintf("it was rebuilt by somebody else: it runs %s, the record says image %d",
			imageWords(droplet.ImageName, droplet.ImageID), known.ImageID)
	}
	return m
}

// Recognize looks whether a machine whose recorded host keys are in doubt has one
// of them. Its error is that of Dial, with the doubt; nothing is recorded.
func (d *Deployer) Recognize(ctx context.Context, m Machine) error {
	conn, err := d.SSH.Dial(ctx, m.Target)
	var other *remote.HostKeyError
	switch {
	case err == nil:
		return wrap(conn.Close(), "recognize %s", m)
	case errors.As(err, &other) && m.Doubt != "":
		return fmt.Errorf("%s: %s, so its host key is another: %w", m, m.Doubt, err)
	default:
		return err //nolint:wrapcheck // it names the machine
	}
}

// unseen is said of a machine that was rebuilt and not reached since.
func unseen(server string) string {
	return "snowdrop rebuilt it, and has not seen its new host keys yet: `snowdrop verify " + server + "` records them"
}

// KnownHost is what a known_hosts file should say of the machine. Where no host
// key is recorded or pinned, or the record's are those of before a rebuild, a
// reason says so and what to do; it is empty otherwise.
func (m Machine) KnownHost() (host knownhosts.Host, reason string) {
	keys, port := m.Target.Keys, m.Target.Port
	gone := keys.AcceptNewSet && keys.Policy == fleet.Rotate
	switch {
	case gone && len(keys.Authorities) == 0:
		return host, unseen(m.Server)
	case len(keys.Known)+len(keys.Authorities) == 0:
		recorder := "deploy"
		if m.Provider == fleet.SSHHosts {
			recorder = "switch"
		}
		return host, fmt.Sprintf("no host key is recorded: run `snowdrop %s %s`, or pin one (ssh.host-keys)", recorder, m.Server)
	}
	host.Authorities = keys.Authorities
	if !gone {
		host.Keys = keys.Known
	}
	for _, name := range []string{m.Name, m.Target.Address} {
		if name != "" && !slices.Contains(host.Names, knownhosts.Name(name, port)) {
			host.Names = append(host.Names, knownhosts.Name(name, port))
		}
	}
	return host, ""
}
