package droplet

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

const hostKeyDir = "/etc/ssh"

// furnish puts on the disk what a start of the system makes: links to the system,
// /proc, host keys where there are none, users, and the volumes.
func (m *Machine) furnish(b *boot) error {
	root := view{m.fs, "root"}
	for _, dir := range []string{
		"/bin", "/dev", "/etc", "/mnt", "/nix/store", "/root", "/run", "/tmp", "/usr/bin", "/var/lib", "/var/log", "/home",
	} {
		if err := root.mkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	_ = root.alter("/root", func(n *node) { n.mode = n.mode&^0o777 | 0o700 })
	_ = root.alter("/tmp", func(n *node) { n.mode = n.mode&^0o777 | 0o777 })
	_ = root.remove("/run", true) // a tmpfs
	_ = root.mkdirAll("/run/systemd/system", 0o755)
	m.fs.proc("/proc/sys/kernel/random/boot_id", func() []byte { return []byte(b.id + "\n") })
	m.fs.proc("/proc/uptime", func() []byte {
		up := time.Since(b.at).Seconds()
		return fmt.Appendf(nil, "%.2f %.2f\n", up, up)
	})
	m.fs.put("/etc/hostname", m.cfg.Name+"\n", 0o644)
	m.fs.put("/etc/machine-id", strings.ReplaceAll(b.id, "-", "")+"\n", 0o444)
	m.users(b)
	if err := m.system(root, b); err != nil {
		return err
	}
	for name, dir := range m.volumes {
		if err := m.fs.mount("/mnt/"+name, dir); err != nil {
			return err
		}
	}
	return m.makeHostKeys()
}

// system makes what NixOS has and other systems have not.
func (m *Machine) system(root view, b *boot) error {
	if b.spec.System == "" {
		m.fs.put("/etc/os-release", "ID=ubuntu\nVERSION_ID=\"24.04\"\nPRETTY_NAME=\"Ubuntu 24.04 LTS\"\n", 0o644)
		return nil
	}
	version := b.spec.System[strings.LastIndex(b.spec.System, "-")+1:]
	m.fs.put("/etc/NIXOS", "", 0o644)
	m.fs.put("/etc/os-release", "ID=nixos\nVERSION_ID=\""+version+"\"\nPRETTY_NAME=\"NixOS "+version+"\"\n", 0o644)
	if err := storeSystem(root, b.spec); err != nil {
		return err
	}
	if b.spec.Name != "" { // as the NixOS module writes it
		m.fs.put("/etc/snowdrop/release.json", fmt.Sprintf("{\"server\": %q}\n", b.spec.Name), 0o644)
	}
	_ = root.mkdirAll("/nix/var/nix/profiles", 0o755)
	for link, target := range map[string]string{
		"/run/current-system":          b.spec.System,
		"/run/booted-system":           b.spec.System,
		"/nix/var/nix/profiles/system": b.spec.System,
	} {
		if err := root.symlink(target, link, true); err != nil {
			return err
		}
	}
	return nil
}

// known are the users that chown and logins know, by uid.
func known(b *boot) map[string]int {
	all := map[string]int{"root": 0, "nginx": 60, "postgres": 71, "sshd": 77, "systemd-network": 152, "deploy": 1000, "nobody": 65534}
	next := 1001
	for _, users := range [][]string{b.spec.Users, b.userManagers()} {
		slices.Sort(users)
		for _, u := range users {
			if _, ok := all[u]; !ok {
				all[u] = next
				next++
			}
		}
	}
	return all
}

// userManagers are the users whose systemd runs without a login.
func (b *boot) userManagers() []string {
	var users []string
	for u := range b.spec.UserUnits {
		users = append(users, u)
	}
	return users
}

func (m *Machine) users(b *boot) {
	var passwd strings.Builder
	for name, uid := range known(b) {
		home := "/home/" + name
		if name == "root" {
			home = "/root"
		}
		fmt.Fprintf(&passwd, "%s:x:%d:%d::%s:/bin/sh\n", name, uid, uid, home)
	}
	m.fs.put("/etc/passwd", passwd.String(), 0o644)
	for _, u := range b.userManagers() {
		m.fs.put("/var/lib/systemd/linger/"+u, "", 0o644)
		_ = view{m.fs, "root"}.mkdirAll("/home", 0o755)
		m.fs.put(fmt.Sprintf("/run/user/%d/bus", known(b)[u]), "", 0o666)
		m.fs.put(fmt.Sprintf("/run/user/%d/systemd/private", known(b)[u]), "", 0o666)
	}
}

// makeHostKeys does what sshd's key generation does at the first boot.
func (m *Machine) makeHostKeys() error {
	root := view{m.fs, "root"}
	_, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	ecPrivate, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make a host key: %w", err)
	}
	for kind, key := range map[string]any{"ed25519": edPrivate, "ecdsa": ecPrivate} {
		name := path.Join(hostKeyDir, "ssh_host_"+kind+"_key")
		if _, err := root.stat(name, true); err == nil {
			continue
		}
		block, err := ssh.MarshalPrivateKey(key, "root@"+m.cfg.Name)
		if err != nil {
			return fmt.Errorf("make a host key: %w", err)
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return fmt.Errorf("make a host key: %w", err)
		}
		m.fs.put(name, string(pem.EncodeToMemory(block)), 0o600)
		m.fs.put(name+".pub", string(ssh.MarshalAuthorizedKey(signer.PublicKey())), 0o644)
	}
	return nil
}

// readHostKeys makes the SSH server use the host keys that are on the disk now. A
// file that is no key is passed over, as sshd does.
func (m *Machine) readHostKeys() {
	root := view{m.fs, "root"}
	m.keys = nil
	entries, _ := root.readDir(hostKeyDir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "ssh_host_") || !strings.HasSuffix(e.Name(), "_key") {
			continue
		}
		data, err := root.readFile(path.Join(hostKeyDir, e.Name()))
		if err != nil {
			continue
		}
		if key, err := ssh.ParsePrivateKey(data); err == nil {
			m.keys = append(m.keys, key)
		}
	}
}

func (m *Machine) hostKeys() []ssh.Signer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys)
}
