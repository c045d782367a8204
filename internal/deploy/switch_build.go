package deploy

import (
	"context"
	"fmt"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/transfer"
)

// systems builds the systems of a plan in one nix build, as a step: here, or on the
// build host.
type systems struct{ d *Deployer }

// Name implements steps.Step.
func (systems) Name() string { return "build" }

// DryRun implements steps.DryRunner.
func (systems) DryRun(_ context.Context, p *Plan) (systemsBuilt, string, error) {
	return systemsBuilt{}, "would build " + plural(len(p.Servers), "system") + p.how.where(), nil
}

// systemsBuilt are the servers whose system was not built, and why.
type systemsBuilt struct{ broken map[string]error }

// Run implements steps.Step. Where some fail, the result says which, beside the error.
func (b systems) Run(ctx context.Context, tell event.Teller, p *Plan) (systemsBuilt, error) {
	var outputs []nix.Output
	missing := 0
	for _, s := range p.Servers {
		outputs = append(outputs, s.Want.Outputs...)
		if ok, err := b.d.Nix.Valid(ctx, s.Want.Toplevel); p.how.BuildHost != "" || err != nil || !ok {
			missing++
		}
	}
	tell.Phase("building %s%s", plural(len(outputs), "system"), p.how.where())
	var err error
	if host := p.how.BuildHost; host != "" {
		err = b.d.Nix.RealiseOn(ctx, nix.SSH{}, host, outputs, transfer.Progress(tell))
		err = wrap(err, "on %s", host)
	} else {
		err = b.d.Nix.Realise(ctx, outputs, transfer.Progress(tell)) // with nothing missing, too: it is then not collected
	}
	switch {
	case err != nil:
		return b.blame(ctx, p, err), fmt.Errorf("nix: %w", err)
	case missing == 0:
		return systemsBuilt{}, steps.Skip("already in the Nix store")
	}
	return systemsBuilt{}, nil
}

// blame says which servers a failed build leaves without a system.
func (b systems) blame(ctx context.Context, p *Plan, err error) systemsBuilt {
	out := systemsBuilt{broken: map[string]error{}}
	for _, s := range p.Servers {
		built := false
		if p.how.BuildHost == "" {
			built, _ = b.d.Nix.Valid(ctx, s.Want.Toplevel) // what cannot be asked is not built
		}
		if !built {
			out.broken[s.Server.Name] = err
		}
	}
	return out
}

// where is " on HOST" for a build that is not done here.
func (r *SwitchRequest) where() string {
	if r.BuildHost == "" {
		return ""
	}
	return " on " + r.BuildHost
}
