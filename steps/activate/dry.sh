# Asks the new system what its activation would do.
if ! [ -e "$root$system" ]; then printf 'refused=absent\ndetail=%s\n' "$system"; exit 0; fi
if ! [ -x "$root$system/bin/switch-to-configuration" ]; then printf 'refused=not-a-system\ndetail=%s\n' "$system"; exit 0; fi
printf 'former=%s\n' "$(current)"
{
  timeout -k 30 "$limit" "$root$system/bin/switch-to-configuration" dry-activate 2>&1
  printf 'exit %s\n' "$?"
} | while IFS= read -r line || [ -n "$line" ]; do
  printf 'log:%s\n' "$line"
done
