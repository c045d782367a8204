# The system's programs on NixOS, sudo's wrapper there, and Debian's places.
PATH="${PATH:+$PATH:}$root/run/current-system/sw/bin:/run/wrappers/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER=''
export PATH LC_ALL SYSTEMD_COLORS SYSTEMD_PAGER
unit=snowdrop-switch
run=$root/run/snowdrop-switch
dir=$run/$id
profile=$root/nix/var/nix/profiles/system

# followed prints a link's end as the machine itself sees it.
followed() {
  end=$(readlink -f "$1" 2>/dev/null) || return 0
  printf '%s\n' "${end#"$root"}"
}
current() { followed "$root/run/current-system"; }
persisted() { if [ -e "$profile" ]; then followed "$profile"; fi; }

# put writes a small file whole or not at all.
put() { printf '%s\n' "$2" >"$dir/.$1" && mv -f "$dir/.$1" "$dir/$1"; }
got() { if [ -e "$dir/$1" ]; then cat "$dir/$1"; fi; }

# decide takes the one decision of this switch: "confirmed" or "back". Making a link
# is atomic and fails where there is one, so that of two who decide one has it.
decide() {
  ln -s "$1" "$dir/decision" 2>/dev/null
  [ "$(decision)" = "$1" ]
}
decision() { readlink "$dir/decision" 2>/dev/null; }
