#!/bin/sh
# The part of NixOS's switch-to-configuration that matters here: make this system's
# files and units the ones in /etc, stop what it no longer has, start what it wants.
# What it prints, its lock and its exit statuses are the real one's: 4 when the
# system was switched to but units failed, 11 where another one holds the lock.
set -u
toplevel=@toplevel@
units=/etc/systemd/system

case ${1:-} in
switch | boot | test | dry-activate) ;;
*) echo "usage: $0 switch|boot|test|dry-activate" >&2; exit 1 ;;
esac
mkdir -p /run/nixos
exec 9> /run/nixos/switch-to-configuration.lock
if ! flock -n 9; then
  echo "Could not acquire lock" >&2
  exit 11
fi

# owned lists the links into the store below a directory of /etc.
owned() { find "$1" -mindepth 1 -type l -lname '/nix/store/*' 2> /dev/null | sort; }

stop= changed= restart=
for link in $(find "$units" -maxdepth 1 -type l -lname '/nix/store/*'); do
  name=${link##*/}
  [ -e "$toplevel/etc/systemd/system/$name" ] || stop="$stop $name"
done
for unit in "$toplevel"/etc/systemd/system/*; do
  [ -e "$unit" ] || continue
  cmp -s "$unit" "$units/${unit##*/}" || changed="$changed ${unit##*/}"
done
# A service whose configuration changes is restarted, as by restartTriggers.
if [ "$(owned /etc/ssh | xargs -r cat | cksum)" != "$(find "$toplevel/etc/ssh" -type f 2> /dev/null | sort | xargs -r cat | cksum)" ]; then
  restart=ssh.service
fi

if [ "$1" = dry-activate ]; then
  [ -z "$stop" ] || echo "would stop the following units:$stop" >&2
  [ -z "$changed$restart" ] || echo "would restart the following units:$changed $restart" >&2
  exit 0
fi
# The boot loader: what /run/current-system is at the next boot.
if [ "$1" != test ]; then
  printf 'L+ /run/%s-system - - - - %s\n' current "$toplevel" booted "$toplevel" > /etc/tmpfiles.d/nixos.conf || exit 1
fi
sync -f /nix/store
if [ "$1" = boot ]; then exit 0; fi

if [ -n "$stop" ]; then
  echo "stopping the following units:$stop" >&2
  systemctl stop $stop
fi
echo "activating the configuration..." >&2
for name in $stop; do rm -f "$units/$name" "$units/multi-user.target.wants/$name"; done
for name in $changed; do
  ln -sfn "$toplevel/etc/systemd/system/$name" "$units/$name"
  if grep -q '^\[Install\]' "$units/$name"; then ln -sfn "../$name" "$units/multi-user.target.wants/$name"; fi
done
owned /etc/ssh | xargs -r rm -f
(cd "$toplevel/etc" && find ssh -type f 2> /dev/null) | while read -r file; do
  ln -sfn "$toplevel/etc/$file" "/etc/$file"
done
ln -sfn "$toplevel" /run/current-system
systemctl reset-failed
systemctl daemon-reload || exit 3

start=
for name in $changed; do
  if grep -q '^\[Install\]' "$units/$name"; then start="$start $name"; fi
done
if [ -n "$restart$start" ]; then
  echo "restarting the following units: $restart$start" >&2
  systemctl restart $restart $start 2> /dev/null
fi
# Starting the target starts whatever it wants that does not run.
systemctl start multi-user.target
sleep 0.3

failed=$(systemctl list-units --state=failed,auto-restart --plain --no-legend | cut -d ' ' -f 1 | paste -s -d , | sed 's/,/, /g')
if [ -n "$failed" ]; then
  echo "warning: the following units failed: $failed" >&2
  systemctl status --no-pager --full $(echo "$failed" | tr -d ,) >&2
  exit 4
fi
exit 0
