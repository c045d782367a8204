package fleet

// hosts reports bad hosts of a server of provider ssh.
func (s *source) hosts(n *node) {
	if n == nil || n.bad {
		return
	}
	seen := map[string]*node{}
	for _, item := range n.items {
		if item.bad {
			continue
		}
		s.need(item, "name", "name the machine, as in {name: db-1, address: 203.0.113.7}")
		s.matches(item.get("name"), validDroplet, "a host's name has letters, digits, dots and hyphens")
		s.matches(item.get("address"), validHost, "write a host name or an address; the port is `ssh.port`")
		name := item.get("name")
		if name == nil || name.bad {
			continue
		}
		// Two without an address have the same one, which is told already.
		if first := seen[name.text]; first != nil && item.get("address") != nil {
			s.fault(name, "name it once", "host %q stands in line %d already", name.text, first.line)
		}
		seen[name.text] = name
	}
}

// machines reports a server whose machines are those of the other provider.
func (s *source) machines(n *node, server Server) {
	if n == nil || n.bad {
		return
	}
	hosts, droplets := n.get("hosts"), n.get("droplets")
	if server.Provider != SSHHosts {
		if hosts != nil && !hosts.bad {
			s.fault(hosts.head(), "add `provider: ssh`, or name droplets with `droplets:`",
				"server %q has hosts, and its provider is %s", server.Name, server.Provider)
		}
		return
	}
	if droplets != nil {
		s.fault(droplets.head(), "name its machines with `hosts:`", "server %q of provider ssh has no droplets", server.Name)
	}
	if (hosts == nil || len(hosts.items) == 0 && !hosts.bad) && !n.mistyped("hosts") {
		at := n.get("provider")
		s.fault(at, "write `hosts: [{name: NAME, address: ADDRESS}]`", "server %q of provider ssh has no hosts", server.Name)
	}
	if at := n.get("image"); at != nil {
		s.fault(at, "give the installable of its system with `system:`", "server %q of provider ssh gets no image", server.Name)
	}
}
