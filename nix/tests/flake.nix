# Stands in for nixpkgs where the flake is evaluated without a network: what package.nix
# and flake.nix take from it. A package shows what it was made with.
{
  outputs = { self }: {
    lib = import ./lib.nix // {
      cleanSource = toString;
      fileContents = file: builtins.replaceStrings [ "\n" ] [ "" ] (builtins.readFile file);
      licenses.mit = { spdxId = "MIT"; };
      trivial.release = "26.11";
      # Of a configuration it gives back what it was made of, and what check.nix asks.
      nixosSystem = { system, modules }: {
        inherit modules;
        config = {
          assertions = [ ];
          system = { configurationRevision = "0123abcd"; build.etc = "/nix/store/etc-${system}-${toString (builtins.length modules)}"; };
          virtualisation.digitalOcean.rebuildFromUserData = false;
          users.users.deploy.linger = true;
        };
      };
    };

    legacyPackages = self.lib.genAttrs [ "x86_64-linux" "aarch64-linux" "x86_64-darwin" "aarch64-darwin" ] (system:
      let
        pkgs = if system == "x86_64-darwin" then throw "nixpkgs 26.11 has no x86_64-darwin" else {
          inherit (self) lib;
          inherit system pkgs;
          stdenv = { buildPlatform.canExecute = _: true; hostPlatform = system; };
          installShellFiles = "installShellFiles";
          jq = "jq";
          runCommand = name: env: script: derivation { inherit name system script; builder = "/bin/sh"; };
          buildGoModule = _: throw "its Go is too old";
          buildGoLatestModule = args: derivation
            {
              name = "${args.pname}-${args.version}";
              inherit system;
              builder = "/bin/sh";
            } // { inherit args; };
          callPackage = file: given:
            let f = import file; in
            f (builtins.intersectAttrs (builtins.functionArgs f) pkgs // given);
        };
      in
      pkgs);
  };
}
