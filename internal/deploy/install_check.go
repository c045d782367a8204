package deploy

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// hostOf finds a host by its name, or by that of a server that has no other.
func hostOf(f *fleet.Fleet, name string) (fleet.Server, fleet.Host, error) {
	var server fleet.Server
	var host fleet.Host
	var in, all []string
	for _, key := range sortedNames(f.Servers) {
		for _, h := range f.Servers[key].Hosts {
			all = append(all, h.Name)
			if h.Name == name {
				server, host, in = f.Servers[key], h, append(in, key)
			}
		}
	}
	named, isServer := f.Servers[name]
	switch {
	case len(in) == 1 && isServer && named.Provider == fleet.SSHHosts && in[0] != name:
		return server, host, fmt.Errorf("%s is a host of server %s, and a server of its own: rename one of them", name, in[0])
	case len(in) == 1:
		return server, host, nil
	case len(in) > 1:
		return server, host, fmt.Errorf("host %s is in the servers %s: give each host a name of its own", name, list(in))
	case isServer && named.Provider != fleet.SSHHosts:
		return server, host, fmt.Errorf("server %s runs on droplets, which get images: run `snowdrop deploy %s`", name, name)
	case isServer && len(named.Hosts) == 1:
		return named, named.Hosts[0], nil
	case isServer:
		var names []string
		for _, h := range named.Hosts {
			names = append(names, h.Name)
		}
		return server, host, fmt.Errorf("server %s has %s: name one of them: %s", name, plural(len(names), "host"), list(names))
	case len(all) == 0:
		return server, host, fmt.Errorf("there is no host %s: the fleet file has no server of `provider: ssh` with `hosts:`", name)
	default:
		return server, host, fmt.Errorf("there is no host %s; the fleet file has: %s", name, list(all))
	}
}

func sortedNames(servers map[string]fleet.Server) []string {
	names := make([]string, 0, len(servers))
	for name := range servers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// checkJob finds what is wrong with a job before anybody is asked.
func checkJob(j anywhere.Job, s fleet.Server) error {
	var faults []error
	if len(j.Phases) == 0 {
		faults = append(faults, errors.New("no phase is to be done"))
	}
	if j.BuildOn != "" && !slices.Contains(anywhere.BuildOn(), j.BuildOn) {
		faults = append(faults, fmt.Errorf("--build-on %q is none of %s", j.BuildOn, list(anywhere.BuildOn())))
	}
	if j.ExtraFiles != "" {
		if info, err := os.Stat(j.ExtraFiles); err != nil {
			faults = append(faults, fmt.Errorf("extra files: %w", err))
		} else if !info.IsDir() {
			faults = append(faults, fmt.Errorf("extra files: %s is not a folder: its contents are copied to the root of the new system", j.ExtraFiles))
		}
	}
	if s.System == "" {
		faults = append(faults, fmt.Errorf("server %s has no `system`: nothing says what to install", s.Name))
	}
	return errors.Join(faults...)
}

// newKeys finds out before, and not when it is too late, that the new system's host
// keys would be refused.
func (p *InstallPlan) newKeys(ssh fleet.SSH) error {
	if !p.does(anywhere.Reboot) || len(ssh.CertificateAuthorities) > 0 {
		return nil
	}
	const advice = "take keys over (--copy-host-keys) or along (--extra-files, in etc/ssh/)"
	switch {
	case ssh.HostKeyPolicy == fleet.AcceptNew && len(p.hostKeys) == 0:
		return errors.New("the new system would have new host keys, which `host-key-policy: accept-new` refuses of a host that is known: " + advice + ", or use rotate")
	case ssh.HostKeyPolicy == fleet.Strict && len(p.hostKeys) == 0:
		p.Cautions = append(p.Cautions, "with `host-key-policy: strict` the new system must have a host key that is pinned: "+advice+", if it does not bring it by itself")
	}
	return nil
}

// othersOf says which other hosts of the server run another system: the record will
// be of the one that is installed.
func othersOf(rec *release.Record, host ocean.Droplet, toplevel string) []string {
	if rec == nil {
		return nil
	}
	var cautions []string
	for _, d := range rec.Droplets {
		if d.ID != host.ID && d.Evidence != nil && d.Evidence.System != "" && d.Evidence.System != toplevel {
			cautions = append(cautions, fmt.Sprintf("%s runs %s, which differs: bring it along afterwards, with `snowdrop switch %s`",
				d.Name, systemName(d.Evidence.System), rec.Server))
		}
	}
	return cautions
}
