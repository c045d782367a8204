# snowdrop as a package, and the NixOS module for servers that it deploys:
# docs/nixos-module.md.
#
# There is no flake.lock yet: nixpkgs could not be fetched where this was written. A
# flake that has this one as an input locks both; let it follow its own nixpkgs, which
# has to have the Go that go.mod names.
{
  description = "The best way to run NixOS on DigitalOcean";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      # nixpkgs has x86_64-darwin up to 26.05, for who lets this flake follow that; later
      # ones throw.
      systems = [ "x86_64-linux" "aarch64-linux" "aarch64-darwin" ]
        ++ nixpkgs.lib.optional (builtins.compareVersions nixpkgs.lib.trivial.release "26.05" <= 0) "x86_64-darwin";
      forAll = names: f: nixpkgs.lib.genAttrs names (system: f system nixpkgs.legacyPackages.${system});

      package = pkgs: pkgs.callPackage ./nix/package.nix {
        buildGoModule = pkgs.buildGoLatestModule or pkgs.buildGoModule;
        version = self.shortRev or "devel";
      };
    in
    {
      packages = forAll systems (_: pkgs: rec {
        snowdrop = package pkgs;
        default = snowdrop;
      });

      apps = forAll systems (system: _: rec {
        snowdrop = {
          type = "app";
          program = "${self.packages.${system}.snowdrop}/bin/snowdrop";
        };
        default = snowdrop;
      });

      overlays.default = final: prev: { snowdrop = package final; };

      nixosModules = rec {
        snowdrop.imports = [ ./nix/module.nix ];
        default = snowdrop;
      };

      # The module in a whole NixOS: `nix flake check`.
      checks = forAll [ "x86_64-linux" "aarch64-linux" ] (system: pkgs: {
        module = import ./nix/check.nix { inherit nixpkgs system pkgs; module = self.nixosModules.snowdrop; };
      });
    };
}
