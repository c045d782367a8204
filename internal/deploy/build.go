package deploy

import (
	"context"
	"sync"
)

const verbBuild = "build"

// Build makes the custom images of a plan's servers and touches no droplet: what
// a matrix of jobs does side by side, before one Deploy that finds all images.
func (d *Deployer) Build(ctx context.Context, plan *Plan) (*Result, error) {
	for i := range plan.Servers {
		plan.Servers[i].imageOnly()
	}
	run := d.begin(verbBuild, plan)
	built := d.build(ctx, run, plan)
	var wait sync.WaitGroup
	for _, server := range plan.Servers {
		wait.Go(func() {
			run.server(ctx, server, func(s *serverRun) error {
				if server.Image != nil {
					s.image = *server.Image
					return nil
				}
				if err := built.failed(server.Server.Name); err != nil {
					return err
				}
				d.leaveSnapshot(ctx, s)
				image, err := d.upload(ctx, s)
				s.image = image
				return err
			})
		})
	}
	wait.Wait()
	return run.finish(ctx)
}

// imageOnly makes the plan of a server one for its image alone.
func (p *ServerPlan) imageOnly() {
	for i := range p.Todo {
		p.Todo[i] = Nothing
		if p.Image == nil {
			p.Todo[i] = VerifyOnly // something is to do, and nothing is wiped
		}
	}
}
