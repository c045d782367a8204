package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
)

func (a *app) initCommand() *cobra.Command {
	in := fleet.DraftInput{}
	c := &cobra.Command{
		Use:     "init",
		Short:   "Write a first snowdrop.yaml by looking at the flake and the account",
		GroupID: groupStart,
		Long: `Looks at the flake (nixosConfigurations, packages whose name has "image" in it) and
at the account's droplets, writes a first snowdrop.yaml, and says what it matched
with what. It never overwrites a file. Without a DigitalOcean token the droplets
are left for you to fill in.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.init(c.Context(), in) },
	}
	c.Flags().StringVar(&in.Flake, "flake", ".", "the flake to look at")
	c.Flags().StringVar(&in.Bucket, "bucket", "", "the Space for images and records")
	c.Flags().StringVar(&in.Region, "region", "", "the Space's region, such as nyc3")
	return c
}

func (a *app) init(ctx context.Context, in fleet.DraftInput) error {
	if _, err := os.Stat(a.config); !errors.Is(err, fs.ErrNotExist) {
		return deploy.UsageError{Err: fmt.Errorf("%s is there already and is not overwritten: remove it, or name another file with --config", a.config)}
	}
	shown, err := connect.Nix(&fleet.Fleet{Path: a.config}).Show(ctx, in.Flake)
	if err != nil {
		return fmt.Errorf("look at the flake %s: %w", in.Flake, err)
	}
	in.Configurations, in.Images = shown.Configurations, shown.Images
	if in.Droplets, err = a.draftDroplets(ctx); err != nil {
		return err
	}
	yaml, matches := fleet.Draft(in)
	if err := writeNew(a.config, yaml); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.io.Out, "Wrote %s.\n\n", a.config)
	for _, m := range matches {
		_, _ = fmt.Fprintf(a.io.Out, "- %s\n", m)
	}
	_, _ = fmt.Fprintf(a.io.Out, "\nNext:\n  read %s\n  snowdrop doctor\n  snowdrop deploy --dry-run\n", a.config)
	return nil
}

// draftDroplets lists the account's droplets; without a token there are none, and
// that is said.
func (a *app) draftDroplets(ctx context.Context) ([]fleet.DraftDroplet, error) {
	if a.io.Getenv(connect.EnvToken) == "" && a.io.Getenv(connect.EnvTokenOther) == "" {
		_, _ = fmt.Fprintf(a.io.Err, "%s is not set: the account's droplets are not looked at.\n", connect.EnvToken)
		return nil, nil
	}
	client, err := connect.Ocean(a.io.Getenv)
	if err != nil {
		return nil, deploy.UsageError{Err: err}
	}
	droplets, err := client.Droplets(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the account's droplets: %w", err)
	}
	drafts := make([]fleet.DraftDroplet, len(droplets))
	for i, d := range droplets {
		drafts[i] = fleet.DraftDroplet{Name: d.Name, Tags: d.Tags, Region: d.Region, Image: d.ImageName}
	}
	return drafts, nil
}

// writeNew writes a file that must not be there yet.
func writeNew(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // the fleet file holds no secret, and is for a repository
	if err != nil {
		return fmt.Errorf("write the fleet file: %w", err)
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the fleet file: %w", err)
	}
	return nil
}
