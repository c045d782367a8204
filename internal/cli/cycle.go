package cli

import (
	"context"
	"errors"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
)

// atCycle is a request at the commit that its cycle deploys. update says that the
// flake's inputs are brought up to date before, if the cycle wants it.
func (s *session) atCycle(ctx context.Context, req deploy.Request, update bool) (deploy.CycleTaken, error) {
	options := connect.Options{Getenv: s.io.Getenv, Sink: s.report}
	source := connect.Cycles(s.fleet, options, connect.ForgeOf(s.io.Getenv), s.outside.Redact)
	return source.Take(ctx, req, update) //nolint:wrapcheck // it says what it did
}

// deployRun plans a deploy at the cycle's commit, asks before disks are wiped, and
// carries it out. That inputs could not be brought up to date fails it in the end.
func (a *app) deployRun(ctx context.Context, f *runFlags, args []string) error {
	return a.run(*f, args, func(s *session) error {
		taken, err := s.atCycle(ctx, f.request(args), true)
		if err != nil {
			return err
		}
		err = s.planned(ctx, f, func(ctx context.Context, d *deploy.Deployer) (*deploy.Plan, error) {
			return d.Plan(ctx, taken.Request)
		}, carryOutDeploy)
		if taken.NotUpdated != nil {
			return errors.Join(err, taken.NotUpdated)
		}
		return err
	})
}

func carryOutDeploy(ctx context.Context, d *deploy.Deployer, p *deploy.Plan) error {
	_, err := d.Deploy(ctx, p)
	return err //nolint:wrapcheck // the use case says what it did
}
