package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
)

func (a *app) planCommand() *cobra.Command {
	var f runFlags
	var detailed, noBuild bool
	var out, store, base string
	c := &cobra.Command{
		Use:     "plan [SERVER]...",
		Short:   "Show what a deploy would do to every server; changes nothing",
		GroupID: groupDeploy,
		Long: `Evaluates the flake, asks DigitalOcean and the Space what is there, and says what would
be done to which droplet, in which order, and which packages and units that changes. For
that it builds the new systems, without their images; with --no-build it estimates from
their derivations. With --store it asks a binary cache where neither the Space nor this
machine's Nix store knows what a system is made of. With --base it also says which of
the changes are new since that revision, where something else runs. It changes nothing
on any server.
It refuses what a deploy would refuse, with the same words, but for secrets of files
that are not there: a plan needs none of them.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(f, args, func(s *session) error {
				request := f.request(args)
				request.Preview, request.NoBuild, request.Store, request.Base = true, noBuild, store, base
				if err := s.comparable(request); err != nil {
					return err
				}
				taken, err := s.atCycle(c.Context(), request, true)
				if err != nil {
					return err
				}
				plan, err := s.deployer.Plan(c.Context(), taken.Request)
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				if _, err = s.deployer.Preview(c.Context(), plan); err != nil {
					return a.shown(err)
				}
				if out != "" {
					if err := writePlan(out, s.deployer.Keep(plan)); err != nil {
						return err
					}
					a.sayKept(s, out)
				}
				if taken.NotUpdated != nil {
					return taken.NotUpdated
				}
				if detailed && len(plan.Pending()) > 0 {
					return deploy.ErrChanges
				}
				return nil
			})
		},
	}
	f.addSelect(a, c)
	f.addRevision(c)
	a.addJSON(c, "tell what happens as JSON, one event a line")
	c.Flags().BoolVar(&f.force, "force", false, "plan as for a deploy that lets an older revision replace a newer one")
	c.Flags().BoolVar(&noBuild, "no-build", false, "build no systems to compare them, estimate from their derivations")
	c.Flags().StringVar(&store, "store", "", "a binary cache, or another store that nix knows, to ask what systems are made of (https://…, s3://…, file://…)")
	c.Flags().StringVar(&base, "base", "", "say also what changes since this git revision, given in full, where something else runs")
	c.Flags().StringVarP(&out, "out", "o", "", "keep the plan in this file, for 'snowdrop deploy --plan'")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit with 4 where something is to do")
	return c
}

// comparable sees that a request's base can be one, and keeps the password in a store's
// address to itself.
func (s *session) comparable(req deploy.Request) error {
	s.outside.Redact.Add(connect.StorePassword(req.Store))
	if req.Base == "" {
		return nil
	}
	if _, err := s.fleet.AtRevision(req.Base); err != nil {
		return deploy.UsageError{Err: fmt.Errorf("compare with --base: %w", err)}
	}
	return nil
}

// writePlan keeps a plan in a file that only its owner reads. What stood there is
// replaced as a whole, unless it is no file: root could replace /dev/stdout.
func writePlan(file string, plan deploy.KeptPlan) error {
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, err)
	}
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		if err := os.WriteFile(file, append(data, '\n'), 0o600); err != nil {
			return fmt.Errorf("keep the plan in %s: %w", file, err)
		}
		return nil
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".snowdrop-plan-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, err)
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// sayKept says, below all that the report tells, where the plan is.
func (a *app) sayKept(s *session, file string) {
	if !a.json {
		s.report.Close()
		_, _ = fmt.Fprintf(a.io.Out, "\nThe plan is kept in %s. To do exactly this:\n  snowdrop deploy --plan %s\n", file, file)
	}
}

// readPlan reads a plan that writePlan kept.
func readPlan(file string) (deploy.KeptPlan, error) {
	f, err := os.Open(file) //nolint:gosec // the person named it
	if err != nil {
		return deploy.KeptPlan{}, deploy.UsageError{Err: fmt.Errorf("read the plan: %w", err)}
	}
	defer func() { _ = f.Close() }() // it was only read
	plan, err := deploy.ReadPlan(f)
	if err != nil {
		return plan, deploy.UsageError{Err: fmt.Errorf("read the plan %s: %w", file, err)}
	}
	return plan, nil
}
