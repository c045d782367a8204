# Builds $out with the disk image in it: the disk of $disk with $toplevel and all
# that it needs at their store paths, started at boot. Packed as $format.
set -eu

# The files that are added, as they shall lie in the image.
mkdir -p tree/nix/store tree/etc/tmpfiles.d tree/etc/systemd/system/multi-user.target.wants tree/nix/var/nix/profiles
grep '^/nix/store/' closure | sort -u | while read -r path; do
  cp -a "$path" tree/nix/store/
done
ln -s system-1-link tree/nix/var/nix/profiles/system
ln -s "$toplevel" tree/nix/var/nix/profiles/system-1-link
# What nix is told at the first boot, as NixOS does it (nix-path-registration).
cp closure tree/nix-path-registration
# Early, long before sshd can be reached.
cat > tree/etc/tmpfiles.d/nixos.conf <<CONF
L+ /run/current-system - - - - $toplevel
L+ /run/booted-system - - - - $toplevel
CONF
for unit in "$toplevel"/etc/systemd/system/*; do
  name=$(basename "$unit")
  ln -s "$unit" "tree/etc/systemd/system/$name"
  if grep -q '^\[Install\]' "$unit"; then
    ln -s "../$name" "tree/etc/systemd/system/multi-user.target.wants/$name"
  fi
done
(cd "$toplevel/etc" && find ssh -type f 2> /dev/null) | while read -r file; do
  mkdir -p "tree/etc/${file%/*}"
  ln -s "$toplevel/etc/$file" "tree/etc/$file"
done

mkdir -p tree/etc/snowdrop
ln -s /run/current-system/etc/snowdrop/release.json tree/etc/snowdrop/release.json

# Put them there without mounting anything.
cp --sparse=always "$disk/disk.raw" disk.raw
chmod u+w disk.raw
{
  (cd tree && find . -mindepth 1 -type d -printf 'mkdir /%P\n')
  (cd tree && find . -type f -printf "write tree/%P /%P\n")
  (cd tree && find . -type l -printf 'symlink /%P %l\n')
} > commands
debugfs -w -f commands disk.raw > debugfs.log 2>&1
# A directory that is there already is the one fault that is none.
if grep -v -e '^debugfs' -e '^Allocated inode' -e 'already exists' debugfs.log | grep .; then
  echo "debugfs could not write all files"
  exit 1
fi
e2fsck -fn disk.raw > e2fsck.log 2>&1 || { cat e2fsck.log; exit 1; }

mkdir -p "$out/nix-support"
case $format in
raw)
  file=$out/nixos-image-digital-ocean-$version-$label.raw
  mv disk.raw "$file"
  ;;
qcow2)
  file=$out/nixos-image-digital-ocean-$version-$label.qcow2
  qemu-img convert -f raw -O qcow2 disk.raw "$file"
  ;;
qcow2.gz)
  file=$out/nixos.qcow2.gz
  qemu-img convert -f raw -O qcow2 disk.raw nixos.qcow2
  gzip -1 -n < nixos.qcow2 > "$file"
  ;;
*)
  echo "release.nix: no such format: $format"
  exit 1
  ;;
esac
echo "file ${file##*.} $file" > "$out/nix-support/hydra-build-products"
