package nspawn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Machines are numbered by the last byte of their address; the first is this
// system's own.
const (
	hostNumber   = 1
	firstMachine = 2
	lastMachine  = 254
)

// Routes broader than this are no obstacle: a lab's /24 is more specific than a
// company's 10.0.0.0/8, and taking 254 addresses out of it hurts nobody.
const broadest = 16

var (
	errNoSubnet  = errors.New("every network in 10.89.0.0/16 is in use here; stop another lab or remove a route")
	errNoAddress = errors.New("all 253 addresses of the lab are given out")
)

// freeSubnet is the first 10.89.x.0/24 that overlaps nothing that is taken.
func freeSubnet(taken []netip.Prefix) (netip.Prefix, error) {
	for x := range 256 {
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 89, byte(x), 0}), 24)
		if !overlapsAny(candidate, taken) {
			return candidate, nil
		}
	}
	return netip.Prefix{}, errNoSubnet
}

func overlapsAny(p netip.Prefix, taken []netip.Prefix) bool {
	for _, t := range taken {
		if t.Bits() >= broadest && p.Overlaps(t) {
			return true
		}
	}
	return false
}

// address is the one of a machine, or of this system, in a lab's /24.
func address(subnet netip.Prefix, n int) netip.Addr {
	bytes := subnet.Addr().As4()
	bytes[3] = byte(n & 0xff)
	return netip.AddrFrom4(bytes)
}

// freeNumber is the lowest number that no machine has.
func freeNumber(used map[int]bool) (int, error) {
	for n := firstMachine; n <= lastMachine; n++ {
		if !used[n] {
			return n, nil
		}
	}
	return 0, errNoAddress
}

// parseRoutes reads the networks off a /proc/net/route: addresses there are
// hexadecimal in the machine's own byte order.
func parseRoutes(table io.Reader) ([]netip.Prefix, error) {
	var routes []netip.Prefix
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[0] == "Iface" {
			continue
		}
		network, err := strconv.ParseUint(fields[1], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("read the route %q: %w", lines.Text(), err)
		}
		mask, err := strconv.ParseUint(fields[7], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("read the route %q: %w", lines.Text(), err)
		}
		routes = append(routes, routePrefix(uint32(network), uint32(mask)))
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the table of routes: %w", err)
	}
	return routes, nil
}

func routePrefix(network, mask uint32) netip.Prefix {
	var addr [4]byte
	binary.NativeEndian.PutUint32(addr[:], network)
	bits := 0
	for ; mask != 0; mask &= mask - 1 {
		bits++
	}
	return netip.PrefixFrom(netip.AddrFrom4(addr), bits)
}
