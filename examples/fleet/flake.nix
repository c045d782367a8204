# Two NixOS servers for DigitalOcean; snowdrop.yaml beside it deploys them.
{
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.05";
  # The module alone is taken from it, which needs no nixpkgs of its own.
  inputs.snowdrop = {
    url = "github:versatus/snowdrop";
    inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs = { nixpkgs, snowdrop, ... }:
    let
      server = name: module: nixpkgs.lib.nixosSystem {
        system = "x86_64-linux";
        modules = [
          ./common.nix
          module
          snowdrop.nixosModules.snowdrop
          { networking.hostName = name; snowdrop.server = name; }
        ];
      };
    in
    {
      # snowdrop builds ….config.system.build.digitalOceanImage of each, and expects
      # ….config.system.build.toplevel to run afterwards.
      nixosConfigurations = builtins.mapAttrs server {
        web = ./web.nix;
        db = ./db.nix;
      };
    };
}
