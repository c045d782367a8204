# What a NixOS configuration comes to with the module in it, in so far as the module has
# to do with it. Wrong assertions are errors, as in NixOS.
{ nixos ? { }, configuration }:
let
  lib = import ./lib.nix;
  module = import ../module.nix;
  all = { droplet = true; configFile = true; linger = true; motdFile = true; };
  config = (lib.evalModules {
    modules = [ (import ./nixos.nix (all // nixos)) module (args: { config = configuration (args // { inherit lib; }); }) ];
  }).config;
  failed = builtins.filter (a: !a.assertion) config.assertions;
in
if failed != [ ] then throw "Failed assertions: ${builtins.concatStringsSep "; " (map (a: a.message) failed)}"
else removeAttrs config [ "assertions" "snowdrop" ]
