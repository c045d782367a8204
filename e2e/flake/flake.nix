{
  description = "Servers that look like NixOS to snowdrop, made of Debian without nixpkgs; see README.md";

  outputs = { self }:
    let
      base = import ./base.nix;

      # Everything is built with the host's own tools: --option sandbox false.
      run = name: attrs: script: derivation ({
        inherit name;
        system = base.system;
        builder = "/bin/sh";
        args = [ "-euc" script ];
        PATH = "${base.tools}:/usr/sbin:/usr/bin:/sbin:/bin";
      } // attrs);

      httpd = run "snow-httpd-1.0" { } ''
        mkdir -p $out/bin
        cp ${./httpd.pl} $out/bin/httpd
        chmod +x $out/bin/httpd
      '';

      disk = run "debian-disk" { basePath = base.path; } "sh ${./disk.sh}";

      servers = builtins.mapAttrs server (import ./release.nix { inherit httpd; });

      server = name: release: rec {
        toplevel = run "nixos-system-${name}-${release.version}"
          {
            inherit (release) version;
            switch = ./switch.sh;
            packages = builtins.attrValues (builtins.mapAttrs package (release.packages or { }));
          } ''
          mkdir -p $out/bin $out/etc/systemd/system $out/etc/snowdrop $out/sw
          printf '{"server":"%s"}\n' ${name} > $out/etc/snowdrop/release.json
          printf %s "$version" > $out/nixos-version
          printf %s ${base.system} > $out/system
          echo "$packages" > $out/packages
          ln -s /usr/bin $out/sw/bin
          ln -s /usr/lib/systemd/systemd $out/init
          sed "s|@toplevel@|$out|" "$switch" > $out/bin/switch-to-configuration
          chmod +x $out/bin/switch-to-configuration
          ${builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs unit release.units))}
          ${builtins.concatStringsSep "\n" (builtins.attrValues (builtins.mapAttrs file (release.files or { })))}
        '';

        image = run "${name}-image"
          {
            inherit toplevel disk;
            inherit (release) version format;
            label = base.system;
            exportReferencesGraph = [ "closure" toplevel ];
          } "sh ${./image.sh}";

        vm = run "nixos-vm" { inherit image; inherit (base) kernel; server = name; } "sh ${./vm.sh}";
      };

      unit = name: text: ''
        cat > $out/etc/systemd/system/${name} <<'END-OF-UNIT'
        ${text}
        END-OF-UNIT
      '';

      file = name: text: ''
        mkdir -p "$(dirname $out/etc/${name})"
        cat > $out/etc/${name} <<'END-OF-FILE'
        ${text}
        END-OF-FILE
      '';

      package = name: version: run "${name}-${version}" { } "mkdir $out";
    in
    {
      packages.${base.system} = builtins.listToAttrs (map
        (name: { name = "${name}-image"; value = servers.${name}.image; })
        (builtins.attrNames servers));

      nixosConfigurations = builtins.mapAttrs
        (_: s: {
          config.system.build = {
            inherit (s) toplevel vm;
            digitalOceanImage = s.image;
            diskoScript = run "disko" { } "touch $out";
          };
          config.disko.devices.disk.main.device = "/dev/no-such-disk";
        })
        servers;
    };
}
