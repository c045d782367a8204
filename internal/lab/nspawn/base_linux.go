package nspawn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The size of a base image's disk, of which its system takes a fifth.
const baseSize = "1500M"

// EnsureBase makes sure that dir holds the tree of a plain Debian with systemd and
// an SSH server, for BaseImage. If it is not there, debootstrap makes it, which
// takes a minute or two and the network. A tree is there whole or not at all.
func EnsureBase(ctx context.Context, dir string) error {
	if isBase(dir) {
		return nil
	}
	if _, err := exec.LookPath("debootstrap"); err != nil {
		return &MissingError{Programs: []string{"debootstrap"}, Packages: []string{"debootstrap"}}
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // A parent such as /var/tmp.
		return fmt.Errorf("make the base system: %w", err)
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".*.part")
	if err != nil {
		return fmt.Errorf("make the base system: %w", err)
	}
	err = run(ctx, "debootstrap", "--variant=minbase",
		"--include=systemd-sysv,openssh-server,iproute2,udev,dbus", "trixie", half)
	if err == nil {
		err = os.Chmod(half, 0o755) //nolint:gosec // It is to be the root directory of a system.
	}
	if err == nil {
		err = os.Rename(half, dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the base system in %s: %w", dir, err), removeAll(half))
	}
	return nil
}

func isBase(dir string) bool {
	for _, program := range []string{"usr/lib/systemd/systemd", "usr/sbin/sshd"} {
		if info, err := os.Stat(filepath.Join(dir, program)); err != nil || !info.Mode().IsRegular() {
			return false
		}
	}
	return true
}

// BaseImage makes a raw image of what a droplet runs before its first deploy: the
// system in tree, which is only read, with host keys and a machine id of its own at
// each first boot. dst is written whole or not at all, and replaced if it is there.
func BaseImage(ctx context.Context, tree, dst string) error {
	work, err := os.MkdirTemp(filepath.Dir(dst), filepath.Base(dst)+".*.part")
	if err != nil {
		return fmt.Errorf("make the base image: %w", err)
	}
	root, image := filepath.Join(work, rootDir), filepath.Join(work, diskFile)
	err = run(ctx, "cp", "-a", "--reflink=auto", tree, root)
	if err == nil {
		err = generalize(root)
	}
	if err == nil {
		err = run(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, "-F", image, baseSize)
	}
	if err == nil {
		err = os.Rename(image, dst)
	}
	if err != nil {
		err = fmt.Errorf("make the base image %s of %s: %w", dst, tree, err)
	}
	return errors.Join(err, removeAll(work))
}

// sshHostKeys makes a host key before the SSH server starts, if there is none.
// Debian's own unit for it runs at a "first boot" only, which for systemd also means
// to enable every unit there is.
const sshHostKeys = `[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'test -e /etc/ssh/ssh_host_ed25519_key || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
ExecStartPre=/usr/sbin/sshd -t
`

// generalize takes away what two droplets must not share.
func generalize(tree string) error {
	root, err := os.OpenRoot(tree)
	if err != nil {
		return fmt.Errorf("generalize the system: %w", err)
	}
	defer root.Close()
	keys, err := filepath.Glob(filepath.Join(tree, "etc/ssh/ssh_host_*"))
	if err != nil {
		return fmt.Errorf("generalize the system: %w", err)
	}
	for _, key := range keys {
		if err := root.Remove(filepath.Join("etc/ssh", filepath.Base(key))); err != nil {
			return fmt.Errorf("remove a host key: %w", err)
		}
	}
	// An empty machine id is filled in at boot; the two marks say that no caches are
	// to be rebuilt then (systemd-update-done.service(8)).
	for path, text := range map[string]string{
		"etc/machine-id":  "",
		"etc/.updated":    "",
		"var/.updated":    "",
		"etc/hostname":    "ubuntu\n",
		"etc/resolv.conf": "",
		"etc/systemd/system/ssh.service.d/10-host-keys.conf": sshHostKeys,
	} {
		if err := root.RemoveAll(path); err != nil {
			return fmt.Errorf("remove /%s: %w", path, err)
		}
		if err := writeFile(root, path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
