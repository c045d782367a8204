package toplevel

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The kinds of a UnitChange.
const (
	added   = "added"
	removed = "removed"
	changed = "changed"
)

// Compare says what is different between two systems. What is known of one of them
// only is not compared; Unknown says so.
func Compare(before, after Snapshot) Diff {
	d := Diff{Unknown: unknown(before.Unknown, after.Unknown)}
	if before.Units != nil && after.Units != nil {
		d.Units = compareUnits(before.Units, after.Units)
	}
	d.Components = compareComponents(before, after)
	d.PortsOpened, d.PortsClosed = comparePorts(before, after)
	if before.Users != nil && after.Users != nil {
		d.UsersAdded, d.UsersRemoved = onlyIn(after.Users, before.Users), onlyIn(before.Users, after.Users)
	}
	if before.StateVersion != "" && after.StateVersion != "" && before.StateVersion != after.StateVersion {
		d.StateVersionBefore, d.StateVersionAfter = before.StateVersion, after.StateVersion
	}
	return d
}

// unknown says of which system something is not known, unless it is of both.
func unknown(before, after []string) []string {
	var list []string
	for _, s := range before {
		if slices.Contains(after, s) {
			list = append(list, s)
		} else {
			list = append(list, "of the system before, "+s)
		}
	}
	for _, s := range onlyIn(after, before) {
		list = append(list, "of the system after, "+s)
	}
	return list
}

func compareUnits(before, after map[string]Unit) []UnitChange {
	var list []UnitChange
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b, was := before[name]
		a, is := after[name]
		switch {
		case !was:
			list = append(list, UnitChange{Name: name, Kind: added})
		case !is:
			list = append(list, UnitChange{Name: name, Kind: removed})
		case a.Text != b.Text && !a.Unread && !b.Unread:
			lines, versions := changedLines(b.Text, a.Text)
			list = append(list, UnitChange{Name: name, Kind: changed, Lines: lines, OnlyVersions: versions, OnSwitch: onSwitch(name, a.Text)})
		}
	}
	return list
}

// compareComponents compares what has a version, and the kernel's parameters, of
// which those are named that are on one side only.
func compareComponents(before, after Snapshot) []Component {
	var list []Component
	for _, name := range []string{"nixos", "kernel", "initrd", "systemd", "openssh"} {
		if b, a := before.Components[name], after.Components[name]; b != a {
			list = append(list, Component{Name: name, Before: b, After: a})
		}
	}
	gone, fresh := onlyIn(before.KernelParams, after.KernelParams), onlyIn(after.KernelParams, before.KernelParams)
	if len(gone)+len(fresh) > 0 {
		list = append(list, Component{Name: "kernel parameters", Before: strings.Join(gone, " "), After: strings.Join(fresh, " ")})
	}
	return list
}

// comparePorts compares what the firewalls let in. Without a firewall all is open.
func comparePorts(before, after Snapshot) (opened, closed []string) {
	switch {
	case before.Firewall == "" || after.Firewall == "" || before.Firewall == NoFirewall && after.Firewall == NoFirewall:
		return nil, nil
	case after.Firewall == NoFirewall:
		return []string{"everything: there is no firewall any more"}, nil
	case before.Firewall == NoFirewall && len(after.Ports) == 0:
		return nil, []string{"everything: there was no firewall"}
	case before.Firewall == NoFirewall:
		return nil, []string{"everything but " + strings.Join(after.Ports, ", ") + ": there was no firewall"}
	}
	return onlyIn(after.Ports, before.Ports), onlyIn(before.Ports, after.Ports)
}

// onlyIn are those of a list that are not in another one, in their order.
func onlyIn(list, other []string) []string {
	var only []string
	for _, s := range list {
		if !slices.Contains(other, s) {
			only = append(only, s)
		}
	}
	return only
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
