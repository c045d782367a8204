package deploy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/prune"
	"github.com/versatus/snowdrop/steps/upload"
)

// run is one use case at work: what its servers share.
type run struct {
	d       *Deployer
	verb    string
	plan    *Plan
	steps   steps.Run
	started time.Time
	mu      sync.Mutex
	results []ServerResult // in the plan's order
	// undo are the commands that undo what a switch left, by server.
	undo map[string][]string
}

// begin tells that a run starts, and on what.
func (d *Deployer) begin(verb string, plan *Plan) *run {
	r := &run{
		d: d, verb: verb, plan: plan, steps: d.steps(plan.DryRun),
		started: d.Clock.Now(), results: make([]ServerResult, len(plan.Servers)), undo: map[string][]string{},
	}
	started := event.RunStarted{Verb: verb, Revision: plan.Revision, DryRun: plan.DryRun}
	for i, s := range plan.Servers {
		r.results[i] = ServerResult{Server: s.Server.Name, Outcome: event.Untouched}
		planned := event.Planned{Server: s.Server.Name}
		for _, droplet := range s.Droplets {
			planned.Droplets = append(planned.Droplets, droplet.Name)
		}
		started.Servers = append(started.Servers, planned)
	}
	d.Sink.Emit(started)
	return r
}

func (r *run) since() time.Duration { return r.d.Clock.Now().Sub(r.started) }

// server does one server's part and keeps how it ended.
func (r *run) server(ctx context.Context, plan ServerPlan, do func(*serverRun) error) {
	s := &serverRun{run: r, d: r.d, plan: plan, stages: map[int]stage{}, wiped: map[int]bool{}}
	start := r.d.Clock.Now()
	err := do(s)
	result := s.result(ctx, err)
	result.Took = r.d.Clock.Now().Sub(start)
	for _, droplet := range result.Droplets {
		r.d.Sink.Emit(event.DropletFinished{
			Subject: event.Subject{Server: s.name(), Droplet: droplet.Droplet.Name},
			ID:      droplet.Droplet.ID, Address: s.address(droplet.Droplet),
			Outcome: droplet.Outcome, State: droplet.State,
			Before: droplet.Droplet.ImageName, After: s.broughtTo(droplet.Droplet),
		})
	}
	finished := event.ServerFinished{
		Subject: s.subject(), Outcome: result.Outcome, Took: result.Took,
		Revision: plan.Revision, Image: result.Image.Name, Err: result.Err,
	}
	if r.plan.how != nil {
		finished.System = plan.Want.Toplevel
		if len(s.switches) > 0 {
			finished.System = s.anySystem()
		}
	}
	if former := plan.Record; former != nil {
		finished.FormerRevision, finished.FormerImage = former.Revision, former.CustomImage.Name
	}
	r.d.Sink.Emit(finished)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plan.how != nil {
		r.undo[s.name()] = s.undoSwitch()
	}
	for i := range r.results {
		if r.results[i].Server == s.name() {
			r.results[i] = result
		}
	}
}

// serverRun is one server's part of a run.
type serverRun struct {
	run  *run
	d    *Deployer
	plan ServerPlan
	// uploaded is set once the upload step made or found the custom image.
	uploaded *upload.Out
	image    ocean.Image
	record   *keeper
	switches map[int]*switching // by droplet id; in a switch alone
	results  []result
	pruned   prune.Out

	mu     sync.Mutex
	stages map[int]stage // by droplet id
	wiped  map[int]bool  // those for which a rebuild was sent
}

// stage is how far the work on a droplet got: what is said of it when the run
// ends early.
type stage int

const (
	notBegun stage = iota
	rebuildSent
	rebuilt
	provisioned
	proven
)

func (s *serverRun) reached(id int, at stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages[id] = at
	if at == rebuildSent {
		s.wiped[id] = true
	}
}

func (s *serverRun) rebuilds(id int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wiped[id]
}

func (s *serverRun) stage(id int) stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stages[id]
}

// broughtTo names the custom image that a droplet was last rebuilt with in this
// run; empty if it was not, as far as is known.
func (s *serverRun) broughtTo(d ocean.Droplet) string {
	if s.stage(d.ID) < rebuilt || s.record == nil || s.run.plan.how != nil {
		return ""
	}
	id := s.record.droplet(d.ID).ImageID
	if id == s.image.ID {
		return s.image.Name
	}
	for _, image := range s.run.plan.world.images {
		if image.ID == id {
			return image.Name
		}
	}
	return ""
}

func (s *serverRun) name() string { return s.plan.Server.Name }

func (s *serverRun) subject() event.Subject { return event.Subject{Server: s.name()} }

func (s *serverRun) warn(format string, args ...any) {
	s.d.Sink.Emit(event.Warning{Subject: s.subject(), Text: fmt.Sprintf(format, args...)})
}

func (s *serverRun) dryRun() bool { return s.run.steps.DryRun }

// recorded is the record as it is now; nil for a server without one.
func (s *serverRun) recorded() *release.Record {
	if s.record == nil {
		return s.plan.Record
	}
	return s.record.snapshot()
}

// deletes says whether pruning found anything to delete.
func deletes(out prune.Out) bool {
	return len(out.Deleted)+len(out.DeletedObjects)+len(out.AbortedUploads) > 0
}

// address is the droplet's address that SSH uses.
func (s *serverRun) address(d ocean.Droplet) string { return addressOf(s.plan.Server, d) }

// wouldRebuild tells, in a dry run, what the rollout would do.
func (s *serverRun) wouldRebuild() {
	for _, d := range s.plan.Wiped() {
		tell := event.NewTeller(s.d.Sink, event.Subject{Server: s.name(), Droplet: d.Name}, "rebuild")
		tell.Phase("would wipe its disk and rebuild it")
	}
}

// buildResult is what the build step made of the servers that needed a build.
type buildResult struct {
	asked build.In
	out   build.Out
	err   error
}

// failed returns why there is no image for a server; nil if there is one, or
// none had to be built.
func (b *buildResult) failed(server string) error {
	if b.err == nil {
		return nil
	}
	for _, s := range b.asked.Servers {
		if s.Name == server {
			if _, ok := b.out.Servers[server]; !ok {
				return b.err
			}
		}
	}
	return nil
}
