# What a host is, before NixOS is installed on it. For any POSIX shell and any
# Unix; the disks that would be formatted are the arguments. Each line of the
# answer begins with a word that says what it is, and the last one is "end".
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin:/run/current-system/sw/bin
say() { printf '%s %s\n' "$1" "$2"; }
there() { command -v "$1" >/dev/null 2>&1; }
quiet() { "$@" 2>/dev/null; }

echo 'snowdrop-install v1'
say os "$(uname -s)"
say arch "$(uname -m)"
say kernel "$(uname -r)"
say uid "$(id -u)"
for s in sudo doas; do
	there $s && $s -n true </dev/null >/dev/null 2>&1 && say sudo $s && break
done
[ -r /etc/os-release ] && sed 's/^/release /' /etc/os-release
[ -r /proc/sys/kernel/random/boot_id ] && say boot "$(cat /proc/sys/kernel/random/boot_id)"
[ -e /run/current-system ] && say system "$(readlink -f /run/current-system)"

if there systemd-detect-virt; then
	say container "$(quiet systemd-detect-virt --container)"
elif [ -e /.dockerenv ]; then
	say container docker
elif [ -e /run/.containerenv ]; then
	say container podman
elif [ -d /proc/vz ] && [ ! -d /proc/bc ]; then
	say container openvz
fi

if [ "$(uname -s)" = Linux ]; then
	if [ -r /proc/sys/kernel/kexec_load_disabled ]; then
		say kexec "$(cat /proc/sys/kernel/kexec_load_disabled)"
	elif [ -e /sys/kernel/kexec_loaded ]; then
		say kexec 0
	else
		say kexec none
	fi
	[ -r /sys/kernel/security/lockdown ] && say lockdown "$(cat /sys/kernel/security/lockdown)"
	[ -r /proc/meminfo ] && say memory "$(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
fi
for p in bash tar gzip cpio setsid find; do
	there $p || say missing $p
done

for d do
	say device "$d"
	[ -e "$d" ] && say is "$(readlink -f "$d")"
done
if there lsblk; then
	# MOUNTPOINTS came with util-linux 2.37.
	{ quiet lsblk -J -b -o NAME,TYPE,SIZE,MODEL,FSTYPE,MOUNTPOINTS || lsblk -J -b -o NAME,TYPE,SIZE,MODEL,FSTYPE,MOUNTPOINT 2>&1; } | sed 's/^/disk /'
else
	echo 'nodisk it has no lsblk'
fi
for k in /etc/ssh/ssh_host_*_key.pub; do
	[ -r "$k" ] && sed 's/^/key /' "$k"
done
echo end
