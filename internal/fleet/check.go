package fleet

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// check reports what is well-formed and cannot be meant. The nodes say where.
func (s *source) check(f *Fleet, root *node) {
	s.space(&f.Space, root)
	if n := root.get("flake"); n != nil && (f.Flake == "" || strings.Contains(f.Flake, "#")) {
		s.fault(n, "write it without the # part, such as . or github:owner/repo",
			"flake must be a flake reference, not %q", f.Flake)
	}
	cycles := root.get("cycles")
	known := sortedKeys(f.Cycles)
	if (cycles != nil && cycles.bad) || root.mistyped("cycles") {
		known = nil
	}
	for _, name := range sortedKeys(f.Cycles) {
		s.cycle(cycles.get(name), cycles.key(name), f.Cycles[name])
	}
	if defaults := root.get("defaults"); defaults != nil {
		s.values(defaults, f.Defaults, known)
	}
	servers := root.get("servers")
	if servers == nil || (servers.kind == mapping && len(servers.entries) == 0) {
		at := root.key("servers")
		if root.mistyped("servers") {
			return
		}
		if at == nil {
			at = root
		}
		s.fault(at, "add at least one under `servers:`", "the fleet has no servers")
		return
	}
	for _, e := range servers.entries {
		s.name(e.key, "server")
		merged := withDefaults(e.value, root.get("defaults"))
		s.values(merged, f.Servers[e.key.text], known)
		s.whole(merged, f.Servers[e.key.text])
	}
	s.owners(f, servers, root.get("defaults"))
	s.preview(root.get("preview"), f, servers)
}

// key is the node of a key itself, or nil.
func (n *node) key(name string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key.text == name {
			return e.key
		}
	}
	return nil
}

// mistyped says whether an unknown key was reported that is near a known one:
// then that one is not missing as well.
func (n *node) mistyped(keys ...string) bool {
	return slices.ContainsFunc(n.entries, func(e entry) bool {
		return e.key.bad && nearest(e.key.text, keys) != ""
	})
}

// need reports a missing key.
func (s *source) need(n *node, key, hint string) {
	if n.get(key) == nil && !n.bad && !n.mistyped(key) {
		s.fault(n.head(), hint, "%s is missing", join(n.path, key))
	}
}

func (s *source) name(key *node, of string) {
	if !validName.MatchString(key.text) {
		s.fault(key, "write lower-case letters, digits, - and _, beginning with a letter or a digit",
			"%q cannot be a %s's name", key.text, of)
	}
}

func (s *source) space(sp *Space, root *node) {
	n := root.get("space")
	if n == nil && root.mistyped("space") {
		return
	}
	if n == nil {
		at := root.key("space")
		if at == nil {
			at = root
		}
		s.fault(at, "write `space: {bucket: NAME, region: nyc3}`", "space is missing: images pass through a bucket")
		return
	}
	s.need(n, "bucket", "name the Space, or the bucket")
	s.matches(n.get("bucket"), validBucket, "a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")
	if n.get("region") == nil && n.get("endpoint") == nil && !n.mistyped("region", "endpoint") {
		s.fault(n.head(), "write `region: nyc3`, or `endpoint: https://…` for a bucket elsewhere",
			"%s has neither a region nor an endpoint", n.path)
	}
	s.matches(n.get("region"), validRegion, "write a region such as nyc3")
	if e := n.get("endpoint"); e != nil {
		s.endpoint(e, sp.Endpoint)
	}
	s.oneOf(n.get("delivery"), deliveries())
	s.positive(n.get("import-timeout"), sp.ImportTimeout)
	if strings.HasPrefix(sp.Prefix, "/") {
		s.fault(n.get("prefix"), "leave out the first /", "a key cannot begin with /")
	}
	if sp.Prefix != "" && !strings.HasSuffix(sp.Prefix, "/") {
		sp.Prefix += "/"
	}
}

func (s *source) endpoint(n *node, endpoint string) {
	u, err := url.Parse(endpoint)
	switch {
	case err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https"):
		if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			s.fault(n, "give the bucket as `bucket:`", "an endpoint is an address without a path")
		}
	case strings.Contains(endpoint, "://"):
		s.fault(n, "write https://HOST", "%q is not an address", endpoint)
	default:
		s.fault(n, "write https://"+endpoint, "%q is not an address: the scheme is missing", endpoint)
	}
}

func (s *source) cycle(n, key *node, c Cycle) {
	s.name(key, "cycle")
	s.matches(n.get("ref"), validRef, "write a branch, a tag, or latest-tag")
	if update := n.get("update"); update != nil && !update.bad {
		s.oneOf(update.get("via"), updateWays())
		if inputs := update.get("inputs"); inputs != nil && !inputs.bad {
			for _, item := range inputs.items {
				s.matches(item, validInput, "write the name of an input of the flake, such as nixpkgs")
			}
		}
		if c.Ref == "" {
			s.fault(update.head(), "add `ref:` with the branch whose lock file is to be updated", "%s is to be updated, and no branch is named", key.path)
		}
		if c.Ref == LatestTag {
			s.fault(update.head(), "write `ref: main`, or leave `update:` out", "the lock file of a tag cannot be updated")
		}
	}
	const hint = `write five fields in quotes: "0 3 * * *" is every night at three`
	at := n.get("cron")
	if at == nil {
		if n == nil || (!n.bad && !n.mistyped("cron")) {
			s.fault(key, hint, "%s.cron is missing", key.path)
		}
		return
	}
	if err := checkCron(c.Cron); err != nil {
		s.fault(at, hint, "%q is not a cron expression: %s", c.Cron, err)
	}
}

// owners reports droplets that two servers claim.
func (s *source) owners(f *Fleet, servers, defaults *node) {
	type owner struct {
		server string
		at     *node
	}
	claimed := map[string]owner{}
	claim := func(what, server string, at *node) {
		first, taken := claimed[what]
		switch {
		case !taken:
			claimed[what] = owner{server, at}
		case first.server == server:
			s.fault(at, "name it once", "%s is named twice", what)
		default:
			s.fault(at, "a machine runs one server; give each its own",
				"%s belongs to the servers %q (line %d) and %q", what, first.server, first.at.line, server)
		}
	}
	for _, e := range servers.entries {
		server := f.Servers[e.key.text]
		if server.Provider == SSHHosts {
			hosts := withDefaults(e.value, defaults).get("hosts")
			for i, host := range server.Hosts {
				if host.Address != "" {
					claim(fmt.Sprintf("the host at %s", host.Address), e.key.text, hosts.item(i))
				}
			}
			continue
		}
		at := withDefaults(e.value, defaults).get("droplets")
		if at == nil {
			at = e.key
		}
		for i, name := range server.Droplets.Names {
			place := at
			if names := at.get("names"); names != nil {
				place = names.item(i)
			}
			if name != "" {
				claim(fmt.Sprintf("droplet %q", name), e.key.text, place)
			}
		}
		if tag := at.get("tag"); tag != nil && !tag.bad {
			claim(fmt.Sprintf("every droplet with the tag %q", server.Droplets.Tag), e.key.text, tag)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
