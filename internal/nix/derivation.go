package nix

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/closure"
)

// Derivations are what the installables are built from: their own derivations and all
// that those need, in no order. Nothing is built, and the flake's lock file is not
// written. For the derivations of another revision name it in the installable
// (".?rev=…#web"). It errors with *EvalError, and with ErrNotInstalled.
func (c *Client) Derivations(ctx context.Context, installables []string) ([]closure.Derivation, error) {
	if len(installables) == 0 {
		return nil, nil
	}
	version, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	verb, args := "show-derivation", []string{"--recursive", "--no-write-lock-file", "--"}
	if atLeast(version, 2, 15) {
		verb, args = "derivation", append([]string{"show"}, args...)
	}
	stdout, said, err := c.json(ctx, Progress{}, verb, append(args, installables...)...)
	switch {
	case err != nil && isOurs(ctx, err):
		return nil, err
	case err != nil:
		return nil, said.evalError(installables, c.cfg.Dir, err)
	}
	derivations, err := parseDerivations(stdout)
	if err != nil {
		return nil, fmt.Errorf("list the derivations of %s: %w", strings.Join(installables, ", "), err)
	}
	return derivations, nil
}

// shownDerivation is one element of nix derivation show.
type shownDerivation struct {
	Outputs map[string]struct {
		// Path is absent where it follows from what is built.
		Path string `json:"path"`
		// Hash is there where the result is known beforehand. How it is written depends
		// on the version.
		Hash json.RawMessage `json:"hash"`
	} `json:"outputs"`
}

// parseDerivations reads an object keyed by the derivations' paths. Since 2.32 paths
// are without their directory, and since 2.33 the object stands below "derivations"
// (https://nix.dev/manual/nix/latest/protocols/json/derivation.html).
func parseDerivations(stdout []byte) ([]closure.Derivation, error) {
	var wrapped struct {
		Derivations map[string]shownDerivation `json:"derivations"`
	}
	if err := json.Unmarshal(stdout, &wrapped); err != nil {
		return nil, fmt.Errorf("read what nix derivation show answered: %w", err)
	}
	shown := wrapped.Derivations
	if shown == nil {
		if err := json.Unmarshal(stdout, &shown); err != nil {
			return nil, fmt.Errorf("read what nix derivation show answered: %w", err)
		}
	}
	derivations := make([]closure.Derivation, 0, len(shown))
	for path, s := range shown {
		d := closure.Derivation{Path: path, Outputs: make(map[string]string, len(s.Outputs))}
		for name, o := range s.Outputs {
			d.Outputs[name] = o.Path
			d.Fixed = d.Fixed || len(o.Hash) > 0 && string(o.Hash) != "null"
		}
		derivations = append(derivations, d)
	}
	return derivations, nil
}
