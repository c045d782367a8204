# Where the Debian root file system stands that the images are made of: the
# directory that `debootstrap` made. A test writes its own path here.
{
  path = "/var/cache/snowdrop/debian";
  system = "x86_64-linux";
}
