package nix

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// configured is the toplevel of a configuration as an installable: the flake, and the
// configuration's name, quoted where it has a dot.
var configured = regexp.MustCompile(`^([^#]*)#nixosConfigurations\.([A-Za-z0-9_-]+|"[A-Za-z0-9_.-]+")\.config\.system\.build\.toplevel$`)

// StateVersions evaluates system.stateVersion, which a built system does not tell, for
// systems given as installables. One that is not the toplevel of one of a flake's
// nixosConfigurations is left out, and so is one without a stateVersion. Nix is run
// once for each flake. It errors with an *EvalError.
func (c *Client) StateVersions(ctx context.Context, systems []string) (map[string]string, error) {
	asked := map[string][]string{} // by flake
	attrs := map[string]string{}
	for _, s := range systems {
		if m := configured.FindStringSubmatch(s); m != nil {
			asked[m[1]], attrs[s] = append(asked[m[1]], s), m[2]
		}
	}
	found := map[string]string{}
	for flake, systems := range asked {
		var apply strings.Builder
		apply.WriteString("all: [")
		for _, s := range systems {
			fmt.Fprintf(&apply, " (all.%s.config.system.stateVersion or null)", attrs[s])
		}
		apply.WriteString(" ]")
		var versions []*string
		if err := c.attributes(ctx, flake, "nixosConfigurations", apply.String(), &versions); err != nil {
			return nil, err
		}
		for i, v := range versions {
			if v != nil && i < len(systems) {
				found[systems[i]] = *v
			}
		}
	}
	return found, nil
}
