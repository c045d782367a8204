#!/bin/sh
# The part of NixOS's switch-to-configuration that matters here: make this system
# the current one, start what it wants, stop what it no longer has. Like the real
# one it exits with 4 when the system was switched to but units failed.
set -u
toplevel=@toplevel@
units=/etc/systemd/system

case ${1:-} in
switch | boot | test) ;;
dry-activate) echo "would switch to $toplevel"; exit 0 ;;
*) echo "usage: $0 switch|boot|test|dry-activate" >&2; exit 1 ;;
esac

if [ "$1" != test ]; then
  ln -sfn "$toplevel" /nix/var/nix/profiles/system
  printf 'L+ /run/%s-system - - - - %s\n' current "$toplevel" booted "$toplevel" > /etc/tmpfiles.d/nixos.conf
fi
[ "$1" = boot ] && exit 0

changed=
for link in "$units"/*; do
  name=${link##*/}
  case $(readlink "$link") in
  /nix/store/*) ;;
  *) continue ;;
  esac
  if [ ! -e "$toplevel/etc/systemd/system/$name" ]; then
    systemctl stop "$name"
    rm -f "$link" "$units/multi-user.target.wants/$name"
  fi
done
for unit in "$toplevel"/etc/systemd/system/*; do
  name=${unit##*/}
  cmp -s "$unit" "$units/$name" && continue
  ln -sfn "$unit" "$units/$name"
  if grep -q '^\[Install\]' "$unit"; then
    ln -sfn "../$name" "$units/multi-user.target.wants/$name"
    changed="$changed $name"
  fi
done
ln -sfn "$toplevel" /run/current-system
systemctl daemon-reload

failed=
for name in $changed; do
  systemctl restart "$name" || failed="$failed $name"
done
if [ -n "$failed" ]; then
  echo "warning: the following units failed:$failed" >&2
  exit 4
fi
