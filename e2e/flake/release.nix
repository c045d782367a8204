# What each server runs in this release. A test writes release 1, release 2 and a
# broken one by rewriting this file.
#   version   of the system, as in nixos-version
#   format    of the disk image: "qcow2", "raw" or "qcow2.gz"
#   units     by file name; those with an [Install] section start at boot
#   files     by path below etc; those in ssh/ are linked into /etc
#   packages  name → version; paths in the closure with nothing in them, so that
#             two releases differ in a way that a person would want to see
{ httpd }:
{
  web = {
    version = "25.05";
    format = "qcow2";
    packages = { nginx = "1.26.3"; openssl = "3.4.1"; };
    units."web.service" = ''
      [Unit]
      Description=web, release 1

      [Service]
      ExecStart=${httpd}/bin/httpd 8080 "web release 1"
      Restart=on-failure

      [Install]
      WantedBy=multi-user.target
    '';
  };

  api = {
    version = "25.05";
    format = "raw";
    packages = { openssl = "3.4.1"; };
    units."api.service" = ''
      [Unit]
      Description=api, release 1

      [Service]
      ExecStart=${httpd}/bin/httpd 9292 "api release 1"
      Restart=on-failure

      [Install]
      WantedBy=multi-user.target
    '';
  };

  db = {
    version = "25.05";
    format = "qcow2.gz";
    packages = { postgresql = "17.4"; };
    units."db.service" = ''
      [Unit]
      Description=db, release 1

      [Service]
      ExecStart=${httpd}/bin/httpd 5432 "db release 1"
      Restart=on-failure

      [Install]
      WantedBy=multi-user.target
    '';
  };
}
