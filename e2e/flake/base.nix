# Where the Debian root file system stands that the images are made of: the
# directory that `debootstrap` made. A test writes its own path here.
{
  path = "/var/cache/snowdrop/debian";
  system = "x86_64-linux";
  # A directory of programs that go before the machine's own: where a build has to
  # do without them, as in a container, it is made by e2e/images.
  tools = "/var/cache/snowdrop/tools/bin";
  # A directory with vmlinuz and initrd, made by e2e/kernel, for virtual machines.
  kernel = "/var/cache/snowdrop/kernel";
}
