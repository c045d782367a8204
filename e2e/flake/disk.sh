# Builds $out/disk.raw: an ext4 file system with the Debian tree at $basePath,
# ready to get a system. What all servers share, so it is built once.
set -eu
if [ ! -x "$basePath/usr/lib/systemd/systemd" ]; then
  echo "no Debian tree with systemd at $basePath (set path in base.nix); make one with:"
  echo "  debootstrap --variant=minbase --include=systemd-sysv,openssh-server,iproute2,udev,dbus trixie $basePath"
  exit 1
fi

# copy FLAGS: copies the tree. Nix lets no builder make setuid or setgid files:
# links keep those bits, directories and copies lose them, which is no fault here.
copy() {
  rm -rf tree
  mkdir tree
  cp "$1" "$basePath/." tree 2> faults || true
  ! grep -v 'preserving permissions' faults > other-faults
}

# Links instead of copies where the file system is the same. Nothing below writes
# into a file that is already there: it is removed first.
copy -al || copy -a || { cat other-faults; exit 1; }
cd tree
rm -rf var/lib/apt/lists var/cache/apt var/cache/debconf usr/share/doc usr/share/man usr/share/locale \
  usr/share/info usr/share/lintian usr/share/bash-completion usr/share/i18n usr/lib/udev/hwdb.bin \
  usr/lib/udev/hwdb.d usr/lib/x86_64-linux-gnu/gconv boot/* run/* tmp/* var/tmp/* var/log/journal
# Identity is made at the first boot, never in an image.
rm -f etc/ssh/ssh_host_* etc/machine-id var/lib/dbus/machine-id etc/hostname etc/resolv.conf root/.ssh/*
: > etc/machine-id
# Maintenance that a server in a test has no use for.
rm -f etc/systemd/system/timers.target.wants/* etc/systemd/system/getty.target.wants/*
rm -f etc/systemd/system/*.wants/sshd-keygen.service etc/systemd/system/sshd-keygen.service
cat > etc/systemd/system/sshd-keygen.service <<'UNIT'
[Unit]
Description=Generate the SSH host key that is missing
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
Before=ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
UNIT
ln -s ../sshd-keygen.service etc/systemd/system/ssh.service.wants/sshd-keygen.service
# Where the tree has Nix, it learns at the first boot which paths are there, as on NixOS.
cat > etc/systemd/system/register-nix-paths.service <<'UNIT'
[Unit]
Description=Register the Nix paths of the image
ConditionPathExists=/nix-path-registration
ConditionPathExists=/usr/bin/nix-store
Before=ssh.service nix-daemon.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c 'nix-store --register-validity < /nix-path-registration && rm /nix-path-registration'
UNIT
ln -s ../register-nix-paths.service etc/systemd/system/ssh.service.wants/register-nix-paths.service
# Nothing to bring up to date at the first boot (hardware database, ldconfig, …).
touch -r usr etc/.updated var/.updated
mkdir -p nix/store nix/var/nix/profiles etc/tmpfiles.d root/.ssh
chmod 700 root/.ssh
chmod 1777 tmp var/tmp
cd ..

# What is used, a third more for inodes and the like, and 64 MiB to write in.
size=$(($(du -sm tree | cut -f1) * 4 / 3 + 64))
mkdir "$out"
mke2fs -q -t ext4 -L nixos -m 0 -O ^has_journal -E lazy_itable_init=1,nodiscard -d tree -F "$out/disk.raw" "${size}M"
rm -rf tree
