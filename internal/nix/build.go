package nix

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Evaluate says what each installable will be, in the order asked, without
// building it. It errors with *EvalError, several of them joined where several
// installables are faulty, with *BuildError where the evaluation itself needed
// a build, and with ErrNotInstalled. The flake's lock file is not written.
func (c *Client) Evaluate(ctx context.Context, installables []string) ([]Output, error) {
	return c.evaluate(ctx, installables, Progress{})
}

func (c *Client) evaluate(ctx context.Context, installables []string, p Progress) ([]Output, error) {
	if len(installables) == 0 {
		return nil, nil
	}
	args := append([]string{"--dry-run", "--json", "--no-link", "--no-write-lock-file", "--"}, installables...)
	stdout, said, err := c.json(ctx, p, "build", args...)
	switch {
	case err != nil && isOurs(ctx, err):
		return nil, err
	case err != nil && len(installables) > 1:
		return nil, c.evaluateEach(ctx, installables, said.evalError(installables, c.cfg.Dir, err))
	case err != nil:
		return nil, said.evalError(installables, c.cfg.Dir, err)
	}
	outputs, err := parseOutputs(stdout, installables)
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", strings.Join(installables, ", "), err)
	}
	return outputs, nil
}

// evaluateEach finds out which of several installables are faulty: nix stops at
// the first and, before 2.26, does not say which it was. all is what it said of
// all of them, returned if each alone is fine.
func (c *Client) evaluateEach(ctx context.Context, installables []string, all error) error {
	var faults []error
	for i, installable := range installables {
		if slices.Contains(installables[:i], installable) {
			continue
		}
		_, err := c.evaluate(ctx, []string{installable}, Progress{})
		if err != nil && isOurs(ctx, err) {
			return err
		}
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return all
}

// isOurs says that nix did not come to answer: it was stopped, or is not there.
func isOurs(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrNotInstalled)
}

// Build evaluates the installables and builds them in one nix build, so that
// what they share is built once. What is built is what was evaluated, even if
// the sources change meanwhile. Errors are those of Evaluate and Realise.
func (c *Client) Build(ctx context.Context, installables []string, p Progress) ([]Output, error) {
	outputs, err := c.evaluate(ctx, installables, p)
	if err != nil {
		return nil, err
	}
	return outputs, c.Realise(ctx, outputs, p)
}

// Realise builds what Evaluate found, in one nix build. It errors with
// *BuildError, several of them joined where several derivations failed: what does
// not depend on a failure is built all the same, and stays in the store.
func (c *Client) Realise(ctx context.Context, outputs []Output, p Progress) error {
	if len(outputs) == 0 {
		return nil
	}
	version, err := c.Version(ctx)
	if err != nil {
		return err
	}
	args := []string{"--json", "--keep-going"}
	if c.cfg.Builders != "" {
		args = append(args, "--builders", c.cfg.Builders)
	}
	args = append(args, c.roots(outputs)...)
	stdout, said, err := c.json(ctx, p, "build", append(args, targets(outputs, version)...)...)
	if err != nil {
		return said.realiseError(ctx, outputs, err)
	}
	return checkBuilt(stdout, outputs)
}

// roots says where nix shall link what it builds.
func (c *Client) roots(outputs []Output) []string {
	if c.cfg.RootDir == "" {
		return []string{"--no-link"}
	}
	name, err := StoreHash(outputs[0].Path)
	if err != nil {
		name = "result"
	}
	return []string{"--out-link", filepath.Join(c.cfg.RootDir, name)}
}

// targets names the derivations in the way that this version of nix knows:
// since 2.13 "x.drv^out" is the output; since 2.15 "x.drv" is no longer.
func targets(outputs []Output, version string) []string {
	var all []string
	for _, o := range outputs {
		target := o.Drv
		switch {
		case target == "":
			target = o.Path
		case atLeast(version, 2, 13):
			target += "^" + cmp.Or(o.Name, "out")
		}
		if !slices.Contains(all, target) {
			all = append(all, target)
		}
	}
	return all
}

// atLeast compares the first two numbers of a version; one that cannot be read
// counts as new.
func atLeast(version string, major, minor int) bool {
	numbers := strings.FieldsFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if len(numbers) < 2 {
		return true
	}
	a, _ := strconv.Atoi(numbers[0])
	b, _ := strconv.Atoi(numbers[1])
	return a > major || a == major && b >= minor
}

// checkBuilt makes sure that nix built what was evaluated. The order of its
// answer is its own.
func checkBuilt(stdout []byte, outputs []Output) error {
	built, err := parseEntries(stdout)
	if err != nil {
		return err
	}
	for _, o := range outputs {
		ok := slices.ContainsFunc(built, func(e entry) bool {
			return e.Path == o.Path || e.Drv == o.Drv && e.Outputs[cmp.Or(o.Name, "out")] == o.Path
		})
		if !ok {
			return fmt.Errorf("build %s: nix does not name %s among what it built", o.Installable, o.Path)
		}
	}
	return nil
}

func names(outputs []Output) []string {
	var all []string
	for _, o := range outputs {
		all = append(all, o.Installable)
	}
	return all
}

// entry is one element of nix build --json.
type entry struct {
	Drv     string            `json:"drvPath"`
	Outputs map[string]string `json:"outputs"`
	Path    string            `json:"path"`
}

// UnmarshalJSON reads an object, or the bare string that Nix since 2.15 writes
// for a store path.
func (e *entry) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &e.Path) //nolint:wrapcheck // wrapped by the caller
	}
	type object entry
	return json.Unmarshal(b, (*object)(e)) //nolint:wrapcheck // wrapped by the caller
}

func parseEntries(stdout []byte) ([]entry, error) {
	var entries []entry
	if err := json.Unmarshal(stdout, &entries); err != nil {
		return nil, fmt.Errorf("read what nix build --json answered: %w", err)
	}
	return entries, nil
}

// parseOutputs reads the answer to a dry run, which is in the order asked.
func parseOutputs(stdout []byte, installables []string) ([]Output, error) {
	entries, err := parseEntries(stdout)
	if err != nil {
		return nil, err
	}
	if len(entries) != len(installables) {
		return nil, fmt.Errorf("nix names %d things for %d installables; each must be one derivation", len(entries), len(installables))
	}
	outputs := make([]Output, len(entries))
	var faults []error
	for i, e := range entries {
		outputs[i], err = e.pick(installables[i])
		faults = append(faults, err)
	}
	return outputs, errors.Join(faults...)
}

// pick chooses the output that is meant: "out", or the only one.
func (e entry) pick(installable string) (Output, error) {
	o := Output{Installable: installable, Drv: e.Drv, Path: e.Path}
	if e.Path != "" {
		return o, nil
	}
	o.Name = "out"
	if _, ok := e.Outputs["out"]; !ok && len(e.Outputs) == 1 {
		for name := range e.Outputs {
			o.Name = name
		}
	}
	o.Path = e.Outputs[o.Name]
	if o.Path == "" {
		return o, fmt.Errorf("%s: nix does not say where its output will be; a derivation whose path follows from its content cannot be an image", installable)
	}
	return o, nil
}
