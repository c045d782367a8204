package toplevel

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
)

// firewall reads what the firewall lets in from what its unit runs: a script of
// iptables (nixpkgs' nixos/modules/services/networking/firewall-iptables.nix) or a set
// of rules (firewall-nftables.nix and nftables.nix).
func (t *taker) firewall() {
	if t.out.Units == nil {
		t.unknown("open ports are not known: the units were not read, and the firewall is one of them")
		return
	}
	script, ok := t.runs("firewall.service", func(text string) bool { return strings.Contains(text, "nixos-fw") })
	rules, hasRules := t.runs("nftables.service", func(text string) bool {
		return strings.Contains(text, "table ") || include.MatchString(text)
	})
	if !ok || !hasRules {
		return
	}
	var open openings
	t.out.Firewall = NoFirewall
	if rules != "" {
		t.out.Firewall = Nftables
		open.nftables(t.included(rules))
	}
	if script != "" {
		t.out.Firewall = Iptables
		open.iptables(script)
	}
	t.out.Ports = sorted(open.ports)
	if open.unread > 0 {
		t.unknown("more ports may be open: %s not understood", count(open.unread, "rule of the firewall is", "rules of the firewall are"))
	}
}

// runs is the text that a unit executes and that is what is looked for; empty where
// there is no such unit. ok is false where the unit is there and the text is not
// found, which Unknown then says.
func (t *taker) runs(unit string, is func(string) bool) (text string, ok bool) {
	body, err := t.store.text(t.top+"/etc/systemd/system/"+unit, maxFile)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNull) {
		return "", true
	}
	if err != nil {
		t.unknown("open ports are not known: %s %s", unit, reason(err))
		return "", false
	}
	for _, line := range unitLines(body) {
		if !strings.HasPrefix(line, "ExecStart=") {
			continue
		}
		for _, m := range t.paths.FindAllStringSubmatch(line, -1) {
			script, err := t.store.text(m[1]+"-"+m[2]+m[3], maxFile)
			if err == nil && is(script) {
				return script, true
			}
		}
	}
	t.unknown("open ports are not known: what %s runs is not what NixOS writes", unit)
	return "", false
}

// included puts the files of the store into a set of rules that includes them, as
// networking.nftables.rulesetFile makes it do. A file that cannot be read is left as a
// chain that is not understood.
func (t *taker) included(rules string) string {
	return include.ReplaceAllStringFunc(rules, func(line string) string {
		if m := t.paths.FindStringSubmatch(line); m != nil {
			if text, err := t.store.text(m[1]+"-"+m[2]+m[3], maxFile); err == nil {
				return "\n" + text
			}
		}
		return "\n" + notRead
	})
}

// include is a line that includes a file, and notRead what stands for one that is not
// there to be read.
var include = regexp.MustCompile(`(?m)^[ \t]*include[ \t]+"[^"\n]*"[ \t]*;?$`)

const notRead = "table inet not-read {\n chain input {\n type filter hook input priority 0; policy accept;\n }\n}\n"

// openings are the ports that rules open.
type openings struct {
	ports []string
	// unread is how many rules that let something in were not understood.
	unread int
}

// opening is what a rule says before it accepts.
type opening struct {
	proto    []string // tcp, udp; none for all
	ports    []string // "443", "3000-3010"; none for all
	iface    []string
	from, to string
	family   string // IPv4 or IPv6 where the rule is for one only
	answers  bool   // only packets of connections that are there already
}

// add words an opening for each of its ports: "tcp 443", "tcp 3000-3010 on eth1",
// "tcp 5432 from 10.0.0.0/8", "everything on wg0".
func (o *openings) add(r opening) {
	where := ""
	if len(r.iface) > 0 {
		where += " on " + strings.Join(r.iface, ", ")
	}
	if r.from != "" {
		where += " from " + r.from
	}
	if r.to != "" {
		where += " to " + r.to
	}
	if r.family != "" && r.from == "" && r.to == "" {
		where += " over " + r.family
	}
	if len(r.proto) == 0 {
		o.ports = append(o.ports, "everything"+where)
	}
	for _, proto := range r.proto {
		if len(r.ports) == 0 {
			o.ports = append(o.ports, "all "+proto+where)
		}
		for _, port := range r.ports {
			o.ports = append(o.ports, proto+" "+port+where)
		}
	}
}
