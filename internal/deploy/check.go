package deploy

import (
	"context"
	"fmt"
	"sync"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps/build"
)

// PlanVerify plans to look at all droplets of the servers asked for, as their
// records say that they should be.
func (d *Deployer) PlanVerify(ctx context.Context, req Request) (*Plan, error) {
	return d.planAgain(ctx, req, allOf, func(p *Plan, s fleet.Server) (ServerPlan, error) {
		rec := p.world.records[s.Name]
		if rec == nil {
			return ServerPlan{}, fmt.Errorf("server %s was never released, so nothing says what it should run: run `%s`", s.Name, firstRelease(s))
		}
		one, err := p.server(s, build.Built{ImagePath: rec.Image.StorePath, Hash: rec.Image.Hash, Toplevel: rec.Toplevel})
		if err != nil {
			return ServerPlan{}, err
		}
		p.lookOnly = true
		one.Revision, one.RevisionTime = rec.Revision, rec.RevisionTime
		for i := range one.Todo {
			one.Todo[i] = VerifyOnly
		}
		return one, nil
	})
}

// Verify carries out a plan of PlanVerify: it changes nothing on the droplets and
// writes what it saw into the records.
func (d *Deployer) Verify(ctx context.Context, plan *Plan) (*Result, error) {
	run := d.begin("verify", plan)
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				return d.verifyAll(ctx, s)
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

func (d *Deployer) verifyAll(ctx context.Context, s *serverRun) error {
	rec := *s.plan.Record
	s.record = d.keep(&rec)
	s.image.ID, s.image.Name = rec.CustomImage.ID, rec.CustomImage.Name
	for _, droplet := range s.plan.Droplets {
		s.results = append(s.results, result{droplet: droplet, outcome: event.Untouched})
	}
	each(s.results, func(one *result) {
		at := s.asKnown(one.droplet, s.plan.Want.Toplevel)
		at.lookOnly, at.revision = true, s.plan.Revision
		known := s.record.droplet(one.droplet.ID)
		at.switched = switchedOn(one.droplet, &known) != nil
		one.err = s.prove(ctx, one.droplet, at)
		one.outcome = outcomeOf(ctx, one.err)
	})
	err := s.verdict(ctx)
	if err == nil && s.plan.Record.Outcome != release.Unreleased { // what was switched alone is no release
		s.record.note(func(rec *release.Record) { rec.Outcome, rec.Failure = release.Verified, "" })
	}
	s.keepRecord(ctx)
	return err
}
