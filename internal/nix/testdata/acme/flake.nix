{
  outputs = { self }: let
    mk = name: script: derivation { inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" script ]; PATH = "/usr/bin:/bin"; };
    dep = mk "a-dep" "echo building dep; echo hi > $out";
    baddep = mk "bad-dep" "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do echo line $i; done; echo 'error: it broke' >&2; exit 3";
  in {
    packages.x86_64-linux = {
      web-image = mk "web-image" "echo building image; cat ${dep}; mkdir $out; echo img > $out/nixos.img; sleep 0.3; echo done";
      tool = mk "tool" "echo hi > $out";
      multi = derivation { name = "multi"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo a > $out; echo b > $dev" ]; outputs = [ "out" "dev" ]; };
      big = mk "big-1.0" "dd if=/dev/urandom of=$out bs=1M count=4 2>/dev/null";
      ca = derivation { name = "fixed"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo hi > $out" ]; outputHashAlgo = "sha256"; outputHashMode = "flat"; outputHash = "98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"; };
      bad = baddep;
      bad2 = mk "bad2" "echo two; exit 7";
      bad-image = mk "bad-image" "cat ${baddep}; echo > $out";
      throw = throw "no disk size\ngiven";
      attr = import ./attr.nix;
      syntax = import ./syntax.nix;
      claim = mk "assert" "${assert 1 == 2; "x"}";
      undefined = import ./undefined.nix;
      trace = mk "trace" "${toString (map (x: x.image.size) [ { image = { }; } ])}";
      module = mk "module" "${builtins.throw "Failed assertions:\n- The option `services.nginx.foo' does not exist."}";
      noout = mk "noout" "true";
      kvm-image = derivation { name = "kvm-image"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; requiredSystemFeatures = [ "kvm" ]; };
      arm-image = derivation { name = "arm-image"; system = "aarch64-linux"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; };
    };
    nixosConfigurations.web.config.system.build.toplevel = mk "nixos-system-web-25.05" "cat ${dep}; /bin/mkdir $out; echo ${dep} > $out/nixos-version";
  };
}
