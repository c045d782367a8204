# What the transient unit runs: "run" as its main process, and "after" when that has
# ended in whichever way, killed included.
cd /
unset NIXOS_INSTALL_BOOTLOADER NIXOS_ACTION
# What the former system brings is there whatever the new one does.
PATH=$root$former/sw/bin:$PATH

say() { printf '%s\n' "$*"; }
settle() {
  put outcome "$1"
  put state settled
  say "$1"
}

# switch_to SYSTEM VERB LOG runs its switch-to-configuration within the time.
switch_to() {
  timeout -k 30 "$limit" "$root$1/bin/switch-to-configuration" "$2" >>"$dir/$3" 2>&1 </dev/null
  code=$?
  say "$1/bin/switch-to-configuration $2 ended with $code:"
  tail -n 100 "$dir/$3"
  return "$code"
}

run() {
  if [ "$verb" = boot ]; then
    keep
    return
  fi
  put state activating
  say "the former system is $former"
  switch_to "$system" test log
  put exit "$code"
  case $code in
    # 4: activated, and units failed. Whoever confirms decides what that means.
    0 | 4) ;;
    # The new system's init does not fit: nothing was touched.
    100) settle unchanged ;;
    *)
      if [ "$(current)" = "$former" ] && grep -q 'Could not acquire lock' "$dir/log"; then
        settle unchanged
      fi
      ;;
  esac
  case $code in 0 | 4) ;; *) return 1 ;; esac
  put state waiting
  left=$confirm
  while [ "$left" -gt 0 ] && [ -z "$(decision)" ]; do
    sleep 1
    left=$((left - 1))
  done
  decide back
  if [ "$(decision)" != confirmed ]; then return 1; fi
  keep
}

# keep makes the system the one that the machine boots, or leaves the profile as it
# was. Doing it twice does no harm.
keep() {
  if [ "$verb" = test ]; then
    settle confirmed
    return
  fi
  put state keeping
  nix-env -p "$profile" --set "$root$system" >>"$dir/keep-log" 2>&1 </dev/null
  code=$?
  if [ "$code" = 0 ]; then switch_to "$system" boot keep-log; fi
  put keep-exit "$code"
  if [ "$code" = 0 ]; then
    settle kept
    return
  fi
  restore
  settle not-kept
  return 1
}

# restore turns the profile to where it was before, and the boot loader with it.
restore() {
  failed=$(readlink "$profile")
  case $before in
    '') rm -f "$profile" ;;
    system-*-link)
      number=${before#system-}
      nix-env -p "$profile" --switch-generation "${number%-link}"
      if [ "$failed" != "$before" ]; then
        number=${failed#system-}
        nix-env -p "$profile" --delete-generations "${number%-link}"
      fi
      ;;
    *) nix-env -p "$profile" --set "$before" ;;
  esac >>"$dir/keep-log" 2>&1 </dev/null
  if [ -n "$before" ]; then switch_to "$(persisted)" boot keep-log; fi
  if [ "$(readlink "$profile")" = "$before" ] || [ "$(persisted)" = "${before#"$root"}" ]; then put restored yes; fi
}

after() {
  if [ -n "$(got outcome)" ]; then return; fi
  decide back
  if [ "$(decision)" = confirmed ] || [ "$verb" = boot ]; then
    keep
  else
    back
  fi
}

# back activates the former system. The checks that a new system makes before it is
# switched to must not stand in the way.
back() {
  put state going-back
  # The next boot brings the former system, as the profile says.
  if [ "$(systemctl is-system-running 2>/dev/null)" = stopping ]; then return; fi
  NIXOS_NO_CHECK=1
  export NIXOS_NO_CHECK
  tried=''
  for pause in 2 5 0; do
    # A service that was restarted too often is not started any more, sshd as any.
    timeout 30 systemctl reset-failed >/dev/null 2>&1 </dev/null
    switch_to "$former" test back-log
    put back-exit "$code"
    if [ "$(current)" = "$former" ]; then
      case $code$tried in 0* | 4yes) break ;; esac
      tried=yes
    fi
    sleep "$pause"
  done
  if [ "$(current)" = "$former" ]; then settle went-back; else settle stuck; fi
}

# What came of it stands in the folder; a unit that is marked as failed would only make
# the machine look degraded.
"$1" || true
