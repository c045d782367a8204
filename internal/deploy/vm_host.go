package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/nix"
)

// vmHost is what is asked of Nix where a virtual machine is not built by this computer
// alone. *nix.Client is one.
type vmHost interface {
	Platforms(ctx context.Context) (nix.Platforms, error)
	System(ctx context.Context, installable string) (string, error)
}

var _ vmHost = (*nix.Client)(nil)

// hostCanRun finds out, on a computer without Linux, whether the script is one for this
// computer and whether anything can build the Linux that it starts. What is built
// already needs no builder.
func hostCanRun(ctx context.Context, host vmHost, req VMRequest, installable string, built bool) error {
	here := nixSystem(req.OS, req.Arch)
	of, err := host.System(ctx, installable)
	if err != nil {
		return wrap(err, "find out which system the script is for")
	}
	if strings.HasSuffix(of, "-linux") {
		return UsageError{Err: fmt.Errorf("the script of %s is one for %s, and this computer is %s. Give the virtual machine QEMU of this computer, in the server's configuration:\n"+
			"  virtualisation.vmVariant.virtualisation.host.pkgs = import nixpkgs { system = %q; };\n"+
			"where nixpkgs is the flake's input (it reaches modules through specialArgs)", installable, of, here, here)}
	}
	if built {
		return nil
	}
	platforms, err := host.Platforms(ctx)
	if err != nil {
		return wrap(err, "find out whether there is a Linux builder")
	}
	linux := nixSystem("linux", req.Arch)
	for _, system := range append(platforms.Local, platforms.Builders...) {
		if strings.HasSuffix(system, "-linux") {
			return nil // which of them is needed, nix says best
		}
	}
	return UsageError{Err: errors.New(linuxBuilderSteps(here, linux))}
}

// nixSystem is how Nix calls a computer that Go calls darwin and arm64.
func nixSystem(goos, arch string) string {
	switch arch {
	case "amd64":
		arch = "x86_64"
	case "arm64":
		arch = "aarch64"
	}
	return arch + "-" + goos
}

// linuxBuilderSteps are what is to be typed where nothing builds for Linux.
func linuxBuilderSteps(here, linux string) string {
	return fmt.Sprintf(`nothing builds for Linux here (%[1]s): nix has no builder of a system such as %[2]s (nix config show builders).
With nix-darwin, set
  nix.linux-builder.enable = true;
  nix.settings.trusted-users = [ "@admin" ];
and run 'darwin-rebuild switch --flake .'. Without nix-darwin:
  1. Add to /etc/nix/nix.conf, and restart the daemon (sudo launchctl kickstart -k system/org.nixos.nix-daemon):
       extra-trusted-users = $USER
  2. Start the builder, and let it run:
       nix run nixpkgs#darwin.linux-builder
  3. Add to /etc/nix/nix.conf, and restart the daemon:
       builders = ssh-ng://builder@linux-builder %[2]s /etc/nix/builder_ed25519 4 - - - c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSUpCV2N4Yi9CbGFxdDFhdU90RStGOFFVV3JVb3RpQzVxQkorVXVFV2RWQ2Igcm9vdEBuaXhvcwo=
       builders-use-substitutes = true
  4. Write /etc/ssh/ssh_config.d/100-linux-builder.conf:
       Host linux-builder
         User builder
         Hostname localhost
         HostKeyAlias linux-builder
         Port 31022
         IdentityFile /etc/nix/builder_ed25519
Then try again. The manual of nixpkgs has it under darwin.linux-builder`, here, linux)
}

// foreignHint is said beside an error of nix about a system that nothing builds for;
// nil for other errors.
func foreignHint(ctx context.Context, host vmHost, req VMRequest, err error) error {
	if host == nil || !strings.Contains(err.Error(), "required to build") && !strings.Contains(err.Error(), "required system") {
		return nil
	}
	text := "this computer is " + nixSystem(req.OS, req.Arch)
	if platforms, err := host.Platforms(ctx); err == nil {
		text += ", and nix's builders are for " + list(platforms.Builders)
	}
	return errors.New(text + ": add a builder for the other system (nix.buildMachines, nix.conf's builders), or on Linux let QEMU emulate it (NixOS: boot.binfmt.emulatedSystems)")
}
