package fleet

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// values reports bad values of a server, or of the defaults. Nil cycles are
// unknown ones: what was declared could not be read.
func (s *source) values(n *node, server Server, cycles []string) {
	if n.bad || n.kind != mapping {
		return
	}
	s.installable(n.get("image"))
	s.installable(n.get("system"))
	s.installable(n.get("vm"))
	s.oneOf(n.get("provider"), providers())
	s.hosts(n.get("hosts"))
	if at := n.get("cycle"); at != nil && cycles != nil && !slices.Contains(cycles, server.Cycle) {
		s.fault(at, cmp.Or(didYouMean(server.Cycle, cycles), "declare it under `cycles:`"),
			"there is no cycle %q", server.Cycle)
	}
	s.matches(n.get("url"), validURL, "write https:// and what follows")
	s.atLeast(n.get("keep"), server.Keep, 1)
	s.droplets(n.get("droplets"))
	s.ssh(n.get("ssh"), server.SSH)
	s.files(n.get("files"), server.Files)
	s.rollout(n.get("rollout"), server.Rollout)
	s.verify(n.get("verify"), server.Verify)
}

// whole reports what a server lacks, defaults included.
func (s *source) whole(n *node, server Server) {
	s.machines(n, server)
	ssh := n.get("ssh")
	if ssh == nil || ssh.bad || server.SSH.HostKeyPolicy != Strict {
		return
	}
	if len(server.SSH.HostKeys) == 0 && len(server.SSH.CertificateAuthorities) == 0 {
		s.fault(ssh.get("host-key-policy"), "add `host-keys:` or `certificate-authorities:`",
			"the strict policy of server %q has no key to check against", server.Name)
	}
}

func (s *source) installable(n *node) {
	if n == nil || (strings.Contains(n.text, "#") && !strings.HasSuffix(n.text, "#")) {
		return
	}
	hint := "write .#" + n.text
	if strings.Trim(n.text, "#.") == "" {
		hint = "write the attribute behind the #, such as .#web-image"
	}
	s.fault(n, hint, "%q is not an installable: FLAKE#ATTRIBUTE is wanted", n.text)
}

func (s *source) droplets(n *node) {
	names, tag := n.get("names"), n.get("tag")
	if names != nil && tag != nil {
		s.fault(n.key("tag"), "keep one of the two", "%s has names and a tag", n.path)
	}
	s.matches(tag, validTag, "a tag has letters, digits, : - and _")
	if names == nil || names.bad {
		return
	}
	if len(names.items) == 0 {
		s.fault(names, "leave the key out for the droplet of the server's name", "%s is empty", names.path)
	}
	for _, item := range names.items {
		s.matches(item, validDroplet, "a droplet's name has letters, digits, dots and hyphens")
	}
}

func (s *source) ssh(n *node, ssh SSH) {
	if n == nil || n.bad {
		return
	}
	s.user(n.get("user"))
	s.port(n.get("port"), ssh.Port)
	s.oneOf(n.get("address"), addresses())
	s.oneOf(n.get("host-key-policy"), policies())
	s.publicKeys(n.get("host-keys"), ssh.HostKeys)
	s.publicKeys(n.get("certificate-authorities"), ssh.CertificateAuthorities)
	if at := n.get("identity"); at != nil && ssh.Identity != nil {
		s.from(at, *ssh.Identity)
	}
	if at := n.get("jump"); at != nil && ssh.Jump != nil {
		s.need(at, "host", "")
		s.matches(at.get("host"), validHost, "write a host name or an address; the port is `port:`")
		s.port(at.get("port"), ssh.Jump.Port)
		s.user(at.get("user"))
		s.publicKeys(at.get("host-keys"), ssh.Jump.HostKeys)
	}
}

// from reports a source that has no field, or several.
func (s *source) from(n *node, from Source) {
	if n.bad || n.kind != mapping {
		return
	}
	given := 0
	for _, key := range []string{"env", "file", "command"} {
		if n.get(key) != nil {
			given++
		}
	}
	if given == 0 && n.mistyped("env", "file", "command") {
		return
	}
	if given != 1 {
		s.fault(n.head(), "give exactly one of env, file and command", "%s names %s", n.path, count(given))
		return
	}
	s.matches(n.get("env"), validEnv, "write the variable's name, without $")
	if at := n.get("file"); at != nil && from.File == "" {
		s.fault(at, "", "%s is empty", at.path)
	}
	if at := n.get("command"); at != nil && !at.bad && (len(from.Command) == 0 || strings.TrimSpace(at.item(0).text) == "") {
		s.fault(at, "", "%s is empty", at.path)
	}
}

func count(n int) string {
	return []string{"no source", "one source", "two sources", "three sources"}[n]
}

func (s *source) files(n *node, files []File) {
	if n == nil || n.bad {
		return
	}
	written := map[string]*node{}
	for i, file := range files {
		at := n.item(i)
		if at.bad {
			continue
		}
		s.need(at, "path", "")
		s.need(at, "from", "write `from: {env: NAME}`, or file or command")
		if p := at.get("path"); p != nil {
			s.filePath(p, file.Path)
			if first := written[file.Path]; first != nil {
				s.fault(p, "keep one of the two", "%s is written twice: line %d has it already", file.Path, first.line)
			}
			written[file.Path] = p
		}
		if from := at.get("from"); from != nil {
			s.from(from, file.From)
		}
		s.matches(at.get("mode"), validMode, `write three or four octal digits in quotes: "0400"`)
		s.user(at.get("owner"))
		s.user(at.get("group"))
		s.units(at.get("restart"), false)
	}
}

func (s *source) filePath(n *node, p string) {
	switch {
	case !path.IsAbs(p):
		s.fault(n, "write it from / on", "the path of a file must be absolute, not %q", p)
	case path.Clean(p) != p || p == "/":
		s.fault(n, "write "+path.Clean(p), "%q is not the path of a file", p)
	}
}

func (s *source) rollout(n *node, r Rollout) {
	if n == nil || n.bad {
		return
	}
	s.oneOf(n.get("on-failure"), reactions())
	s.atLeast(n.get("max-failures"), r.MaxFailures, 0)
	s.positive(n.get("rebuild-timeout"), r.RebuildTimeout)
	s.positive(n.get("confirm-timeout"), r.ConfirmTimeout)
}

func (s *source) verify(n *node, v Verify) {
	if n == nil || n.bad {
		return
	}
	s.units(n.get("units"), false)
	s.units(n.get("allow-failed"), true)
	if users := n.get("user-units"); users != nil && !users.bad {
		for _, e := range users.entries {
			s.user(e.key)
			s.units(e.value, false)
		}
	}
	if at := n.get("http"); at != nil {
		for i, check := range v.HTTP {
			s.http(at.item(i), check)
		}
	}
	if at := n.get("tcp"); at != nil {
		for i, port := range v.TCP {
			s.port(at.item(i), port)
		}
	}
	if at := n.get("run"); at != nil {
		for i, command := range v.Run {
			if strings.TrimSpace(command) == "" {
				s.fault(at.item(i), "", "%s is empty", at.item(i).path)
			}
		}
	}
	s.positive(n.get("timeout"), v.Timeout)
	if at := n.get("soak"); at != nil && v.Timeout > 0 && v.Soak >= v.Timeout {
		s.fault(at, "make the timeout longer", "a soak of %s cannot end within the timeout of %s", v.Soak, v.Timeout)
	}
}

func (s *source) http(n *node, check HTTPCheck) {
	if n.bad {
		return
	}
	s.need(n, "url", `write url: "http://{{.IPv4}}/"`)
	if at := n.get("url"); at != nil && !at.bad {
		s.urlTemplate(at, check)
	}
	if at := n.get("status"); at != nil && (check.Status < 100 || check.Status > 599) {
		s.fault(at, "", "%d is not an HTTP status: they go from 100 to 599", check.Status)
	}
}
