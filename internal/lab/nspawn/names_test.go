package nspawn

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnlyNamesThatALabGivesAreTakenForOnes(t *testing.T) {
	t.Parallel()
	const id = labID("a1b2c3")
	for _, ours := range []string{id.name(), id.machine(2), id.machine(254), id.lockFile()} {
		if got, ok := ownerOf(ours); !ok || got != id {
			t.Errorf("%s is not recognised: %q, %t", ours, got, ok)
		}
	}
	for _, other := range []string{
		"", "web", "snowdrop-lab", "snowdrop-lab-", "snowdrop-lab-x", "snowdrop-lab-a1b2c", "snowdrop-lab-a1b2c3d",
		"snowdrop-lab-A1B2C3", "snowdrop-lab-a1b2c3-", "snowdrop-lab-a1b2c3-1", "snowdrop-lab-a1b2c3-255",
		"snowdrop-lab-a1b2c3-web", "my-snowdrop-lab-a1b2c3", "snowdrop-lab-a1b2c3-2-2", "snowdrop-lab-../../",
	} {
		if id, ok := ownerOf(other); ok {
			t.Errorf("%s is taken for one of lab %s", other, id)
		}
	}
}

func TestLinksAreOursByNameAndAlias(t *testing.T) {
	t.Parallel()
	const id = labID("a1b2c3")
	tests := []struct {
		name, alias string
		want        bool
	}{
		{id.hostLink(), id.name() + "\n", true},
		{id.hostLink(), "", false},
		{id.hostLink(), "snowdrop-lab-ffffff", false},
		{id.hostLink() + "-2", id.name(), false},
		{"eth0", id.name(), false},
	}
	for _, test := range tests {
		if _, got := ownerOfLink(test.name, test.alias); got != test.want {
			t.Errorf("%s with the alias %q: %t", test.name, test.alias, got)
		}
	}
	if len(id.hostLink()) > 15 {
		t.Errorf("%s is too long for a link", id.hostLink())
	}
}

func TestMountsOfLabsAreReadOffTheTable(t *testing.T) {
	t.Parallel()
	const table = `21 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 21 7:0 / /var/tmp/snowdrop-lab-a1b2c3/2/root rw - ext4 /dev/loop0 rw
31 21 7:1 / /home/a\040b/snowdrop-lab-a1b2c3/3/root rw - ext4 /dev/loop1 rw
32 21 7:2 / /var/tmp/snowdrop-lab-ffffff/2/root rw - ext4 /dev/loop2 rw
33 21 7:3 / /var/tmp/snowdrop-lab-a1b2c3 rw - ext4 /dev/loop3 rw
34 21 7:4 / /var/tmp/other/2/root rw - ext4 /dev/loop4 rw
35 30 0:5 / /var/tmp/snowdrop-lab-a1b2c3/2/root/proc rw - proc proc rw
`
	got, err := mountsOfLabs(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	want := map[labID][]string{
		"a1b2c3": {"/var/tmp/snowdrop-lab-a1b2c3/2/root", "/home/a b/snowdrop-lab-a1b2c3/3/root"},
		"ffffff": {"/var/tmp/snowdrop-lab-ffffff/2/root"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFreeNetworkOverlapsNothingInUse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		taken []string
		want  string
	}{
		"nothing in use":                    {want: "10.89.0.0/24"},
		"another lab":                       {taken: []string{"10.89.0.0/24"}, want: "10.89.1.0/24"},
		"an address in the way":             {taken: []string{"10.89.0.7/32", "10.89.1.0/25"}, want: "10.89.2.0/24"},
		"the default and a company's route": {taken: []string{"0.0.0.0/0", "10.0.0.0/8"}, want: "10.89.0.0/24"},
		"all of it":                         {taken: []string{"10.89.0.0/16"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken []netip.Prefix
			for _, s := range test.taken {
				taken = append(taken, netip.MustParsePrefix(s))
			}
			got, err := freeSubnet(taken)
			if test.want == "" {
				if err == nil {
					t.Errorf("got %s", got)
				}
				return
			}
			if err != nil || got.String() != test.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestAddressesAreGivenOutLowestFirst(t *testing.T) {
	t.Parallel()
	subnet, used := netip.MustParsePrefix("10.89.7.0/24"), map[int]bool{2: true, 4: true}
	n, err := freeNumber(used)
	if err != nil || address(subnet, n).String() != "10.89.7.3" {
		t.Errorf("got number %d, %v", n, err)
	}
	for i := firstMachine; i <= lastMachine; i++ {
		used[i] = true
	}
	if n, err := freeNumber(used); err == nil {
		t.Errorf("got number %d of a full network", n)
	}
}

func TestRoutesAreReadOffTheKernelsTable(t *testing.T) {
	t.Parallel()
	got, err := parseRoutes(strings.NewReader(`Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0.0.0.0/0", "192.0.2.0/24"}
	var texts []string
	for _, p := range got {
		texts = append(texts, p.String())
	}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Error(diff)
	}
	if _, err := parseRoutes(strings.NewReader("eth0 xyz 0 1 0 0 0 0 0 0 0\n")); err == nil {
		t.Error("a damaged table is no error")
	}
}
