# A droplet's configuration with the module in it, made by NixOS itself: its /etc is
# built and looked at. Nothing is booted.
{ nixpkgs, system, pkgs, module }:
let
  droplet = nixpkgs.lib.nixosSystem {
    inherit system;
    modules = [
      "${nixpkgs}/nixos/modules/virtualisation/digital-ocean-config.nix"
      module
      {
        snowdrop = {
          enable = true;
          server = "web";
          flake = "github:acme/servers";
          revision = "0123abcd";
          lingeringUsers = [ "deploy" ];
          trustedUsers = [ "deploy" ];
        };
        users.users.deploy.isNormalUser = true;
        system.stateVersion = nixpkgs.lib.trivial.release;
      }
    ];
  };
  inherit (droplet) config;
in
# Assertions are only looked at where the whole system is made.
assert builtins.filter (a: !a.assertion) config.assertions == [ ];
assert config.system.configurationRevision == "0123abcd";
assert !config.virtualisation.digitalOcean.rebuildFromUserData;
assert config.users.users.deploy.linger == true;
pkgs.runCommand "snowdrop-module" { nativeBuildInputs = [ pkgs.jq ]; } ''
  etc=${config.system.build.etc}/etc
  jq --exit-status '. == {server: "web", flake: "github:acme/servers", revision: "0123abcd"}' $etc/snowdrop/release.json
  grep --quiet 'snowdrop switch web' $etc/nixos/configuration.nix
  touch $out
''
