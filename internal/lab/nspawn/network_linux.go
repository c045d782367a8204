package nspawn

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
)

// network is the lab's: a bridge on this machine, to which each droplet's
// interface is plugged by a veth pair.
type network struct {
	id     labID
	subnet netip.Prefix
}

// newNetwork chooses a subnet and makes the bridge. Labs that start at the same
// time must be kept apart by the caller.
func newNetwork(ctx context.Context, id labID) (network, error) {
	taken, err := takenNetworks()
	if err != nil {
		return network{}, err
	}
	subnet, err := freeSubnet(taken)
	if err != nil {
		return network{}, err
	}
	n := network{id, subnet}
	// No spanning tree and no forward delay: a port works as soon as it is up.
	err = run(ctx, "ip", "link", "add", id.bridge(), "address", id.mac(bridgeNumber), "type", "bridge",
		"stp_state", "0", "forward_delay", "0")
	if err == nil {
		err = ipBatch(ctx,
			fmt.Sprintf("link set %s alias %s", id.bridge(), id.name()),
			fmt.Sprintf("addr add %s/%d dev %s", address(subnet, bridgeNumber), subnet.Bits(), id.bridge()),
			fmt.Sprintf("link set %s up", id.bridge()))
	}
	if err != nil {
		return network{}, fmt.Errorf("make the lab's bridge: %w", err)
	}
	return n, nil
}

// takenNetworks are those of this machine's interfaces and routes.
func takenNetworks() ([]netip.Prefix, error) {
	table, err := os.Open("/proc/net/route")
	if err != nil {
		return nil, fmt.Errorf("look for a free network: %w", err)
	}
	defer table.Close()
	taken, err := parseRoutes(table)
	if err != nil {
		return nil, err
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("look for a free network: %w", err)
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			taken = append(taken, prefix)
		}
	}
	return taken, nil
}

// plug makes a namespace with an interface eth0 that is up and has the droplet's
// address, as DHCP would leave it.
func (n network) plug(ctx context.Context, number int) error {
	ns, link := n.id.machine(number), n.id.link(number)
	// The hardware address is the same each time: nobody has to learn a new one after
	// a rebuild.
	err := run(ctx, "ip", "netns", "add", ns)
	if err == nil {
		err = ipBatch(ctx,
			fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %s", link, n.id.mac(number), ns),
			fmt.Sprintf("link set %s alias %s", link, n.id.name()),
			fmt.Sprintf("link set %s master %s", link, n.id.bridge()),
			fmt.Sprintf("link set %s up", link))
	}
	if err == nil {
		err = ipBatchIn(ctx, ns,
			"link set lo up",
			"link set eth0 up",
			fmt.Sprintf("addr add %s/%d dev eth0", address(n.subnet, number), n.subnet.Bits()),
			fmt.Sprintf("route add default via %s", address(n.subnet, bridgeNumber)))
	}
	if err != nil {
		return fmt.Errorf("give %s its network: %w", address(n.subnet, number), err)
	}
	return nil
}

// unplug removes what plug made, and does not mind if it is not there.
func (n network) unplug(ctx context.Context, number int) error {
	if err := deleteLink(ctx, n.id.link(number)); err != nil {
		return err
	}
	return deleteNamespace(ctx, n.id.machine(number))
}

// ipBatch runs several commands of ip(8) in one process.
func ipBatch(ctx context.Context, commands ...string) error {
	return runWith(ctx, strings.Join(commands, "\n"), "ip", "-batch", "-")
}

func ipBatchIn(ctx context.Context, namespace string, commands ...string) error {
	return runWith(ctx, strings.Join(commands, "\n"), "ip", "-n", namespace, "-batch", "-")
}

func deleteLink(ctx context.Context, link string) error {
	if _, err := os.Lstat("/sys/class/net/" + link); os.IsNotExist(err) {
		return nil
	}
	return run(ctx, "ip", "link", "delete", link)
}

func deleteNamespace(ctx context.Context, ns string) error {
	if _, err := os.Lstat(namespaces + "/" + ns); os.IsNotExist(err) {
		return nil
	}
	return run(ctx, "ip", "netns", "delete", ns)
}
