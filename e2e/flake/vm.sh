# Builds $out/bin/run-$server-vm, the script that runs the image of a server in QEMU. What
# it takes from its environment, and the order of what it hands to QEMU, are those of
# nixpkgs' qemu-vm.nix; the kernel and the initial ramdisk are Debian's ($kernel).
set -eu
disk=$(find "$image" -name '*.qcow2' -o -name '*.raw')
mkdir -p "$out/bin"
cat > "$out/bin/run-$server-vm" <<SCRIPT
#!/bin/sh
set -e
NIX_DISK_IMAGE=\$(readlink -f "\${NIX_DISK_IMAGE:-./$server.qcow2}")
if ! test -e "\$NIX_DISK_IMAGE"; then
  echo "Disk image do not exist, creating the virtualisation disk image..."
  qemu-img create -q -f qcow2 -b "$disk" -F ${disk##*.} "\$NIX_DISK_IMAGE"
fi
if [ -z "\$TMPDIR" ] || [ -z "\$USE_TMPDIR" ]; then
  TMPDIR=\$(mktemp -d nix-vm.XXXXXXXXXX --tmpdir)
fi
cd "\$TMPDIR"
exec qemu-system-x86_64 -machine accel=tcg -cpu max \\
  -name $server -m 1024 -smp 1 \\
  -net nic,netdev=user.0,model=virtio \\
  -netdev user,id=user.0,"\$QEMU_NET_OPTS" \\
  -drive cache=writeback,file="\$NIX_DISK_IMAGE",id=drive1,if=none,index=1,werror=report -device virtio-blk-pci,bootindex=1,drive=drive1,serial=root \\
  -kernel $kernel/vmlinuz -initrd $kernel/initrd \\
  -append "console=tty0 net.ifnames=0 \$QEMU_KERNEL_PARAMS" \\
  \$QEMU_OPTS \\
  "\$@"
SCRIPT
chmod +x "$out/bin/run-$server-vm"
