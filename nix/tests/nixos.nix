# The options of NixOS that module.nix sets or asks, as nixpkgs declares them; some
# only since a release.
#   droplet        nixpkgs' DigitalOcean module is imported
#   configFile     … of a release that has defaultConfigFile
#   linger         users.users.<name>.linger is there (not in NixOS 23.05)
#   motdFile       users.motdFile is there
{ droplet, configFile, linger, motdFile }:
{ config, lib, ... }:
let
  inherit (lib) mkOption optionalAttrs types;
  option = type: default: mkOption { inherit type default; };
in
{
  options = {
    assertions = option (types.listOf types.raw) [ ];
    environment.etc = option
      (types.attrsOf (types.submodule {
        text = option (types.nullOr types.lines) null;
        source = option types.path "/nix/store/00000000000000000000000000000000-etc-file";
      }))
      { };
    nix.settings = option (types.attrsOf types.raw) { };
    services.openssh = {
      enable = option types.bool false;
      settings = option
        (types.submodule {
          PasswordAuthentication = option types.bool true;
          KbdInteractiveAuthentication = option types.bool true;
          PermitRootLogin = option types.str "prohibit-password";
        })
        { };
    };
    system = {
      configurationRevision = option (types.nullOr types.str) null;
      activationScripts = option
        (types.attrsOf (types.submodule {
          deps = option (types.listOf types.str) [ ];
          text = mkOption { type = types.lines; };
        }))
        { };
    };
    systemd.tmpfiles.rules = option (types.listOf types.str) [ ];
    users = {
      users = option
        (types.attrsOf (types.submodule ({
          isNormalUser = option types.bool false;
        } // optionalAttrs linger {
          linger = option types.bool false;
        })))
        { };
      motd = option (types.nullOr types.lines) null;
    } // optionalAttrs motdFile {
      motdFile = option (types.nullOr types.path) null;
    };
  } // optionalAttrs droplet {
    virtualisation.digitalOcean = {
      rebuildFromUserData = option types.bool true;
    } // optionalAttrs configFile {
      defaultConfigFile = option types.path "/nix/store/00000000000000000000000000000000-digitalocean-configuration.nix";
    };
  };

  config = {
    system.activationScripts.etc = { deps = [ "users" "groups" "specialfs" ]; text = "set up /etc"; };
  } // optionalAttrs droplet {
    # As nixpkgs' module has it: the same default from two sides is no conflict.
    services.openssh = {
      enable = lib.mkDefault true;
      settings.PasswordAuthentication = lib.mkDefault false;
    };
  };
}
