package deploy

import (
	"fmt"
	"hash/fnv"
	"path"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
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
	var left []string
	for _, s := range servers {
		switch {
		case s.Provider != fleet.SSHHosts:
			out = append(out, s)
		case len(asked) > 0:
			return nil, UsageError{Err: fmt.Errorf("server %s is of provider ssh: its hosts get no images. "+
				"Run `snowdrop switch %s` to bring them to another system, or `snowdrop install HOST` to put NixOS on one", s.Name, s.Name)}
		default:
			left = append(left, s.Name)
		}
	}
	if len(out) == 0 && len(left) > 0 {
		return nil, UsageError{Err: fmt.Errorf("no server gets an image: %s %s of provider ssh. Run `snowdrop switch` or `snowdrop install`", list(left), isOrAre(len(left)))}
	}
	return out, nil
}

// allOf takes all servers, whatever their machines are.
func allOf(servers []fleet.Server, _ []string) ([]fleet.Server, error) { return servers, nil }

// onDroplets says whether a server's machines are in DigitalOcean's account.
func onDroplets(s fleet.Server) bool { return s.Provider != fleet.SSHHosts }

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// firstRelease is the command that gives a server its first release.
func firstRelease(s fleet.Server) string {
	switch {
	case onDroplets(s):
		return "snowdrop deploy --server " + s.Name
	case len(s.Hosts) > 0:
		return "snowdrop install " + s.Hosts[0].Name
	default:
		return "snowdrop install HOST"
	}
}

// machineWords names a machine in an error.
func machineWords(s fleet.Server, d ocean.Droplet) string {
	if onDroplets(s) {
		return fmt.Sprintf("droplet %s (%d)", d.Name, d.ID)
	}
	return fmt.Sprintf("host %s (%s)", d.Name, d.IPv4)
}

// driftOfHost says how a host differs from what its server's record says.
func driftOfHost(rec *release.Record, d ocean.Droplet) string {
	known := rec.Droplet(d.ID)
	switch {
	case rec == nil:
		return "never installed or switched by snowdrop"
	case known == nil:
		return "not in the record"
	case known.Rebuild != nil:
		return "an installation of " + stamp(known.Rebuild.StartedAt) + " was not followed to its end: `snowdrop verify` looks at it"
	case switchedWords(rec, known, fleet.SSHHosts) != "":
		return switchedWords(rec, known, fleet.SSHHosts) + unwell(known)
	case known.Evidence != nil && rec.Toplevel != "" && known.Evidence.System != "" && known.Evidence.System != rec.Toplevel:
		return fmt.Sprintf("ran %s when it was last looked at, the release is %s", systemName(known.Evidence.System), systemName(rec.Toplevel))
	case known.Evidence != nil && !known.Evidence.OK():
		return "the last verification failed: " + checkNames(known.Evidence.Failures())
	case known.VerifiedAt.IsZero():
		return "not verified"
	}
	return ""
}

// systemName is a system without the store's folder.
func systemName(toplevel string) string {
	if toplevel == "" {
		return "a system that is not known"
	}
	return path.Base(toplevel)
}

// hostState is one sentence: what runs on a host now.
func (s *serverRun) hostState(d ocean.Droplet, o event.Outcome) string {
	wanted := systemName(s.plan.Want.Toplevel)
	switch o { //nolint:exhaustive // the others depend on how far it got
	case event.Verified:
		return "runs " + wanted + ", verified"
	case event.Unchanged:
		return "runs " + wanted + ", verified earlier"
	case event.WouldVerify:
		return "would be verified"
	case event.WouldDo:
		return "would get " + wanted
	case event.RolledBack:
		return "runs its former system again"
	}
	switch {
	case s.run.verb != verbInstall:
		return "see its error for what runs there"
	case o == event.Begun && s.stage(d.ID) == notBegun:
		return "runs the NixOS installer, in memory; its disks are as they were"
	case s.stage(d.ID) == notBegun:
		return "its disks are as they were"
	case o == event.Begun && s.stage(d.ID) == rebuildSent:
		return "has " + wanted + " on its disks as far as the phases went, and still runs the installer"
	case s.stage(d.ID) == rebuildSent:
		return "its disks were formatted, or were being so; it runs the installer"
	default:
		return "was installed with " + wanted + " and rebooted; not verified"
	}
}
