package deploy

import (
	"fmt"
	"hash/fnv"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
)

// machines are the droplets that run a server, in rollout order. The hosts of a
// server of provider ssh are taken for droplets that the account does not have:
// with an address, and neither image nor region.
func machines(s fleet.Server, droplets []ocean.Droplet) ([]ocean.Droplet, error) {
	if s.Provider != fleet.SSHHosts {
		selected, err := ocean.Select(droplets, s.Droplets.Names, s.Droplets.Tag)
		return selected, ocean.ForServer(s.Name, err)
	}
	hosts := make([]ocean.Droplet, len(s.Hosts))
	for i, h := range s.Hosts {
		hosts[i] = ocean.Droplet{ID: hostID(h), Name: h.Name, IPv4: h.Address, PrivateIPv4: h.Address}
	}
	return hosts, nil
}

// hostID is what a record knows a host by: a number below zero, as no droplet has
// one, made from its name.
func hostID(h fleet.Host) int {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(h.Name))
	return -1 - int(sum.Sum32()>>1)
}

// withImages are the servers that get images. Those of provider ssh do not: asked for
// by name they are an error, else they are left out.
func withImages(servers []fleet.Server, asked []string) ([]fleet.Server, error) {
	var out []fleet.Server
	for _, s := range servers {
		switch {
		case s.Provider != fleet.SSHHosts:
			out = append(out, s)
		case len(asked) > 0:
			return nil, UsageError{Err: fmt.Errorf("server %s is of provider ssh: its hosts get no images. "+
				"Run `snowdrop switch %s` to bring them to another system, or `snowdrop install HOST` to put NixOS on one", s.Name, s.Name)}
		}
	}
	return out, nil
}
