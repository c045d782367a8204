package action

import (
	"context"
	"slices"

	"github.com/versatus/snowdrop/internal/connect"
)

// atCycle sets the order to the commit that its cycle deploys, before anything is told
// of it on GitHub: checks and deployments belong to that commit. A deploy brings the
// flake's inputs up to date before, if the cycle wants it.
func (r *runner) atCycle(ctx context.Context) error {
	if !slices.Contains([]string{"plan", "build", "deploy"}, r.order.command) {
		return nil
	}
	forge := connect.Forge{
		Token: r.inputs.GitHubToken, ServerURL: r.event.ServerURL, APIURL: r.event.APIURL, Repository: r.event.Repository,
		Workflow: true, Clock: r.clock,
	}
	options := connect.Options{Getenv: r.getenv, Sink: r.log, NixConfig: r.nixConfig()}
	taken, err := connect.Cycles(r.fleet, options, forge, r.redact).Take(ctx, r.order.request, r.order.command != "build")
	if err != nil {
		return err //nolint:wrapcheck // it says what it did
	}
	r.order.request, r.notUpdated = taken.Request, taken.NotUpdated
	return nil
}
