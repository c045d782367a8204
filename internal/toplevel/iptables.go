package toplevel

import (
	"path"
	"slices"
	"strings"
)

// iptables reads the rules of a script that lets packets in: those of the chain
// nixos-fw, and of INPUT itself, where extraCommands may put some. The last part of
// NixOS's own rules are such as
//
//	ip46tables -A nixos-fw -p tcp --dport 443 -j nixos-fw-accept -i eth1
func (o *openings) iptables(script string) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	for line := range strings.Lines(script) {
		fields := words(strings.TrimSpace(line))
		fields = slices.DeleteFunc(fields, func(f string) bool { return strings.TrimSpace(f) == "" })
		at := slices.IndexFunc(fields, func(f string) bool {
			return slices.Contains([]string{"ip46tables", "iptables", "ip6tables"}, path.Base(f))
		})
		if at < 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		var family string
		switch path.Base(fields[at]) {
		case "iptables":
			family = "IPv4"
		case "ip6tables":
			family = "IPv6"
		}
		o.rule(fields[at+1:], family)
	}
}

// rule reads the arguments of one call of iptables.
func (o *openings) rule(args []string, family string) {
	r := opening{family: family}
	chain, target, plain := "", "", true
	for i := 0; i < len(args); i++ {
		arg := strings.Trim(args[i], `"'`)
		value := ""
		if i+1 < len(args) {
			value = strings.Trim(args[i+1], `"';`)
		}
		switch arg {
		case "-A", "--append", "-I", "--insert":
			chain = value
			if i+2 < len(args) && isNumber(args[i+2]) {
				i++ // the place in the chain
			}
		case "-j", "--jump", "-g", "--goto":
			target = value
		case "-p", "--protocol", "--proto":
			r.proto = []string{value}
		case "--dport", "--destination-port", "--dports", "--destination-ports":
			r.ports = strings.Split(strings.ReplaceAll(value, ":", "-"), ",")
		case "-i", "--in-interface":
			r.iface = []string{value}
		case "-s", "--source", "--src":
			r.from = value
		case "-d", "--destination", "--dst":
			r.to = value
		case "-t", "--table":
			if value != "filter" {
				return
			}
		case "--ctstate", "--state":
			if value != "NEW" {
				return // Answers to what this side began.
			}
		case "-m", "--match":
			plain = plain && slices.Contains([]string{"tcp", "udp", "multiport", "conntrack", "state", "comment", "limit"}, value)
		case "--comment", "--limit", "--limit-burst":
		case "-w", "--wait":
			continue
		default:
			if ends(arg) {
				i = len(args)
				continue
			}
			plain = false
			continue
		}
		i++
	}
	lets := target == "ACCEPT" || target == "nixos-fw-accept"
	mine := chain == "INPUT" || chain == "nixos-fw"
	icmp := len(r.proto) == 1 && strings.Contains(r.proto[0], "icmp")
	if !lets || !mine || icmp || slices.Contains(r.iface, "lo") {
		return
	}
	for _, p := range slices.Concat(r.proto, r.ports, r.iface, []string{r.from, r.to}) {
		plain = plain && !strings.ContainsAny(p, "$`")
	}
	if !plain {
		o.unread++
		return
	}
	o.add(r)
}

// ends says whether a word of a shell's line is behind the command.
func ends(word string) bool {
	return strings.HasPrefix(word, "2>") || strings.HasPrefix(word, ">") || slices.Contains([]string{"||", "&&", ";", "|", "done", "fi"}, word)
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
