package toplevel

import (
	"crypto/sha256"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// fakeStore is a store below a folder of the test's own.
type fakeStore struct {
	t    *testing.T
	root string
	// build goes into every hash: with another one the same packages have other paths,
	// as after a rebuild.
	build string
}

func newStore(t *testing.T) *fakeStore {
	return &fakeStore{t: t, root: t.TempDir(), build: "1"}
}

// path is the store path of a name, such as "nginx-1.26.3".
func (s *fakeStore) path(name string) string {
	const alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
	sum := sha256.Sum256([]byte(s.build + name))
	hash := make([]byte, 32)
	for i := range hash {
		hash[i] = alphabet[sum[i]%32]
	}
	return "/nix/store/" + string(hash) + "-" + name
}

// fill replaces «name» by the store path of that name.
func (s *fakeStore) fill(text string) string {
	return regexp.MustCompile("«[^»]*»").ReplaceAllStringFunc(text, func(name string) string {
		return s.path(strings.Trim(name, "«»"))
	})
}

// file writes a file; «name» is filled in its name and its text.
func (s *fakeStore) file(name, text string) {
	s.t.Helper()
	at := filepath.Join(s.root, s.fill(name))
	s.must(os.MkdirAll(filepath.Dir(at), 0o755))
	s.must(os.WriteFile(at, []byte(s.fill(text)), 0o644))
}

func (s *fakeStore) link(name, target string) {
	s.t.Helper()
	at := filepath.Join(s.root, s.fill(name))
	s.must(os.MkdirAll(filepath.Dir(at), 0o755))
	s.must(os.Symlink(s.fill(target), at))
}

func (s *fakeStore) folder(name string) {
	s.t.Helper()
	s.must(os.MkdirAll(filepath.Join(s.root, s.fill(name)), 0o755))
}

func (s *fakeStore) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// unit adds a unit as nixpkgs does: a store path of its own, and a link to it.
func (s *fakeStore) unit(name, text string) {
	own := "unit-" + strings.NewReplacer("@", "-", `\`, "-").Replace(name)
	s.file("«"+own+"»/"+name, text)
	s.link("«system-units»/"+name, "«"+own+"»/"+name)
}

// nixos is a toplevel as nixpkgs builds it, with an edit to each part.
type nixos struct {
	version, kernel, systemd, openssh, nginx, coreutils string
	params                                              string
	ports                                               string // lines of firewall-start
	users                                               string // JSON
	nginxConf                                           string
	more                                                func(s *fakeStore)
}

func release1() nixos {
	return nixos{
		version: "25.05.20250601.a1b2c3d", kernel: "6.12.31", systemd: "257.5", openssh: "10.0p2",
		nginx: "1.28.0", coreutils: "9.7", params: "console=ttyS0 loglevel=4",
		ports: "ip46tables -A nixos-fw -p tcp --dport 22 -j nixos-fw-accept \n" +
			"ip46tables -A nixos-fw -p tcp --dport 80 -j nixos-fw-accept \n",
		users:     `{"mutableUsers":false,"users":[{"name":"root","hashedPassword":"$6$hush"},{"name":"nginx"},{"name":"deploy","password":"hush"}],"groups":[]}`,
		nginxConf: "user nginx;\nworker_processes 1;\n",
	}
}

// build writes the system to a store of its own and takes its snapshot.
func (n nixos) build(t *testing.T, build string) Snapshot {
	t.Helper()
	s := newStore(t)
	s.build = build
	return n.in(s)
}

func (n nixos) in(s *fakeStore) Snapshot {
	s.t.Helper()
	top := "«nixos-system-web-" + n.version + "»"
	s.file(top+"/nixos-version", n.version)
	s.file(top+"/system", "x86_64-linux")
	s.file(top+"/kernel-params", n.params)
	s.file("«linux-"+n.kernel+"»/bzImage", "\x00kernel")
	s.link(top+"/kernel", "«linux-"+n.kernel+"»/bzImage")
	s.file("«initrd-linux-"+n.kernel+"»/initrd", "\x00initrd")
	s.link(top+"/initrd", "«initrd-linux-"+n.kernel+"»/initrd")
	s.folder("«systemd-" + n.systemd + "»")
	s.link(top+"/systemd", "«systemd-"+n.systemd+"»")
	s.file("«users-groups.json»", n.users)
	s.file(top+"/activate", "#!«bash-5.2p37»/bin/bash\n«perl-5.40.0-env»/bin/perl \\\n-w «update-users-groups.pl» «users-groups.json»\n")
	s.link(top+"/etc", "«etc»/etc")
	s.link("«etc»/etc/systemd/system", "«system-units»")

	path := `Environment="PATH=«coreutils-` + n.coreutils + `»/bin:«systemd-` + n.systemd + `»/bin"` + "\n"
	s.file("«nginx-"+n.nginx+"»/bin/nginx", "\x7fELF\x00")
	s.file("«nginx.conf»", n.nginxConf)
	s.file("«unit-script-nginx-pre-start»/bin/nginx-pre-start", "#!«bash-5.2p37»/bin/bash\nset -e\n«coreutils-"+n.coreutils+"»/bin/mkdir -p /run/nginx\n")
	s.unit("nginx.service", "[Unit]\nAfter=network.target\nDescription=Nginx Web Server\n\n[Service]\n"+path+
		"X-StopIfChanged=false\nExecStartPre=«unit-script-nginx-pre-start»/bin/nginx-pre-start\n"+
		"ExecStart=«nginx-"+n.nginx+"»/bin/nginx -c «nginx.conf»\nUser=nginx\n\n[Install]\nWantedBy=multi-user.target\n")
	s.link("«system-units»/multi-user.target.wants/nginx.service", "../nginx.service")
	s.unit("sshd.service", "[Unit]\nDescription=SSH Daemon\n\n[Service]\n"+path+
		"X-StopIfChanged=false\nExecStart=«openssh-"+n.openssh+"»/bin/sshd -D -f /etc/ssh/sshd_config\n\n[Install]\nWantedBy=multi-user.target\n")
	// An upstream unit with a drop-in of NixOS's.
	s.file("«systemd-"+n.systemd+"»/example/systemd/system/systemd-journald.service", "#  SPDX-License-Identifier: LGPL-2.1-or-later\n\n[Unit]\nDescription=Journal Service\n\n[Service]\nExecStart=«systemd-"+n.systemd+"»/lib/systemd/systemd-journald\n")
	s.link("«system-units»/systemd-journald.service", "«systemd-"+n.systemd+"»/example/systemd/system/systemd-journald.service")
	s.file("«unit-systemd-journald.service»/systemd-journald.service", "[Service]\n"+path+"X-RestartIfChanged=false\n")
	s.link("«system-units»/systemd-journald.service.d/overrides.conf", "«unit-systemd-journald.service»/systemd-journald.service")
	s.unit("multi-user.target", "[Unit]\nDescription=Multi-User System\n")
	s.link("«system-units»/default.target", "multi-user.target")
	s.link("«unit-rescue.service-disabled»/rescue.service", "/dev/null")
	s.link("«system-units»/rescue.service", "«unit-rescue.service-disabled»/rescue.service")
	s.file("«firewall-start»/bin/firewall-start", firewallScript(n.ports))
	s.unit("firewall.service", "[Unit]\nDescription=Firewall\n\n[Service]\nX-ReloadIfChanged=true\nExecStart=@«firewall-start»/bin/firewall-start firewall-start\n")
	if n.more != nil {
		n.more(s)
	}
	snap, err := Take(s.root, s.fill(top))
	s.must(err)
	return snap
}

// firewallScript is firewall-start as nixpkgs writes it, around its rules for ports.
func firewallScript(ports string) string {
	return `#! «bash-5.2p37»/bin/bash -e
ip46tables() {
  iptables -w "$@"
  ip6tables -w "$@"
}
ip46tables -D INPUT -j nixos-fw 2> /dev/null || true
for chain in nixos-fw nixos-fw-accept nixos-fw-log-refuse nixos-fw-refuse; do
  ip46tables -F "$chain" 2> /dev/null || true
  ip46tables -X "$chain" 2> /dev/null || true
done
ip46tables -N nixos-fw-accept
ip46tables -A nixos-fw-accept -j ACCEPT
ip46tables -N nixos-fw-log-refuse
ip46tables -A nixos-fw-log-refuse -p tcp --syn -j LOG --log-level info --log-prefix "refused connection: "
ip46tables -A nixos-fw-log-refuse -j nixos-fw-refuse
ip46tables -N nixos-fw
ip46tables -t mangle -A nixos-fw-rpfilter -m rpfilter --validmark  -j RETURN
iptables -t mangle -A nixos-fw-rpfilter -p udp --sport 67 --dport 68 -j RETURN
# Accept all traffic on the trusted interfaces.
ip46tables -A nixos-fw -i lo -j nixos-fw-accept
# Accept packets from established or related connections.
ip46tables -A nixos-fw -m conntrack --ctstate ESTABLISHED,RELATED -j nixos-fw-accept
` + ports + `iptables -w -A nixos-fw -p icmp --icmp-type echo-request -j nixos-fw-accept
ip6tables -A nixos-fw -p icmpv6 --icmpv6-type redirect -j DROP
ip6tables -A nixos-fw -p icmpv6 -j nixos-fw-accept
ip6tables -A nixos-fw -d fe80::/64 -p udp --dport 546 -j nixos-fw-accept
ip46tables -A nixos-fw -j nixos-fw-log-refuse
ip46tables -A INPUT -j nixos-fw
`
}

// golden compares a text with the one in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	at := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(at, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", at, diff)
	}
}
