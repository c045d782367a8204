# What all servers have.
{ modulesPath, ... }:
{
  imports = [ "${modulesPath}/virtualisation/digital-ocean-image.nix" ];

  # Says on the server how it is configured; keeps a droplet with Nix in its user data
  # from switching away from this image at its first boot; sshd takes keys alone.
  snowdrop = {
    enable = true;
    # flake = "github:OWNER/REPOSITORY";
  };

  # The image's compression can be "gzip" or "bzip2", not none: nixpkgs' builder knows
  # no other value. bzip2 is smaller and slower.
  virtualisation.digitalOceanImage.compressionMethod = "gzip";

  # The key that snowdrop logs in with: put yours here. Without this the droplet takes
  # the keys that it was created with from DigitalOcean's metadata.
  # users.users.root.openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA… deploy" ];

  networking.firewall.enable = true; # sshd's port is open, see below for others

  system.stateVersion = "25.05";
}
