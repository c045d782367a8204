package nix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Metadata is what is known of a flake's sources.
type Metadata struct {
	// URL is the flake's address as nix resolved it.
	URL string
	// Revision is the git revision; empty where the tree is dirty or is no git tree.
	Revision string
	// Dirty says that the sources are not those of a revision.
	Dirty bool
	// LastModified is the commit's time, or that of the newest file where there
	// is no git tree.
	LastModified time.Time
}

// Metadata asks about a flake: a clean git tree, a dirty one or a plain
// directory. It errors with *EvalError when there is no such flake.
func (c *Client) Metadata(ctx context.Context, flake string) (Metadata, error) {
	stdout, said, err := c.json(ctx, Progress{}, "flake", "metadata", "--json", "--no-write-lock-file", "--", flake)
	if err != nil {
		if isOurs(ctx, err) {
			return Metadata{}, err
		}
		return Metadata{}, said.evalError([]string{flake}, c.cfg.Dir, err)
	}
	return parseMetadata(stdout)
}

func parseMetadata(stdout []byte) (Metadata, error) {
	var m struct {
		URL          string `json:"url"`
		ResolvedURL  string `json:"resolvedUrl"`
		Revision     string `json:"revision"`
		LastModified int64  `json:"lastModified"`
		Locked       struct {
			Rev          string `json:"rev"`
			LastModified int64  `json:"lastModified"`
		} `json:"locked"`
	}
	if err := json.Unmarshal(stdout, &m); err != nil {
		return Metadata{}, fmt.Errorf("read what nix flake metadata --json answered: %w", err)
	}
	meta := Metadata{URL: m.ResolvedURL, Revision: m.Revision}
	if meta.URL == "" {
		meta.URL = m.URL
	}
	if meta.Revision == "" {
		meta.Revision = m.Locked.Rev
	}
	meta.Dirty = meta.Revision == ""
	if m.LastModified == 0 {
		m.LastModified = m.Locked.LastModified
	}
	if m.LastModified != 0 {
		meta.LastModified = time.Unix(m.LastModified, 0).UTC()
	}
	return meta, nil
}

// Shown is what a flake offers.
type Shown struct {
	// Configurations are the names of its nixosConfigurations, sorted.
	Configurations []string
	// Images are the packages whose name has "image", sorted, each as it follows
	// the # of an installable: "packages.x86_64-linux.web-image".
	Images []string
}

// Show lists what a flake offers. Only names are evaluated: unlike nix flake
// show it takes no longer with large configurations and is not stopped by a
// faulty one. A flake that offers neither is not an error.
func (c *Client) Show(ctx context.Context, flake string) (Shown, error) {
	var shown Shown
	err := c.attributes(ctx, flake, "nixosConfigurations", "builtins.attrNames", &shown.Configurations)
	if err != nil {
		return Shown{}, err
	}
	var packages map[string][]string
	err = c.attributes(ctx, flake, "packages", "builtins.mapAttrs (_: builtins.attrNames)", &packages)
	if err != nil {
		return Shown{}, err
	}
	for system, names := range packages {
		for _, name := range names {
			if strings.Contains(strings.ToLower(name), "image") {
				shown.Images = append(shown.Images, "packages."+system+"."+name)
			}
		}
	}
	slices.Sort(shown.Configurations)
	slices.Sort(shown.Images)
	return shown, nil
}

// attributes evaluates apply on an attribute of the flake's outputs; into stays
// as it is where the flake has no such attribute.
func (c *Client) attributes(ctx context.Context, flake, attr, apply string, into any) error {
	installable := flake + "#" + attr
	stdout, said, err := c.json(ctx, Progress{}, "eval", "--json", "--no-write-lock-file", "--apply", apply, "--", installable)
	switch {
	case err != nil && isOurs(ctx, err):
		return err
	case err != nil:
		fault := said.evalError([]string{installable}, c.cfg.Dir, err)
		if eval := (*EvalError)(nil); errors.As(fault, &eval) && strings.Contains(eval.Message, "does not provide attribute") {
			return nil
		}
		return fault
	}
	if err := json.Unmarshal(stdout, into); err != nil {
		return fmt.Errorf("read what nix eval --json %s answered: %w", installable, err)
	}
	return nil
}
