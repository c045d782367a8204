package toplevel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// always is what NixOS lets in whatever the configuration says.
const always = "udp 546 to fe80::/64"

func TestPortsOfIptables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules  string
		want   []string
		unread bool
	}{
		"none":         {"", nil, false},
		"ports":        {"ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept \nip46tables -A nixos-fw -p udp --dport 53 -j nixos-fw-accept ", []string{"tcp 443", "udp 53"}, false},
		"a range":      {"ip46tables -A nixos-fw -p tcp --dport 3000:3010 -j nixos-fw-accept ", []string{"tcp 3000-3010"}, false},
		"an interface": {"ip46tables -A nixos-fw -p tcp --dport 9100 -j nixos-fw-accept -i wg0", []string{"tcp 9100 on wg0"}, false},
		"trusted":      {"ip46tables -A nixos-fw -i wg0 -j nixos-fw-accept", []string{"everything on wg0"}, false},
		"DHCP of containers": {
			"ip46tables -A nixos-fw -i ve-+ -p udp --dport 67 -j nixos-fw-accept", []string{"udp 67 on ve-+"}, false,
		},
		"a source":    {"iptables -A nixos-fw -p tcp --source 10.0.0.0/8 --dport 5432 -j nixos-fw-accept", []string{"tcp 5432 from 10.0.0.0/8"}, false},
		"one family":  {"iptables -A nixos-fw -p tcp --dport 25 -j nixos-fw-accept", []string{"tcp 25 over IPv4"}, false},
		"several":     {"/run/current-system/sw/bin/iptables -w -I INPUT 1 -p tcp -m multiport --dports 80,443 -j ACCEPT", []string{"tcp 443 over IPv4", "tcp 80 over IPv4"}, false},
		"a protocol":  {"ip46tables -A nixos-fw -p gre -j nixos-fw-accept", []string{"all gre"}, false},
		"continued":   {"ip46tables -A nixos-fw -p tcp \\\n  --dport 443 -j nixos-fw-accept", []string{"tcp 443"}, false},
		"to nowhere":  {"ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept 2>/dev/null || true", []string{"tcp 443"}, false},
		"a comment":   {"# ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept", nil, false},
		"taken away":  {"ip46tables -D nixos-fw -p tcp --dport 443 -j nixos-fw-accept", nil, false},
		"refused":     {"ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-refuse", nil, false},
		"forwarded":   {"iptables -A FORWARD -p tcp --dport 443 -j ACCEPT", nil, false},
		"nat":         {"iptables -t nat -A INPUT -p tcp --dport 443 -j ACCEPT", nil, false},
		"a variable":  {"for p in 1 2; do ip46tables -A nixos-fw -p tcp --dport $p -j nixos-fw-accept; done", nil, true},
		"not":         {"iptables -A nixos-fw -p tcp ! -s 10.0.0.0/8 --dport 443 -j nixos-fw-accept", nil, true},
		"a set":       {"iptables -A nixos-fw -m set --match-set friends src -j nixos-fw-accept", nil, true},
		"rate limits": {"iptables -A nixos-fw -p tcp --dport 22 -m conntrack --ctstate NEW -m limit --limit 3/min -j nixos-fw-accept", []string{"tcp 22 over IPv4"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := release1()
			n.ports = c.rules + "\n"
			snap := n.build(t, "1")
			if diff := cmp.Diff(sorted(append(c.want, always)), snap.Ports); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := len(snap.Unknown) > 0; got != c.unread {
				t.Errorf("unknown is %q", snap.Unknown)
			}
		})
	}
}

// nftRules are what nixpkgs writes with networking.nftables.enable.
const nftRules = `#! «nftables-1.1.3»/bin/nft -f
# previously: include
table inet nixos-fw
delete table inet nixos-fw
table inet nixos-fw {
  set temp-ports {
    comment "Temporarily opened ports"
    type inet_proto . inet_service
    flags interval
    auto-merge
  }

  chain rpfilter {
    type filter hook prerouting priority mangle + 10; policy drop;

    meta nfproto ipv4 udp sport . udp dport { 67 . 68, 68 . 67 } accept comment "DHCPv4 client/server"
    fib saddr . mark . iif oif exists accept
    jump rpfilter-allow
  }
  chain rpfilter-allow {
  }

  chain input {
    type filter hook input priority filter; policy drop;

    iifname { "lo" } accept comment "trusted interfaces"

    # Some ICMPv6 types like NDP is untracked
    ct state vmap {
      invalid : drop,
      established : accept,
      related : accept,
      new : jump input-allow,
      untracked: jump input-allow,
    }

    tcp flags syn / fin,syn,rst,ack log level info prefix "refused connection: "
  }

  chain input-allow {
    «»
    meta l4proto . th dport @temp-ports accept
    icmp type echo-request  accept comment "allow ping"
    icmpv6 type != { nd-redirect, 139 } accept comment "Accept all ICMPv6 messages except redirects and node information queries (type 139).  See RFC 4890, section 4.4."
    ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 client"
  }

  chain output-allow {
    tcp dport { 25 } accept
  }
}
`

func nftables(rules string) nixos {
	n := release1()
	n.more = func(s *fakeStore) {
		s.file("«nftables-rules»", rules)
		s.file("«nftables-save-deletions»", "#!«bash-5.2p37»/bin/bash\ncp x y\n")
		s.must(removeAll(s, "«system-units»/firewall.service"))
		s.unit("nftables.service", "[Service]\nExecStart=«nftables-rules»\nExecStart=«nftables-save-deletions»\n")
	}
	return n
}

func TestPortsOfNftables(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules  string
		want   []string
		unread bool
	}{
		"none":         {"", nil, false},
		"ports":        {"tcp dport { 22, 443, 3000-3010 } accept\nudp dport { 53 } accept", []string{"tcp 22", "tcp 3000-3010", "tcp 443", "udp 53"}, false},
		"one":          {"tcp dport 22 accept", []string{"tcp 22"}, false},
		"an interface": {"iifname wg0 tcp dport { 9100 } accept", []string{"tcp 9100 on wg0"}, false},
		"a source":     {"ip saddr 10.0.0.0/8 tcp dport 5432 accept", []string{"tcp 5432 from 10.0.0.0/8"}, false},
		"sources":      {`ip6 saddr { fc00::/7, fe80::/10 } tcp dport 24800 counter accept comment "synergy"`, []string{"tcp 24800 from fc00::/7, fe80::/10"}, false},
		"both":         {"meta l4proto { tcp, udp } th dport 53 accept", []string{"tcp 53", "udp 53"}, false},
		"in two lines": {"tcp dport {\n 22,\n 443\n} accept", []string{"tcp 22", "tcp 443"}, false},
		"in one line":  {"tcp dport 22 accept; tcp dport 443 accept", []string{"tcp 22", "tcp 443"}, false},
		"everything":   {"iifname wg0 accept", []string{"everything on wg0"}, false},
		"dropped":      {"tcp dport 22 drop", nil, false},
		"new ones":     {"ct state new tcp dport 22 accept\nct state { new, related } tcp dport 23 accept\nct state established,new tcp dport 24 accept", []string{"tcp 22", "tcp 23", "tcp 24"}, false},
		"old ones":     {"ct state established,related tcp dport 22 accept\nct state { established } accept", nil, false},
		"logged":       {`tcp dport 22 limit rate 3/second log prefix "ssh: " level info accept`, []string{"tcp 22"}, false},
		"a map":        {"tcp dport vmap { 22 : accept, 23 : drop }", nil, true},
		"all new ones": {"ct state vmap { new : accept, invalid : drop }", nil, true},
		"not":          {"ip saddr != 10.0.0.0/8 tcp dport 22 accept", nil, true},
		"a set":        {"ip saddr @friends accept", nil, true},
		"a mark":       {"meta mark 7 accept", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snap := nftables(strings.Replace(nftRules, "«»", c.rules, 1)).build(t, "1")
			if snap.Firewall != Nftables {
				t.Fatalf("the firewall is %q; %q", snap.Firewall, snap.Unknown)
			}
			if diff := cmp.Diff(sorted(append(c.want, always)), snap.Ports); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := len(snap.Unknown) > 0; got != c.unread {
				t.Errorf("unknown is %q", snap.Unknown)
			}
		})
	}
}

func TestARuleSetThatAcceptsByDefaultIsNotKnown(t *testing.T) {
	t.Parallel()
	snap := nftables("table inet own {\n chain in {\n type filter hook input priority 0; policy accept;\n tcp dport 23 drop\n }\n}\n").build(t, "1")
	if len(snap.Unknown) == 0 {
		t.Error("nothing says that more is open than the rules name")
	}
}

func TestRulesOfAFileThatIsIncluded(t *testing.T) {
	t.Parallel()
	const rules = "table inet own {\n chain in {\n type filter hook input priority 0; policy drop;\n tcp dport 22 accept\n }\n}\n"
	n := nftables("")
	first := n.more
	n.more = func(s *fakeStore) {
		first(s)
		s.file("«nftables-rules»", "#!«nft»\nflush ruleset\n  include \"«own.nft»\"\n")
		s.file("«own.nft»", rules)
	}
	snap := n.build(t, "1")
	if diff := cmp.Diff([]string{"tcp 22"}, snap.Ports); diff != "" || len(snap.Unknown) > 0 {
		t.Errorf("%s%q", diff, snap.Unknown)
	}
	n.more = func(s *fakeStore) {
		first(s)
		s.file("«nftables-rules»", "#!«nft»\nflush ruleset\n  include \"/etc/nftables.conf\"\n")
	}
	if snap = n.build(t, "1"); len(snap.Unknown) != 1 {
		t.Errorf("of a file outside of the store it says %q", snap.Unknown)
	}
}

func TestAFirewallThatGoesIsNotOverlooked(t *testing.T) {
	t.Parallel()
	none := release1()
	none.more = func(s *fakeStore) { s.must(removeAll(s, "«system-units»/firewall.service")) }
	on, off := release1().build(t, "1"), none.build(t, "1")

	d := Compare(on, off)
	if diff := cmp.Diff([]string{"everything: there is no firewall any more"}, d.PortsOpened); diff != "" || d.PortsClosed != nil {
		t.Errorf("%s%v", diff, d.PortsClosed)
	}
	d = Compare(off, on)
	if diff := cmp.Diff([]string{"everything but tcp 22, tcp 80, " + always + ": there was no firewall"}, d.PortsClosed); diff != "" || d.PortsOpened != nil {
		t.Errorf("%s%v", diff, d.PortsOpened)
	}
	d = Compare(off, Snapshot{Firewall: Nftables})
	if diff := cmp.Diff([]string{"everything: there was no firewall"}, d.PortsClosed); diff != "" {
		t.Error(diff)
	}
	if d = Compare(off, off); !d.Empty() {
		t.Errorf("%+v", d)
	}
}

func TestTheSamePortsWithAnotherFirewall(t *testing.T) {
	t.Parallel()
	d := Compare(release1().build(t, "1"), nftables(strings.Replace(nftRules, "«»", "tcp dport { 22, 80 } accept", 1)).build(t, "1"))
	if len(d.PortsOpened)+len(d.PortsClosed) > 0 {
		t.Errorf("opened %q, closed %q", d.PortsOpened, d.PortsClosed)
	}
}

func TestAFirewallOfAnotherKindIsNotGuessed(t *testing.T) {
	t.Parallel()
	n := release1()
	n.more = func(s *fakeStore) {
		s.must(removeAll(s, "«system-units»/firewall.service"))
		s.must(removeAll(s, "«unit-firewall.service»"))
		s.unit("firewall.service", "[Service]\nExecStart=«shorewall-5.2.8»/bin/shorewall start\n")
	}
	snap := n.build(t, "1")
	if snap.Firewall != "" || len(snap.Unknown) != 1 {
		t.Errorf("firewall %q, unknown %q", snap.Firewall, snap.Unknown)
	}
	if d := Compare(release1().build(t, "1"), snap); len(d.PortsClosed)+len(d.PortsOpened) > 0 {
		t.Errorf("ports were compared: %+v", d)
	}
}

func FuzzRules(f *testing.F) {
	f.Add(nftRules)
	f.Add("table a {\nchain b {\ntype filter hook input priority 0;\niifname\n")
	f.Add("table a { chain b { type filter hook input priority 0; tcp dport { 1, 2 accept")
	f.Add(firewallScript("iptables -A nixos-fw -p tcp --dport 1 -j ACCEPT -i"))
	f.Add("iptables -I INPUT")
	f.Fuzz(func(_ *testing.T, rules string) {
		var o openings
		o.nftables(rules)
		o.iptables(rules)
	})
}
