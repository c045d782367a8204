package deploy

import (
	"context"
	"fmt"
	"sync"

	"github.com/versatus/snowdrop/internal/fleet"
)

const verbPrune = "prune"

// PlanPrune plans to delete what no server asked for needs any more.
func (d *Deployer) PlanPrune(ctx context.Context, req Request) (*Plan, error) {
	return d.planAgain(ctx, req, withImages, func(p *Plan, s fleet.Server) (ServerPlan, error) {
		return ServerPlan{Server: s, Record: p.world.records[s.Name]}, nil
	})
}

// Prune carries out a plan of PlanPrune. In a dry run it says what it would
// delete, and why the rest stays.
func (d *Deployer) Prune(ctx context.Context, plan *Plan) (*Result, error) {
	run := d.begin(verbPrune, plan)
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if err := d.prune(ctx, s); err != nil {
					return fmt.Errorf("prune server %s: %w", s.name(), err)
				}
				return nil
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}
