# Tells people on a server, and snowdrop's verification, how the server is really
# configured, and sets what a server that snowdrop deploys needs. For NixOS 23.05 and
# newer. docs/nixos-module.md says the same in prose.
{ config, lib, options, ... }:
let
  inherit (lib) mkEnableOption mkIf mkMerge mkOption mkOverride optionalAttrs types;

  cfg = config.snowdrop;

  # Weaker than mkDefault, which modules that people share use too: two defaults that
  # differ are an error.
  suggest = mkOverride 1400;

  # The option of this module is not taken as the default of NixOS's, nor the other way
  # round: each would ask the other.
  revision = if cfg.revision != null then cfg.revision else config.system.configurationRevision;

  # What these match stands in files and commands as it is.
  words = {
    server = "[a-z0-9][a-z0-9_-]*";
    flake = "[A-Za-z0-9:/.?&=%+~@_-]+";
    revision = "[A-Za-z0-9._+-]+";
    user = "[A-Za-z0-9_][A-Za-z0-9_.-]*";
  };

  # An option that does not exist may not even be named under mkIf. (One of a submodule
  # may: linger.)
  isDroplet = options ? virtualisation.digitalOcean.rebuildFromUserData;
  hasDefaultConfigFile = options ? virtualisation.digitalOcean.defaultConfigFile;
  hasMotdFile = options ? users.motdFile;
  hasLinger = options.users.users.type.getSubOptions [ ] ? linger;

  known = lib.filterAttrs (_: value: value != null) {
    inherit (cfg) server flake;
    inherit revision;
  };
  server = if cfg.server == null then "SERVER" else cfg.server;

  lines = lib.concatStringsSep "\n";
  table = lines (map (name: "  ${name}: ${known.${name}}") (lib.filter (name: known ? ${name}) [ "server" "flake" "revision" ]));
  commands = lines (
    lib.optional isDroplet "  snowdrop deploy ${server}    # a new image: what is on the droplet's disk is lost"
    ++ [ "  snowdrop switch ${server}    # over SSH: what is on the disk stays" ]
  );
  byHand = "  nixos-rebuild switch --flake '${cfg.flake}#${server}'";

  instructions = ''
    This server is not configured in /etc/nixos. Its configuration is in a flake, and
    snowdrop deploys it:

    ${table}

    Change it there, commit it, and run where snowdrop is set up:

    ${commands}
  '' + lib.optionalString (cfg.flake != null && cfg.server != null) ''

    When nothing else is left, on the server itself:

    ${byHand}
  '' + ''

    Plain `nixos-rebuild switch` reads /etc/nixos/configuration.nix, which knows none of
    this server's services and keys. It would lock you out, so it stops here.
  '';

  file = "nixos/configuration.nix";
  firstLine = "# Written by snowdrop's NixOS module.";
in
{
  options.snowdrop = {
    enable = mkEnableOption "what tells people, and snowdrop, how this server is configured";

    server = mkOption {
      type = types.nullOr (types.strMatching words.server);
      example = "web";
      description = ''
        The server's name in snowdrop.yaml. Verification fails if another server has this
        system. null: several servers have it.
      '';
    };

    flake = mkOption {
      type = types.nullOr (types.strMatching words.flake);
      default = null;
      example = "github:acme/servers";
      description = "Where the configuration is: a flake reference, without a fragment.";
    };

    revision = mkOption {
      type = types.nullOr (types.strMatching words.revision);
      default = null;
      example = lib.literalExpression "self.rev or null";
      description = ''
        The configuration's commit. It becomes system.configurationRevision, unless that is
        set. With a revision, every commit has another system, and so another image,
        although nothing else changed. null: system.configurationRevision, if that is set.
      '';
    };

    configurationFile = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether /etc/nixos/configuration.nix says how this server is configured, and stops
        a plain nixos-rebuild. A file of yours in its place is kept beside it as
        configuration.nix.before-snowdrop.
      '';
    };

    motd = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether that is also told at login: on a terminal, not to scp, rsync or a command.
        It gives way to users.motdFile.
      '';
    };

    sshd = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether sshd runs and takes keys alone, no passwords; root may log in with a key.
        Every value is a default: yours goes before it, mkDefault or not.
      '';
    };

    lingeringUsers = mkOption {
      type = types.listOf (types.strMatching words.user);
      default = [ ];
      example = [ "deploy" ];
      description = ''
        Users whose units start at boot, without a login: those that verify.user-units in
        snowdrop.yaml names.
      '';
    };

    trustedUsers = mkOption {
      type = types.listOf types.str;
      default = [ ];
      example = [ "deploy" "@wheel" ];
      description = ''
        Users, other than root, from whom Nix takes store paths that nobody signed, as
        `snowdrop switch` copies them. They can then do whatever root can.
      '';
    };
  };

  config = mkIf cfg.enable (mkMerge [
    {
      assertions = [
        {
          assertion = revision == null || builtins.match words.revision revision != null;
          message = "system.configurationRevision is ${builtins.toJSON revision}: snowdrop takes a commit's hash, or letters, digits and the signs . _ + -";
        }
      ];

      system.configurationRevision = mkIf (cfg.revision != null) (suggest cfg.revision);

      environment.etc."snowdrop/release.json".text = builtins.toJSON known + "\n";

      nix.settings = mkIf (cfg.trustedUsers != [ ]) { trusted-users = [ "root" ] ++ cfg.trustedUsers; };
    }

    (mkIf cfg.configurationFile {
      environment.etc.${file}.text = suggest ''
        ${firstLine}
        throw '''

        ${instructions}'''
      '';

      # A file is put there over another without a word: before the first time, the other
      # is moved.
      system.activationScripts = {
        snowdrop = {
          deps = [ "specialfs" ];
          text = ''
            if [ -f /etc/${file} ] && [ ! -L /etc/${file} ] && ! grep -qxF ${lib.escapeShellArg firstLine} /etc/${file}; then
              mv --backup=numbered /etc/${file} /etc/${file}.before-snowdrop
            fi
          '';
        };
        etc.deps = [ "snowdrop" ];
      };
    })

    (mkIf cfg.motd {
      users.motd = mkIf (! hasMotdFile || config.users.motdFile == null) (lines (
        [ "This server is deployed by snowdrop." table ]
        ++ lib.optional cfg.configurationFile "How to change it: /etc/${file}"
        ++ [ "" ]
      ));
    })

    (mkIf cfg.sshd {
      services.openssh = {
        enable = suggest true;
        settings = {
          PasswordAuthentication = suggest false;
          KbdInteractiveAuthentication = suggest false;
          PermitRootLogin = suggest "prohibit-password";
        };
      };
    })

    # On a new disk the directory of lingering users is missing, and some releases of
    # NixOS then let nobody linger until the second activation. systemd-tmpfiles makes it
    # before logind looks.
    {
      systemd.tmpfiles.rules = map (user: "f /var/lib/systemd/linger/${user} 0644 root root -") cfg.lingeringUsers;
      users.users = mkIf hasLinger (lib.genAttrs cfg.lingeringUsers (_: { linger = suggest true; }));
    }

    # A droplet with Nix in its user data would switch away from its image at the first
    # boot.
    (optionalAttrs isDroplet {
      virtualisation.digitalOcean.rebuildFromUserData = suggest false;
    })
    (optionalAttrs hasDefaultConfigFile {
      virtualisation.digitalOcean.defaultConfigFile = mkIf cfg.configurationFile (suggest config.environment.etc.${file}.source);
    })
  ]);
}
