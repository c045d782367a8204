# Servers for the demo, without nixpkgs: each has a toplevel and a disk image that
# says what a simulated droplet does with it. Only a shell is needed to build them.
{
  outputs = { self }:
    let
      servers = builtins.fromJSON (builtins.readFile ./servers.json);
      names = builtins.attrNames servers;

      make = system: name:
        let
          spec = servers.${name};
          toplevel = derivation {
            name = "nixos-system-${name}-25.05";
            inherit system;
            builder = "/bin/sh";
            args = [ "-c" ''echo "$spec" >"$out"'' ];
            spec = builtins.toJSON spec;
          };
          image = derivation {
            name = "${name}-nixos.img";
            inherit system;
            builder = "/bin/sh";
            # A master boot record with one Linux partition, the marker, and blanks.
            args = [
              "-c"
              ''
                {
                  printf '%446s' ""
                  printf '\200\0\0\0\203\0\0\0\0\010\0\0\0\070\0\0'
                  printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
                  printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
                  printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\125\252'
                  printf 'snowdrop-lab-image:%s\n' "$spec"
                  printf "%$((1048576 - 512 - 20 - ''${#spec}))s" ""
                  for mib in 1 2 3 4 5 6 7; do printf '%1048576s' ""; done
                } >"$out"
              ''
            ];
            spec = builtins.toJSON (spec // { inherit name; system = "${toplevel}"; });
          };
        in
        [
          { name = "${name}-image"; value = image; }
          { name = "${name}-toplevel"; value = toplevel; }
        ];

      packagesFor = system: builtins.listToAttrs (builtins.concatLists (map (make system) names));
    in
    {
      packages = builtins.listToAttrs (map
        (system: { name = system; value = packagesFor system; })
        [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ]);
    };
}
