package nspawn

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
)

// network is the lab's: a bridge, to which each droplet's interface and this
// system are plugged by veth pairs. The bridge lives in a namespace of its own, so
// that the packet filter of this system, such as Docker's "drop what is forwarded",
// has no say in what droplets send each other.
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
	host, hub := id.hostLink(), id.name()
	err = run(ctx, "ip", "netns", "add", hub)
	if err == nil {
		// No spanning tree and no forward delay: a port works as soon as it is up.
		err = ipBatch(ctx, hub,
			"link add hub type bridge stp_state 0 forward_delay 0",
			"link set hub up")
	}
	if err == nil {
		err = ipBatch(ctx, "",
			fmt.Sprintf("link add %s address %s type veth peer name host netns %s", host, id.mac(hostNumber), hub),
			fmt.Sprintf("link set %s alias %s", host, id.name()),
			fmt.Sprintf("addr add %s/%d dev %s", address(subnet, hostNumber), subnet.Bits(), host),
			fmt.Sprintf("link set %s up", host))
	}
	if err == nil {
		err = ipBatch(ctx, hub, "link set host master hub", "link set host up")
	}
	if err != nil {
		return network{}, fmt.Errorf("make the lab's network %s: %w", subnet, err)
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
	ns, port := n.id.machine(number), n.id.port(number)
	err := run(ctx, "ip", "netns", "add", ns)
	if err == nil {
		// The hardware address is the same each time: nobody has to learn a new one after
		// a rebuild.
		err = ipBatch(ctx, n.id.name(),
			fmt.Sprintf("link add %s type veth peer name eth0 address %s netns %s", port, n.id.mac(number), ns),
			fmt.Sprintf("link set %s master hub", port),
			fmt.Sprintf("link set %s up", port))
	}
	if err == nil {
		err = ipBatch(ctx, ns,
			"link set lo up",
			"link set eth0 up",
			fmt.Sprintf("addr add %s/%d dev eth0", address(n.subnet, number), n.subnet.Bits()),
			fmt.Sprintf("route add default via %s", address(n.subnet, hostNumber)))
	}
	if err != nil {
		return fmt.Errorf("give %s its network: %w", address(n.subnet, number), err)
	}
	return nil
}

// unplug removes what plug made, and does not mind if it is not there. The link
// goes first and by name: with its namespace it would go at some later time.
func (n network) unplug(ctx context.Context, number int) error {
	ns := n.id.machine(number)
	if _, err := os.Lstat(namespaces + "/" + ns); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	err := run(ctx, "ip", "-n", n.id.name(), "link", "delete", n.id.port(number))
	if err != nil && !strings.Contains(err.Error(), "Cannot find device") {
		return fmt.Errorf("take the network of %s away: %w", address(n.subnet, number), err)
	}
	return deleteNamespace(ctx, ns)
}

// ipBatch runs several commands of ip(8) in one process, in a namespace or, without
// one, on this system.
func ipBatch(ctx context.Context, namespace string, commands ...string) error {
	args := []string{"-batch", "-"}
	if namespace != "" {
		args = append([]string{"-n", namespace}, args...)
	}
	return runWith(ctx, strings.Join(commands, "\n"), "ip", args...)
}

func deleteLink(ctx context.Context, link string) error {
	if _, err := os.Lstat("/sys/class/net/" + link); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return run(ctx, "ip", "link", "delete", link)
}

func deleteNamespace(ctx context.Context, ns string) error {
	if _, err := os.Lstat(namespaces + "/" + ns); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return run(ctx, "ip", "netns", "delete", ns)
}
