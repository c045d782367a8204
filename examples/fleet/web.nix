# A web server, and a service that needs a secret.
{ pkgs, ... }:
{
  services.nginx = {
    enable = true;
    virtualHosts.default = {
      default = true;
      locations."/healthz".return = "200 'ok'";
      locations."/".root = pkgs.writeTextDir "index.html" "<h1>It works</h1>";
    };
  };
  networking.firewall.allowedTCPPorts = [ 80 ];

  # The token is one of snowdrop.yaml's files: it is not in the image. Without the
  # file the service is not started, and that is no failure; snowdrop restarts it
  # when the file is there.
  systemd.services.greeter = {
    description = "Says that it has its token";
    wantedBy = [ "multi-user.target" ];
    unitConfig.ConditionPathExists = "/var/lib/greeter/token";
    serviceConfig = {
      DynamicUser = true;
      LoadCredential = "token:/var/lib/greeter/token";
      Restart = "on-failure";
    };
    script = ''
      test -s "$CREDENTIALS_DIRECTORY/token"
      echo "The token is here."
      exec sleep infinity
    '';
  };
}
