package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
)

// Request says which servers a use case is for.
type Request struct {
	// Servers are names; none means all of the fleet, or of the cycle.
	Servers []string
	// Cycle takes only the servers of that cycle.
	Cycle string
	// DryRun changes nothing and says what would be done.
	DryRun bool
	// Preview says that the plan is to be shown and not carried out: secrets that only
	// a deploy needs may be missing.
	Preview bool
	// NoBuild keeps a preview from building systems to compare them: derivations are
	// compared instead, which is an estimate.
	NoBuild bool
	// Store is where else a preview asks what systems are made of, such as a binary
	// cache's address, as nix takes it for --store; empty: nowhere.
	Store string
	// Base is the full git revision that Evaluate compares with, and a preview too where
	// something else runs; empty: with none.
	Base string
	// Force replaces a newer revision by an older one.
	Force bool
	// Revision is the git revision to take instead of what is checked out: of the
	// flake, in full, where something is built; else of the release to take.
	Revision string
	// Ref is the full name of the branch or tag that leads to Revision, where it was
	// found by one: see CycleSource.
	Ref string
}

// Plan is what every server should run, what it runs, and what to do about it.
type Plan struct {
	Request
	// Revision is the flake's git revision; empty for a tree that is not
	// committed. RevisionTime is its commit's time.
	Revision     string
	RevisionTime time.Time
	Servers      []ServerPlan
	// lookOnly says that nothing will be written to the droplets.
	lookOnly bool
	world    world
	// outlook is there in a preview alone.
	outlook *outlook
	// how is there in a plan of PlanSwitch alone.
	how *SwitchRequest
}

// ServerPlan is one server's part of a Plan.
type ServerPlan struct {
	Server   fleet.Server
	Droplets []ocean.Droplet
	// Revision is the one that the server is brought to; see Plan.Revision.
	Revision     string
	RevisionTime time.Time
	// Record is what is known of the server so far; nil if it was never released.
	Record *release.Record
	// Want is what the flake says, known from evaluation alone.
	Want build.Built
	// Image is the custom image of Want, if DigitalOcean has it already.
	Image *ocean.Image
	// Todo is what each of Droplets needs, in their order.
	Todo []Todo
}

// Todo is what a droplet needs.
type Todo int

// What a droplet can need. A droplet that was rebuilt with the wanted image but
// never verified, as after a run that was cut off, is only verified: a rebuild
// would wipe it for nothing.
const (
	Nothing Todo = iota
	VerifyOnly
	RebuildIt
	// SwitchIt activates another system and wipes nothing.
	SwitchIt
)

// Pending are the droplets that need anything at all, in rollout order.
func (p ServerPlan) Pending() []ocean.Droplet {
	var pending []ocean.Droplet
	for i, d := range p.Droplets {
		if p.Todo[i] != Nothing {
			pending = append(pending, d)
		}
	}
	return pending
}

// Wiped are the droplets whose disk a rebuild will wipe.
func (p ServerPlan) Wiped() []ocean.Droplet {
	var wiped []ocean.Droplet
	for i, d := range p.Droplets {
		if p.Todo[i] == RebuildIt {
			wiped = append(wiped, d)
		}
	}
	return wiped
}

// Wiped are all droplets of the plan whose disk a rebuild will wipe.
func (p Plan) Wiped() []ocean.Droplet {
	var wiped []ocean.Droplet
	for _, s := range p.Servers {
		wiped = append(wiped, s.Wiped()...)
	}
	return wiped
}

// Pending are the servers of which any droplet needs anything at all.
func (p Plan) Pending() []ServerPlan {
	var pending []ServerPlan
	for _, s := range p.Servers {
		if len(s.Pending()) > 0 {
			pending = append(pending, s)
		}
	}
	return pending
}

// Plan finds out what to do and changes nothing. Everything that would keep it
// from working is found here, for all servers at once: unknown droplets, ones
// that cannot be rebuilt, secrets that are not there, a newer revision.
func (d *Deployer) Plan(ctx context.Context, req Request) (*Plan, error) {
	flake, servers, err := d.asked(req)
	if err != nil {
		return nil, err
	}
	plan, err := steps.Do(ctx, d.steps(false), event.Subject{}, planning{d, flake, servers}, req)
	if err != nil || !req.Preview {
		return plan, err //nolint:wrapcheck // Do has said which step
	}
	plan.outlook = d.foresee(plan)
	return steps.Do(ctx, d.steps(false), event.Subject{}, comparing{d}, plan)
}

// asked are the servers of a request and their flake, at the revision asked for.
func (d *Deployer) asked(req Request) (flake string, servers []fleet.Server, err error) {
	if flake, servers, err = d.chosen(req); err != nil {
		return "", nil, err
	}
	servers, err = withImages(servers, req.Servers)
	return flake, servers, err
}

// chosen are the servers of a request, those without images too.
func (d *Deployer) chosen(req Request) (flake string, servers []fleet.Server, err error) {
	f := d.Fleet
	if servers, err = f.Select(req.Servers, req.Cycle); err != nil {
		return "", nil, fmt.Errorf("choose servers: %w", err)
	}
	if req.Revision != "" {
		asked := *f // what other servers are built from does not matter
		asked.Servers = map[string]fleet.Server{}
		for _, s := range servers {
			asked.Servers[s.Name] = s
		}
		if f, err = asked.AtRef(req.Revision, req.Ref); err != nil {
			return "", nil, fmt.Errorf("take another revision: %w", err)
		}
		for i, s := range servers {
			servers[i] = f.Servers[s.Name]
		}
	}
	return f.Flake, servers, nil
}

// planning is Plan as a step, so that it is shown like the others.
type planning struct {
	d       *Deployer
	flake   string
	servers []fleet.Server
}

// Name implements steps.Step.
func (planning) Name() string { return "plan" }

// Run implements steps.Step.
func (p planning) Run(ctx context.Context, tell event.Teller, req Request) (*Plan, error) {
	if len(p.servers) == 0 && req.Cycle != "" {
		tell.Warn("%s in the cycle %s, so there is nothing to do: give a server `cycle: %s`", noneOf(req.Servers), req.Cycle, req.Cycle)
	}
	var built build.Out
	meta, now, err := p.d.gather(ctx, tell, p.flake, p.servers, func(ctx context.Context) (err error) {
		built, _, err = build.Step{Nix: p.d.Nix}.DryRun(ctx, buildInput(p.servers))
		return err //nolint:wrapcheck // the caller does
	})
	if err != nil {
		return nil, err
	}
	plan := &Plan{Request: req, world: now}
	plan.ofFlake(tell, meta)
	var faults []error
	for _, server := range p.servers {
		one, err := plan.server(server, built.Servers[server.Name])
		if err != nil {
			faults = append(faults, err)
			continue
		}
		plan.Servers = append(plan.Servers, one)
	}
	faults = append(faults, p.d.preflight(ctx, tell, plan)...)
	for _, caution := range ocean.Cautions(plan.targets()) {
		tell.Warn("%v", caution)
	}
	if !req.Preview { // that one shows it as a difference from the record
		plan.tellSwitched(tell)
	}
	return plan, errors.Join(faults...)
}

// server plans one server.
func (p *Plan) server(s fleet.Server, want build.Built) (ServerPlan, error) {
	droplets, err := machines(s, p.world.droplets)
	if err != nil {
		return ServerPlan{}, fmt.Errorf("choose droplets: %w", err)
	}
	one := ServerPlan{
		Server: s, Droplets: droplets, Revision: p.Revision, RevisionTime: p.RevisionTime,
		Record: p.world.records[s.Name], Want: want,
	}
	one.Image = imageOf(p.world.images, s.Name, want.Hash)
	for _, droplet := range droplets {
		one.Todo = append(one.Todo, todo(one.Record, droplet, one.Image))
	}
	return one, nil
}

// imageOf finds the available custom image of a server with a store hash.
func imageOf(images []ocean.Image, server, hash string) *ocean.Image {
	for i := range images {
		if images[i].Name == ocean.ImageName(server, hash) && images[i].Ours(server) && images[i].Available() {
			return &images[i]
		}
	}
	return nil
}

func todo(rec *release.Record, d ocean.Droplet, want *ocean.Image) Todo {
	if want == nil || d.ImageID != want.ID {
		return RebuildIt
	}
	known := rec.Droplet(d.ID)
	if switchedOn(d, known) != nil {
		return RebuildIt // the image is the wanted one, and what runs is not what it has
	}
	if known == nil || known.ImageID != want.ID || known.Rebuild != nil || !known.Evidence.OK() {
		return VerifyOnly
	}
	return Nothing
}

func buildInput(servers []fleet.Server) build.In {
	var in build.In
	for _, s := range servers {
		in.Servers = append(in.Servers, buildServer(s))
	}
	return in
}

func buildServer(s fleet.Server) build.Server {
	return build.Server{Name: s.Name, Image: s.Image, System: s.System}
}
