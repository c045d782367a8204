# Two servers for simulated droplets of `snowdrop lab`. An image here is one line of
# text that tells the lab how a droplet behaves after it was rebuilt with it: see
# docs/lab.md. It needs Nix, and neither nixpkgs nor a network.
{
  outputs = { self }:
    let
      system = "x86_64-linux";

      sh = name: env: script: derivation (env // {
        inherit name system;
        builder = "/bin/sh";
        args = [ "-euc" script ];
      });

      server = name: behaviour: rec {
        toplevel = sh "nixos-system-${name}-25.05" { behaviour = builtins.toJSON behaviour; }
          ''printf '%s\n' "$behaviour" > $out'';

        # A disk of 4 MiB: the first sector of a PC's disk, without partitions, and that
        # line behind it. The droplet will say that it runs the system named in it.
        image = sh "${name}.raw"
          { behaviour = builtins.toJSON (behaviour // { inherit name; system = "${toplevel}"; }); }
          ''
            printf '%446s${builtins.concatStringsSep "" (builtins.genList (_: "\\0") 64)}\125\252' "" > $out
            printf '%-4193792s' "snowdrop-lab-image:$behaviour
            " >> $out
          '';
      };

      servers = builtins.mapAttrs server {
        web = {
          units."nginx.service" = "active";
          http."/healthz" = { status = 200; body = "ok"; unit = "nginx.service"; };
        };
        db = {
          units."postgresql.service" = "active";
          needs = [ { unit = "postgresql.service"; path = "/var/lib/db/password"; } ];
        };
      };
    in
    {
      nixosConfigurations = builtins.mapAttrs
        (_: s: { config.system.build = { inherit (s) toplevel; digitalOceanImage = s.image; }; })
        servers;
    };
}
