package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Platforms are the systems that builds can be made for: by this computer, and by the
// builders that nix knows.
type Platforms struct {
	// Local are this computer's own, its main one first.
	Local []string
	// Builders are those of remote builders, in the order of the settings.
	Builders []string
}

// Has says whether anything builds for a system.
func (p Platforms) Has(system string) bool {
	return slices.Contains(p.Local, system) || slices.Contains(p.Builders, system)
}

// Platforms asks nix for its settings and reads the files of builders that they name
// (/etc/nix/machines). A file that is not there is no builder.
func (c *Client) Platforms(ctx context.Context) (Platforms, error) {
	var settings map[string]struct {
		Value json.RawMessage `json:"value"`
	}
	stdout, err := c.output(ctx, "config", Progress{}, append([]string{"config", "show", "--json"}, c.common()...)...)
	if err != nil && !isOurs(ctx, err) { // its name before Nix 2.20
		stdout, err = c.output(ctx, "show-config", Progress{}, append([]string{"show-config", "--json"}, c.common()...)...)
	}
	if err != nil {
		return Platforms{}, fmt.Errorf("ask nix for its settings: %w", err)
	}
	if err := json.Unmarshal(stdout, &settings); err != nil {
		return Platforms{}, fmt.Errorf("read nix's settings: %w", err)
	}
	var system, builders string
	var extra []string
	for name, into := range map[string]any{"system": &system, "builders": &builders, "extra-platforms": &extra} {
		if s, ok := settings[name]; ok {
			if err := json.Unmarshal(s.Value, into); err != nil {
				return Platforms{}, fmt.Errorf("read nix's setting %s: %w", name, err)
			}
		}
	}
	if c.cfg.Builders != "" {
		builders = c.cfg.Builders
	}
	out := Platforms{Local: append([]string{system}, extra...)}
	out.Builders, err = builderSystems(builders, system)
	return out, err
}

// builderSystems reads nix's setting "builders": entries on lines of their own or
// between semicolons, each an address and its systems, or @ and a file of such lines.
func builderSystems(text, system string) ([]string, error) {
	var systems []string
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		entry, _, _ = strings.Cut(entry, "#")
		fields := strings.Fields(entry)
		switch {
		case len(fields) == 0:
		case strings.HasPrefix(fields[0], "@"):
			file, err := os.ReadFile(fields[0][1:])
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read nix's builders: %w", err)
			}
			below, err := builderSystems(string(file), system)
			if err != nil {
				return nil, err
			}
			systems = append(systems, below...)
		case len(fields) == 1 || fields[1] == "-":
			systems = append(systems, system)
		default:
			systems = append(systems, strings.Split(fields[1], ",")...)
		}
	}
	return systems, nil
}

// System is the system that an installable's derivation is made on, such as
// "x86_64-linux". It errors with *EvalError.
func (c *Client) System(ctx context.Context, installable string) (string, error) {
	var system string
	target := installable + ".system"
	stdout, said, err := c.json(ctx, Progress{}, "eval", "--json", "--no-write-lock-file", "--", target)
	switch {
	case err != nil && isOurs(ctx, err):
		return "", err
	case err != nil:
		return "", said.evalError([]string{target}, c.cfg.Dir, err)
	}
	if err := json.Unmarshal(stdout, &system); err != nil {
		return "", fmt.Errorf("read what nix eval --json %s answered: %w", target, err)
	}
	return system, nil
}
