package deploy

import (
	"context"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/steps/build"
)

// stateVersioned is a Nix that can evaluate system.stateVersion. A Nix whose systems
// are not made from configurations, as the lab's, is none.
type stateVersioned interface {
	StateVersions(ctx context.Context, systems []string) (map[string]string, error)
}

// stateVersions are system.stateVersion of what is built, by toplevel, as far as the
// flake says it. It is evaluated anew, one evaluation at a time, since each takes Nix
// up to a gigabyte.
func (d *Deployer) stateVersions(ctx context.Context, all ...build.Built) (map[string]string, error) {
	evaluator, ok := d.Nix.(stateVersioned)
	if !ok {
		return nil, nil
	}
	var systems []string
	paths := map[string]string{}
	for _, b := range all {
		for _, o := range b.Outputs {
			if o.Path == b.Toplevel {
				systems = append(systems, o.Installable)
				paths[o.Installable] = o.Path
			}
		}
	}
	if err := d.evaluating.Acquire(ctx, 1); err != nil {
		return nil, wrap(err, "wait for Nix")
	}
	defer d.evaluating.Release(1)
	versions, err := evaluator.StateVersions(ctx, systems)
	if err != nil {
		return nil, wrap(err, "evaluate system.stateVersion")
	}
	found := map[string]string{}
	for system, version := range versions {
		found[paths[system]] = version
	}
	return found, nil
}

// stateVersions fills in system.stateVersion of what is to run, where it is known of
// what runs.
func (c comparing) stateVersions(ctx context.Context, tell event.Teller, all []*comparison) {
	var missing []*comparison
	var wants []build.Built
	for _, one := range all {
		if one.before == nil || one.after == nil || one.before.system == nil || one.after.system == nil {
			continue
		}
		if one.before.system.StateVersion != "" && one.after.system.StateVersion == "" {
			missing, wants = append(missing, one), append(wants, one.plan.Want)
		}
	}
	if len(missing) == 0 || ctx.Err() != nil {
		return
	}
	tell.Phase("evaluating system.stateVersion")
	found, err := c.d.stateVersions(ctx, wants...)
	for _, one := range missing {
		one.after.system.StateVersion = found[one.plan.Want.Toplevel]
		if err != nil {
			one.unknown("system.stateVersion is not compared: %s", firstLine(err))
		}
	}
}
