package deploy

import (
	"slices"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
)

// target says how a droplet is reached and which host keys it must have.
func (s *serverRun) target(droplet ocean.Droplet) remote.Target {
	return targetOf(s.plan.Server, droplet, s.record.droplet(droplet.ID))
}

// targetOf says so for a droplet as it was known before this run did anything to
// it. New host keys are accepted only if DigitalOcean says that the rebuild which
// the record tells of did happen.
func targetOf(server fleet.Server, droplet ocean.Droplet, known release.Droplet) remote.Target {
	ssh := server.SSH
	keys := slices.Concat(ssh.HostKeys, known.HostKeys)
	if ssh.HostKeyPolicy == fleet.Strict {
		keys = ssh.HostKeys // what was recorded before a key was pinned does not count
	}
	return remote.Target{
		Name: droplet.Name, Address: addressOf(server, droplet), Port: ssh.Port, User: ssh.User,
		Identity: ssh.Identity, Jump: ssh.Jump,
		Keys: remote.HostKeys{
			Policy:       ssh.HostKeyPolicy,
			Known:        keys,
			Authorities:  ssh.CertificateAuthorities,
			AcceptNewSet: wasRebuilt(droplet, known),
		},
	}
}

// wasRebuilt says whether a rebuild of ours that is not yet accounted for was done.
func wasRebuilt(droplet ocean.Droplet, known release.Droplet) bool {
	return known.Rebuild != nil && known.Rebuild.ImageID == droplet.ImageID
}

// demand makes the keys that were accepted the only ones from now on.
func demand(keys remote.HostKeys, seen []string) remote.HostKeys {
	if len(seen) > 0 {
		keys.Known = seen
	}
	keys.AcceptNewSet = false
	return keys
}

// addressOf is the droplet's address that SSH uses.
func addressOf(server fleet.Server, d ocean.Droplet) string {
	if server.SSH.Address == "private" {
		return d.PrivateIPv4
	}
	return d.IPv4
}
