{
  outputs = { self }: let
    mk = system: name: derivation { inherit name system; builder = "/bin/sh"; args = [ "-c" ": > $out" ]; };
    host = name: { config.system.build.toplevel = mk "x86_64-linux" "nixos-system-${name}-25.05"; };
  in {
    packages.x86_64-linux = { web-image = mk "x86_64-linux" "web"; lasr_nightly_image = mk "x86_64-linux" "lasr"; tool = mk "x86_64-linux" "tool"; };
    packages.aarch64-linux.arm-image = mk "aarch64-linux" "arm";
    legacyPackages.x86_64-linux.old-image = mk "x86_64-linux" "old";
    nixosConfigurations = { web = host "web"; db = host "db"; };
    nixosModules.default = { };
    images.web = "not a package";
  };
}
