# A database whose data is on a volume: a rebuild wipes the droplet's own disk.
{
  # DigitalOcean names a volume's device after the volume, here "db-data". The volume
  # must be formatted (ext4) and attached before the first deployment.
  fileSystems."/var/lib/postgresql" = {
    device = "/dev/disk/by-id/scsi-0DO_Volume_db-data";
    fsType = "ext4";
  };

  services.postgresql.enable = true;
}
