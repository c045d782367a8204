{
  outputs = { self }:
    let
      mk = name: script: derivation {
        inherit name;
        system = "@system@";
        builder = "/bin/sh";
        args = [ "-c" script ];
        PATH = "/usr/bin:/bin";
        SALT = "@salt@";
      };
      dep = mk "a-dep" "echo building dep; echo hi > $out";
      bad = mk "bad-dep" "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo line $i; done; exit 3";
    in
    {
      packages."@system@" = {
        web-image = mk "web-image" "echo building image; cat ${dep}; mkdir $out; echo img > $out/nixos.img";
        bad-image = mk "bad-image" "cat ${bad}; echo > $out";
        multi = derivation {
          name = "multi";
          system = "@system@";
          builder = "/bin/sh";
          args = [ "-c" "echo $SALT > $out; echo b > $dev" ];
          outputs = [ "out" "dev" ];
          SALT = "@salt@";
        };
        slow = mk "slow" "echo sleeping; sleep 600";
        broken = import ./broken.nix;
        attribute = { a = 1; }.b;
      };
      nixosConfigurations.web.config.system.build.toplevel =
        mk "nixos-system-web-25.05" "mkdir $out; echo ${dep} > $out/nixos-version";
    };
}
