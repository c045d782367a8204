# The system's programs on NixOS, sudo's wrapper there, and Debian's places.
PATH="${PATH:+$PATH:}/run/current-system/sw/bin:/run/wrappers/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LC_ALL=C SYSTEMD_COLORS=0 SYSTEMD_PAGER='' SYSTEMD_URLIFY=0
export PATH LC_ALL SYSTEMD_COLORS SYSTEMD_PAGER SYSTEMD_URLIFY
manager=- sudo='' notes='' missing=''
if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then sudo='sudo -n'; fi

head_of() { printf '== %s\n' "$*"; }
body() { while IFS= read -r line || [ -n "$line" ]; do printf ' %s\n' "$line"; done; }
note() { notes="$notes$1
"; }

machine() {
  head_of snowdrop-look v1
  head_of boot-id; body </proc/sys/kernel/random/boot_id
  head_of uptime; body </proc/uptime
  head_of system
  if [ -e /run/current-system ]; then readlink -f /run/current-system | body; fi
  if [ -r /etc/snowdrop/release.json ]; then
    head_of release; body </etc/snowdrop/release.json
  fi
  head_of state; systemctl is-system-running 2>/dev/null | body
}

# ctl is systemctl for the manager that is looked at.
system_manager() { manager=- uid='' absent=unknown; ctl() { systemctl "$@"; }; }

# user_manager turns to a user's manager. A login starts that manager, and an SSH
# login as that very user has done so already; so it is only spoken to if it runs.
user_manager() {
  manager=$1 absent=inactive
  ctl() { return 1; }
  if ! uid=$(id -u "$manager" 2>/dev/null); then
    note "there is no user $manager"; uid=''; return
  fi
  if ! [ -e "/var/lib/systemd/linger/$manager" ]; then
    if [ "$(id -u)" = "$uid" ]; then
      note "user $manager does not linger: their units run now because this look logged in as $manager, and will not run after a boot (NixOS: users.users.$manager.linger = true)"
    else
      note "user $manager does not linger: their units do not start at boot (NixOS: users.users.$manager.linger = true)"
    fi
  fi
  if [ "$(id -u)" = "$uid" ]; then
    ctl() { XDG_RUNTIME_DIR="/run/user/$uid" systemctl --user "$@"; }
  elif [ -z "$sudo" ] && [ "$(id -u)" != 0 ]; then
    absent=unknown
    note "the user manager of $manager cannot be asked as $(id -un): log in as root, as $manager, or as a user who may use sudo"
  elif ! $sudo test -e "/run/user/$uid/systemd/private" 2>/dev/null; then
    note "the user manager of $manager does not run"
  elif $sudo systemctl --user --machine="$manager@.host" show -p Version >/dev/null 2>&1; then
    ctl() { $sudo systemctl --user --machine="$manager@.host" "$@"; }
  elif $sudo runuser -u "$manager" -- env XDG_RUNTIME_DIR="/run/user/$uid" systemctl --user show -p Version >/dev/null 2>&1; then
    ctl() { $sudo runuser -u "$manager" -- env XDG_RUNTIME_DIR="/run/user/$uid" systemctl --user "$@"; }
  else
    ctl() { $sudo su -s /bin/sh "$manager" -c 'XDG_RUNTIME_DIR="$1" && export XDG_RUNTIME_DIR && shift && systemctl --user "$@"' sh "/run/user/$uid" "$@"; }
    ctl show -p Version >/dev/null 2>&1 || { absent=unknown; note "the user manager of $manager runs and does not answer"; }
  fi
}

wanted() {
  head_of unit "$manager" "$1"
  if shown=$(ctl show -p "$properties" -- "$1" 2>/dev/null) && [ -n "$shown" ]; then
    printf '%s\n' "$shown" | body
  else
    shown=''
    printf ' ActiveState=%s\n' "$absent"
  fi
  case $shown in
    *LoadState=not-found*) missing=yes ;;
    '') ;;
    *NRestarts=[1-9]*) journal "$1" ;;
    *ActiveState=active*) ;;
    *) journal "$1" ;;
  esac
}

failed() {
  ctl list-units --failed --plain --no-legend --full 2>/dev/null | head -n 20 |
    while read -r unit _; do
      head_of failed "$manager" "$unit"
      ctl show -p "$properties" -- "$unit" 2>/dev/null | body
      journal "$unit"
    done
}

journal() {
  head_of journal
  if [ "$manager" = - ]; then
    $sudo journalctl -b -q --no-pager -o json --output-fields=MESSAGE -n "$lines" -u "$1" 2>/dev/null | body
  elif [ -n "$uid" ]; then
    $sudo journalctl -b -q --no-pager -o json --output-fields=MESSAGE -n "$lines" \
      "_SYSTEMD_USER_UNIT=$1" "_UID=$uid" + "USER_UNIT=$1" "_UID=$uid" 2>/dev/null | body
  fi
}

# restarted counts for all services of the system, wanted or not.
restarted() {
  head_of restarted
  id='' count=0
  { systemctl show -p Id,NRestarts '*.service' 2>/dev/null; echo; } |
    while IFS= read -r line; do
      case $line in
        Id=*) id=${line#Id=} ;;
        NRestarts=*) count=${line#NRestarts=} ;;
        '')
          if [ "$count" != 0 ]; then printf ' %s %s\n' "$id" "$count"; fi
          count=0
          ;;
      esac
    done
}

jobs() {
  head_of jobs
  systemctl list-jobs --plain --no-legend --full 2>/dev/null |
    while read -r _ unit kind state _; do
      if [ -n "$state" ]; then printf ' %s %s %s\n' "$unit" "$kind" "$state"; fi
    done
}

# loaded names what a unit that was not found may have been meant to be.
loaded() {
  if [ -n "$missing" ]; then
    head_of loaded
    ctl list-units --all --plain --no-legend --full --type=service,socket,timer,target,path 2>/dev/null |
      while read -r unit load _; do
        if [ "$load" = loaded ]; then printf ' %s\n' "$unit"; fi
      done
  fi
  missing=''
}

host_keys() {
  head_of host-keys
  for key in /etc/ssh/ssh_host_*_key.pub; do
    if [ -r "$key" ]; then body <"$key"; fi
  done
}

notes() {
  readable=$sudo
  for group in $(id -nG); do
    case $group in root | adm | wheel | systemd-journal) readable=yes ;; esac
  done
  if [ -z "$readable" ] && [ "$(id -u)" != 0 ]; then
    note "the journal cannot be read by $(id -un): put the user into the group systemd-journal"
  fi
  head_of note
  printf '%s' "$notes" | body
  head_of end
}
