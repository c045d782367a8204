package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/report"
)

func (a *app) deployCommand() *cobra.Command {
	var f runFlags
	var file string
	c := &cobra.Command{
		Use:     "deploy [SERVER]...",
		Short:   "Build, upload, rebuild, verify, prune: bring servers to what the flake says",
		GroupID: groupDeploy,
		Long: `Brings the servers (all of the fleet, without arguments) to what the flake says:
builds an image for each, uploads it, rebuilds the droplets with it batch by batch,
writes their files, verifies over SSH that the new system runs well, and deletes the
images that nothing needs any more. What is already as it should be is left alone,
so a run that was cut off is continued by running it again.

With --cycle it deploys the cycle's servers at its 'ref': what the repository has there
now, and not what is checked out, and brings the flake's inputs up to date before, if
the cycle has an 'update'. The fleet file is the one that is here.

With --plan it does exactly what a plan that was kept says, or refuses and names what
is different now.

A rebuild wipes the droplet's disk. Volumes and the IP addresses survive.`,
		Args: func(_ *cobra.Command, args []string) error {
			if file != "" && len(args) > 0 {
				return errors.New("--plan says which servers: name none")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if file == "" {
				return a.deployRun(c.Context(), &f, args)
			}
			kept, err := readPlan(file)
			if err != nil {
				return err
			}
			return a.plannedRun(c.Context(), &f, kept.Names(),
				func(ctx context.Context, d *deploy.Deployer) (*deploy.Plan, error) {
					return d.PlanFrom(ctx, kept, f.dryRun)
				}, carryOutDeploy)
		},
	}
	f.addRun(a, c)
	f.addYes(c)
	f.addRevision(c)
	c.Flags().BoolVar(&f.force, "force", false, "let an older revision replace a newer one")
	c.Flags().StringVar(&file, "plan", "", "do exactly what this file of 'snowdrop plan --out' says, or refuse")
	for _, other := range []string{"server", "cycle", "revision", "force"} {
		c.MarkFlagsMutuallyExclusive("plan", other)
	}
	return c
}

func (a *app) buildCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "build [SERVER]...",
		Short:   "Build images and make DigitalOcean import them; touches no droplet",
		GroupID: groupDeploy,
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(f, args, func(s *session) error {
				taken, err := s.atCycle(c.Context(), f.request(args), false)
				if err != nil {
					return err
				}
				plan, err := s.deployer.Plan(c.Context(), taken.Request)
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				_, err = s.deployer.Build(c.Context(), plan)
				return a.shown(err)
			})
		},
	}
	f.addRun(a, c)
	f.addRevision(c)
	return c
}

func (a *app) rebuildCommand() *cobra.Command {
	var f runFlags
	var image int
	c := &cobra.Command{
		Use:     "rebuild SERVER...",
		Short:   "Rebuild droplets with the image that their record names; builds nothing",
		GroupID: groupDeploy,
		Long: `Rebuilds all droplets of the servers with the custom image that the record names
(or --image, or --revision), batch by batch, writes their files and verifies them: for
a droplet that was changed by hand, or is broken.`,
		Args: needServers(&f),
		RunE: func(c *cobra.Command, args []string) error {
			return a.plannedRun(c.Context(), &f, args,
				func(ctx context.Context, d *deploy.Deployer) (*deploy.Plan, error) {
					return d.PlanRebuild(ctx, f.request(args), image)
				},
				func(ctx context.Context, d *deploy.Deployer, p *deploy.Plan) error {
					_, err := d.Rebuild(ctx, "rebuild", p)
					return err //nolint:wrapcheck // the use case says what it did
				})
		},
	}
	f.addRun(a, c)
	f.addYes(c)
	c.Flags().IntVar(&image, "image", 0, "id of another custom image of the server (see 'snowdrop status')")
	c.Flags().StringVar(&f.revision, "revision", "", "take the custom image of this git revision")
	c.MarkFlagsMutuallyExclusive("image", "revision")
	return c
}

func (a *app) rollbackCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "rollback SERVER...",
		Short:   "Go back to the release before: rebuild with its image and verify",
		GroupID: groupDeploy,
		Args:    needServers(&f),
		RunE: func(c *cobra.Command, args []string) error {
			return a.plannedRun(c.Context(), &f, args,
				func(ctx context.Context, d *deploy.Deployer) (*deploy.Plan, error) {
					return d.PlanRollback(ctx, f.request(args))
				},
				func(ctx context.Context, d *deploy.Deployer, p *deploy.Plan) error {
					_, err := d.Rebuild(ctx, "rollback", p)
					return err //nolint:wrapcheck // the use case says what it did
				})
		},
	}
	f.addRun(a, c)
	f.addYes(c)
	return c
}

func (a *app) pruneCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     "prune [SERVER]...",
		Short:   "Delete custom images, objects and stale uploads that nothing needs",
		GroupID: groupDeploy,
		Long: `Deletes the servers' custom images beyond the newest 'keep', objects that were left
in the Space, and uploads that were never finished. Never an image that a droplet of
the account runs from, that a record names as the way back, or that snowdrop did not
make. --dry-run says what would go, and why the rest stays.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(f, args, func(s *session) error {
				plan, err := s.deployer.PlanPrune(c.Context(), f.request(args))
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				question := fmt.Sprintf("Custom images of %s that nothing needs will be deleted (see 'snowdrop prune --dry-run').", serverNames(plan))
				if err := s.confirm(c.Context(), &f, question); err != nil {
					return err
				}
				result, err := s.deployer.Prune(c.Context(), plan)
				if !a.json {
					s.report.Close() // the table comes below what it tells
					a.printPruned(result)
				}
				return a.shown(err)
			})
		},
	}
	f.addRun(a, c)
	f.addYes(c)
	return c
}

// printPruned says of every image what became of it, and why.
func (a *app) printPruned(result *deploy.Result) {
	o, _ := a.options()
	var rows [][]string
	for _, s := range result.Servers {
		for _, i := range s.Pruned.Deleted {
			rows = append(rows, []string{s.Server, i.Image.Name, "delete", i.Reason})
		}
		for _, i := range s.Pruned.Kept {
			rows = append(rows, []string{s.Server, i.Image.Name, "keep", i.Reason})
		}
		for _, i := range s.Pruned.DeletedObjects {
			rows = append(rows, []string{s.Server, i.Key, "delete", i.Reason})
		}
	}
	if len(rows) > 0 {
		_, _ = fmt.Fprintln(a.io.Out)
		report.Table(a.io.Out, []string{"SERVER", "IMAGE OR OBJECT", "WHAT", "WHY"}, rows, o)
	}
}

// needServers demands that servers are named: what the command does to all of a
// fleet is too much to be said by leaving something out.
func needServers(f *runFlags) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args)+len(f.servers) == 0 && f.cycle == "" {
			return deploy.UsageError{Err: fmt.Errorf("%s: name the servers, or --cycle", c.CommandPath())}
		}
		return nil
	}
}

// run opens a session, does something with it, and closes it.
func (a *app) run(f runFlags, args []string, do func(*session) error) error {
	s, err := a.open(f.request(args))
	if err != nil {
		return err
	}
	defer s.close()
	return do(s)
}

// plannedRun plans, asks before disks are wiped, and carries the plan out.
func (a *app) plannedRun(ctx context.Context, f *runFlags, args []string, plan func(context.Context, *deploy.Deployer) (*deploy.Plan, error),
	do func(context.Context, *deploy.Deployer, *deploy.Plan) error,
) error {
	return a.run(*f, args, func(s *session) error { return s.planned(ctx, f, plan, do) })
}

// planned is plannedRun in a session that is open.
func (s *session) planned(ctx context.Context, f *runFlags, plan func(context.Context, *deploy.Deployer) (*deploy.Plan, error),
	do func(context.Context, *deploy.Deployer, *deploy.Plan) error,
) error {
	p, err := plan(ctx, s.deployer)
	if err != nil {
		return err
	}
	if len(p.Wiped()) > 0 {
		if err := s.confirm(ctx, f, wipeQuestion(p)); err != nil {
			return err
		}
	}
	return s.shown(do(ctx, s.deployer, p))
}

// shown marks an error that the report has told in full.
func (a *app) shown(err error) error {
	if err == nil {
		return nil
	}
	return shownError{err, a.json}
}

// wipeQuestion says what a rebuild destroys and what survives.
func wipeQuestion(p *deploy.Plan) string {
	var b strings.Builder
	wiped := p.Wiped()
	_, _ = fmt.Fprintf(&b, "The disk of %d droplet(s) will be wiped:\n", len(wiped))
	for _, s := range p.Servers {
		for _, d := range s.Wiped() {
			_, _ = fmt.Fprintf(&b, "  %-12s %s (%d), %s; survive: its addresses", s.Server.Name, d.Name, d.ID, d.IPv4)
			if len(d.Volumes) > 0 {
				_, _ = fmt.Fprintf(&b, ", %d volume(s)", len(d.Volumes))
			}
			if words := s.Switched(d); words != "" {
				_, _ = fmt.Fprintf(&b, "\n  %-12s   %s", "", words)
			}
			b.WriteByte('\n')
		}
	}
	b.WriteString("Everything else on those disks is lost and cannot be brought back.")
	return b.String()
}

func serverNames(p *deploy.Plan) string {
	names := make([]string, len(p.Servers))
	for i, s := range p.Servers {
		names[i] = s.Server.Name
	}
	return strings.Join(names, ", ")
}
