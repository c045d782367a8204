# Checks what a switch needs, and starts the unit that does it. It answers in lines
# "key=value".
refuse() {
  printf 'refused=%s\n' "$1"
  printf 'detail=%s\n' "$(printf %s "$2" | tr '\n' ' ')"
  exit 0
}

former=$(current)
before=$(readlink "$profile" 2>/dev/null)
printf 'former=%s\ncurrent=%s\nprofile=%s\n' "$former" "$former" "$(persisted)"
if [ -z "$former" ] || ! [ -x "$root$former/bin/switch-to-configuration" ]; then refuse not-nixos "$former"; fi
if ! [ -e "$root$system" ]; then refuse absent "$system"; fi
if ! [ -x "$root$system/bin/switch-to-configuration" ]; then refuse not-a-system "$system"; fi
if ! command -v systemd-run >/dev/null || ! [ -d "$root/run/systemd/system" ]; then refuse no-systemd ''; fi
if [ "$verb" != test ] && ! command -v nix-env >/dev/null; then refuse no-nix-env ''; fi
if [ "$(persisted)" = "$system" ]; then
  if [ "$verb" = boot ] || [ "$former" = "$system" ]; then
    echo skipped=yes
    exit 0
  fi
fi

umask 077
mkdir -p "$run" && chmod 700 "$run" && mkdir "$dir" && put former "$former" || refuse no-folder "$run"
{
  printf "root='%s' id='%s' system='%s' former='%s'\n" "$root" "$id" "$system" "$former"
  printf "before='%s' verb='%s' confirm='%s' limit='%s'\n" "$before" "$verb" "$confirm" "$limit"
  unit_script
} >"$dir/unit"

# The two systems stand in its environment: that keeps them from being collected as
# garbage (nix.conf's runtime roots). An activation that is killed for want of memory
# must not take the way back with it.
if said=$(systemd-run --unit="$unit" --collect --no-block --quiet --no-ask-password \
  --description="snowdrop: $verb $system" \
  --setenv=HOME=/root --setenv=SNOWDROP_FORMER="$former" --setenv=SNOWDROP_SYSTEM="$system" \
  -p KillMode=mixed -p OOMPolicy=continue -p TimeoutStopSec="$((3 * limit + 120))" \
  -p "ExecStopPost=/bin/sh $dir/unit after" \
  /bin/sh "$dir/unit" run 2>&1); then
  for other in "$run"/*; do
    if [ "$other" != "$dir" ]; then rm -rf "$other"; fi
  done
  echo started=yes
  exit 0
fi
rm -rf "$dir"
case $(systemctl show -p ActiveState --value "$unit.service" 2>/dev/null) in
  active | activating | deactivating | reloading)
    printf 'busy=%s\n' "$(systemctl show -p ExecMainStartTimestamp --value "$unit.service")"
    refuse busy "$(systemctl show -p Description --value "$unit.service")"
    ;;
esac
refuse no-unit "$said"
