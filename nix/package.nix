# snowdrop from this repository's sources. Its Go is the one that go.mod names, or a
# newer one.
{ lib
, buildGoModule
, installShellFiles
, stdenv
, version ? "devel"
}:
buildGoModule {
  pname = "snowdrop";
  inherit version;

  src = lib.cleanSource ../.;
  # Of the modules that go.mod names; a test keeps it right, nix/vendor_test.go.
  vendorHash = lib.fileContents ./vendor-hash;

  subPackages = [ "." ];
  env.CGO_ENABLED = "0";
  ldflags = [ "-s" "-w" "-X github.com/versatus/snowdrop/internal/connect.version=${version}" ];

  # The tests want a git repository, and programs that are not here.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postInstall = lib.optionalString (stdenv.buildPlatform.canExecute stdenv.hostPlatform) ''
    installShellCompletion --cmd snowdrop \
      --bash <($out/bin/snowdrop completion bash) \
      --fish <($out/bin/snowdrop completion fish) \
      --zsh <($out/bin/snowdrop completion zsh)
  '';

  meta = {
    description = "NixOS on DigitalOcean: builds an image from a flake, rebuilds the droplets with it, and proves that it runs";
    homepage = "https://github.com/versatus/snowdrop";
    license = lib.licenses.mit;
    mainProgram = "snowdrop";
  };
}
