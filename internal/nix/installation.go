package nix

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Installation is what a configuration says of how it is installed on a machine.
type Installation struct {
	// Flake names the configuration as nixos-anywhere and nixos-rebuild want it:
	// ".#web".
	Flake string
	// Platform is what it is for: "x86_64-linux"; empty where it does not say.
	Platform string
	// Disko says that it has a script that formats disks, Devices which these are,
	// as files in /dev.
	Disko   bool
	Devices []string
}

// ErrNoConfiguration says that an installable is not the toplevel of a configuration.
var ErrNoConfiguration = errors.New("it is not the system of one of a flake's nixosConfigurations " +
	"(FLAKE#nixosConfigurations.NAME.config.system.build.toplevel)")

// Installation evaluates it for a system given as an installable. It errors with
// ErrNoConfiguration or an *EvalError.
func (c *Client) Installation(ctx context.Context, system string) (Installation, error) {
	m := configured.FindStringSubmatch(system)
	if m == nil {
		return Installation{}, fmt.Errorf("%s: %w", system, ErrNoConfiguration)
	}
	apply := fmt.Sprintf(`all: let
		it = all.%s;
		config = it.config;
	in {
		platform = it.pkgs.stdenv.hostPlatform.system or "";
		disko = config.system.build ? diskoScript;
		devices = map (d: d.device or "") (builtins.attrValues (config.disko.devices.disk or { }));
	}`, m[2])
	var said *struct {
		Platform string   `json:"platform"`
		Disko    bool     `json:"disko"`
		Devices  []string `json:"devices"`
	}
	if err := c.attributes(ctx, m[1], "nixosConfigurations", apply, &said); err != nil {
		return Installation{}, err
	}
	if said == nil {
		return Installation{}, fmt.Errorf("%s: the flake has no nixosConfigurations", system)
	}
	out := Installation{Flake: m[1] + "#" + strings.Trim(m[2], `"`), Platform: said.Platform, Disko: said.Disko}
	for _, device := range said.Devices {
		if strings.HasPrefix(device, "/") {
			out.Devices = append(out.Devices, device)
		}
	}
	return out, nil
}
