package deploy

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/install"
)

// owners are what the fleet knows of all its machines: what tells that a host is one
// of them, under whatever name it is to be installed.
type owners struct {
	servers  []fleet.Server
	records  map[string]*release.Record
	droplets []ocean.Droplet
}

// owners asks the Space and, where the fleet has droplets, DigitalOcean.
func (d *Deployer) owners(ctx context.Context) (owners, error) {
	o := owners{records: map[string]*release.Record{}}
	for _, name := range sortedNames(d.Fleet.Servers) {
		o.servers = append(o.servers, d.Fleet.Servers[name])
	}
	records := make([]*release.Record, len(o.servers))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	if slices.ContainsFunc(o.servers, onDroplets) {
		group.Go(func() (err error) {
			o.droplets, err = d.Ocean.Droplets(ctx)
			return wrap(err, "list droplets")
		})
	}
	for i, s := range o.servers {
		group.Go(func() (err error) {
			records[i], err = d.records.Current(ctx, s.Name)
			return wrap(err, "server %s", s.Name)
		})
	}
	err := group.Wait()
	for i, s := range o.servers {
		o.records[s.Name] = records[i]
	}
	return o, err //nolint:wrapcheck // each says what it is of
}

// inUse says why a host is not wiped by a habit: by its own record it runs something
// that was proven, or it is another machine of the fleet, by its host keys or its
// address. Empty where nothing is known of it.
func (o owners) inUse(server fleet.Server, host ocean.Droplet, facts install.Facts) string {
	if known := o.records[server.Name].Droplet(host.ID); known != nil {
		switch {
		case known.Switched != nil:
			return fmt.Sprintf("it was switched to %s at %s", systemName(known.Switched.System), stamp(known.Switched.At))
		case !known.VerifiedAt.IsZero() && known.Evidence != nil:
			return fmt.Sprintf("it runs %s, verified %s", systemName(known.Evidence.System), stamp(known.VerifiedAt))
		case !known.VerifiedAt.IsZero():
			return "it was verified " + stamp(known.VerifiedAt)
		}
	}
	for _, s := range o.servers {
		if rec := o.records[s.Name]; rec != nil {
			for _, d := range rec.Droplets {
				if s.Name == server.Name && d.ID == host.ID {
					continue
				}
				if slices.ContainsFunc(d.HostKeys, func(key string) bool { return slices.Contains(facts.HostKeys, key) }) {
					return fmt.Sprintf("it has a host key of %s of server %s, and so may be that machine", d.Name, s.Name)
				}
			}
		}
		if !onDroplets(s) {
			continue
		}
		droplets, _ := machines(s, o.droplets) // those that are missing are no matter here
		for _, d := range droplets {
			if sameAddress(host.IPv4, d.IPv4) { // private ones are not one network's alone
				return fmt.Sprintf("its address is that of droplet %s of server %s", d.Name, s.Name)
			}
		}
	}
	return ""
}

func sameAddress(a, b string) bool {
	one, err := netip.ParseAddr(a)
	two, other := netip.ParseAddr(b)
	return err == nil && other == nil && one == two
}
