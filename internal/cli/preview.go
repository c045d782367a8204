package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/report"
)

func (a *app) previewCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "preview COMMAND",
		Short:   "A pull request's servers on droplets of their own",
		GroupID: groupDeploy,
		Long: `Brings a pull request's servers to droplets of their own, as 'preview:' of the fleet
file allows, and deletes them again. They cost money while they are there.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return deploy.UsageError{Err: fmt.Errorf("%s: up, down, sweep or list? See '%s --help'", c.CommandPath(), c.CommandPath())}
		},
	}
	c.AddCommand(a.previewUpCommand(), a.previewDownCommand(), a.previewSweepCommand(), a.previewListCommand())
	return c
}

func (a *app) previewUpCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "up NUMBER",
		Short: "Bring a pull request's servers to droplets of their own, or the latter up to date",
		Long: `Builds the images of what is checked out, makes a droplet for each server, or rebuilds
the one that is there, and verifies it as a deploy does. It says what the droplets
cost, and makes no more of them than the fleet file allows.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pull, err := number(args[0])
			if err != nil {
				return err
			}
			return a.run(f, nil, func(s *session) error {
				_, err := s.deployer.PreviewUp(c.Context(), deploy.PreviewRequest{Pull: pull, Servers: f.servers, Revision: f.revision})
				return a.told(err)
			})
		},
	}
	c.Flags().StringSliceVarP(&f.servers, "server", "s", nil, "only these servers (may be given several times)")
	_ = c.RegisterFlagCompletionFunc("server", a.completeServers)
	f.addRevision(c)
	a.addJSON(c, "tell what happens as JSON, one event a line")
	return c
}

func (a *app) previewDownCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "down NUMBER",
		Short: "Delete a pull request's droplets, images and records",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			pull, err := number(args[0])
			if err != nil {
				return err
			}
			return a.run(f, nil, func(s *session) error {
				if err := s.confirm(c.Context(), &f, fmt.Sprintf("The droplets of pull request %d's preview will be deleted, with all that is on them.", pull)); err != nil {
					return err
				}
				_, err := s.deployer.PreviewDown(c.Context(), pull)
				return a.told(err)
			})
		},
	}
	f.addYes(c)
	a.addJSON(c, "tell what happens as JSON, one event a line")
	return c
}

func (a *app) previewSweepCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "sweep",
		Short: "Delete the previews whose time is over",
		Long: `Deletes the previews that were last updated longer ago than 'preview.ttl' of the fleet
file. As an action it deletes those of closed pull requests too.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.run(f, nil, func(s *session) error {
				if err := s.confirm(c.Context(), &f, "The droplets of previews whose time is over (see 'snowdrop preview list') will be deleted, with all that is on them."); err != nil {
					return err
				}
				_, err := s.deployer.PreviewSweep(c.Context(), nil)
				return a.told(err)
			})
		},
	}
	f.addYes(c)
	a.addJSON(c, "tell what happens as JSON, one event a line")
	return c
}

func (a *app) previewListCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "Show the previews that there are, and until when",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.run(runFlags{}, nil, func(s *session) error {
				previews, err := s.deployer.Previews(c.Context())
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				if a.json {
					return a.printJSON(previews)
				}
				a.printPreviews(previews, s.fleet.Preview.Max, time.Now())
				return nil
			})
		},
	}
	a.addJSON(c, "print the previews as JSON")
	return c
}

// told marks an error that the report has told in full: that of a run which began.
func (a *app) told(err error) error {
	var failed *deploy.FailedError
	if errors.As(err, &failed) || errors.Is(err, context.Canceled) {
		return a.shown(err)
	}
	return err
}

// printPreviews writes a row a droplet, and one for a preview of which only images or
// objects are left.
func (a *app) printPreviews(previews []deploy.Preview, most int, now time.Time) {
	o, _ := a.options()
	var rows [][]string
	droplets := 0
	for _, p := range previews {
		number, until := "#"+strconv.Itoa(p.Pull), p.Until.UTC().Format("Mon 2 Jan 15:04 MST")
		if !now.Before(p.Until) {
			until += ", over"
		}
		if len(p.Droplets) == 0 {
			rows = append(rows, []string{number, "none", "", "", "", until})
		}
		for _, d := range p.Droplets {
			droplets++
			rows = append(rows, []string{number, d.Name, d.IPv4, d.Size, report.ShortImage(d.ImageName), until})
		}
	}
	if len(rows) > 0 {
		report.Table(a.io.Out, []string{"PULL REQUEST", "DROPLET", "ADDRESS", "SIZE", "IMAGE", "UNTIL"}, rows, o)
	}
	_, _ = fmt.Fprintf(a.io.Out, "%d of at most %d preview droplets\n", droplets, most)
}

// number reads a pull request's number, also as people write it: #7.
func number(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(text, "#"))
	if err != nil || n <= 0 {
		return 0, deploy.UsageError{Err: fmt.Errorf("%q is not the number of a pull request", text)}
	}
	return n, nil
}
