# Tells how the switch stands. The unit is asked first: if it has ended, what it
# decided is there.
printf 'unit=%s\n' "$(timeout 10 systemctl is-active "$unit.service" 2>/dev/null)"
if ! [ -d "$dir" ]; then echo gone=yes; fi
# The outcome is written last: whoever reads it first finds all that it stands for.
for name in outcome former state exit back-exit keep-exit restored; do
  printf '%s=%s\n' "$name" "$(got "$name")"
done
printf 'decision=%s\ncurrent=%s\nprofile=%s\n' "$(decision)" "$(current)" "$(persisted)"
for name in log back-log keep-log; do
  if [ -e "$dir/$name" ]; then tail -n "$lines" "$dir/$name" | while IFS= read -r line || [ -n "$line" ]; do
    printf '%s:%s\n' "$name" "$line"
  done; fi
done
