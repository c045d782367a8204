package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
)

// Ancestry knows how commits descend from each other.
type Ancestry interface {
	// Order compares two commits: -1 if a is an ancestor of b, 1 if b is one of a,
	// 0 if neither is. A commit that is not known, as after a rebase, is an error.
	Order(ctx context.Context, a, b string) (int, error)
}

// SupersededError says that a server runs a newer revision than the one asked for.
type SupersededError struct {
	Server, Running, Asked string
	RunningTime, AskedTime time.Time
	// Ancestor says that the one asked for is an ancestor of the one that runs, so
	// that it is not a matter of their times.
	Ancestor bool
	// Switch says that a switch was asked for, which no rollback undoes.
	Switch bool
}

// Error names both revisions and the way out.
func (e *SupersededError) Error() string {
	newer := fmt.Sprintf("of %s, which is newer than %s of %s", stamp(e.RunningTime), short(e.Asked), stamp(e.AskedTime))
	if e.Ancestor {
		newer = fmt.Sprintf("which descends from %s", short(e.Asked))
	}
	back := fmt.Sprintf("`snowdrop rollback %s`, or --force", e.Server)
	if e.Switch {
		back = "--force"
	}
	return fmt.Sprintf("server %s runs revision %s %s: not replaced; to go back on purpose use %s", e.Server, short(e.Running), newer, back)
}

// superseded refuses to replace what the record says by an older revision, where
// that would happen.
func (d *Deployer) superseded(ctx context.Context, tell event.Teller, s ServerPlan, r *release.Record, force bool) error {
	if force || len(s.Wiped()) == 0 || r == nil {
		return nil
	}
	return d.older(ctx, tell, s, r.Revision, r.RevisionTime)
}

// older refuses a plan whose revision is older than one that runs.
func (d *Deployer) older(ctx context.Context, tell event.Teller, s ServerPlan, running string, at time.Time) error {
	if s.Revision == "" || running == "" || running == s.Revision {
		return nil
	}
	refused := &SupersededError{
		Server: s.Server.Name, Running: running, RunningTime: at,
		Asked: s.Revision, AskedTime: s.RevisionTime, Switch: len(s.Wiped()) == 0,
	}
	if d.Ancestry != nil {
		order, err := d.Ancestry.Order(ctx, s.Revision, running)
		switch {
		case err != nil:
			tell.Warn("it is not known whether %s descends from %s, so the commits' times decide: %v",
				short(s.Revision), short(running), err)
		case order < 0:
			refused.Ancestor = true
			return refused
		case order > 0:
			return nil
		}
	}
	if s.RevisionTime.Before(at) {
		return refused
	}
	return nil
}

// overtaken looks once more, right before the first disk is wiped, whether a run
// that began later has brought the server to a newer revision meanwhile: building
// and importing took minutes. Nor is a droplet wiped that somebody has switched since:
// nobody was told of that.
func (d *Deployer) overtaken(ctx context.Context, s *serverRun) error {
	rec, err := d.records.Current(ctx, s.name())
	if err != nil {
		return wrap(err, "look whether another run was quicker")
	}
	for _, droplet := range s.plan.Droplets {
		was, is := switchedOn(droplet, s.plan.Record.Droplet(droplet.ID)), switchedOn(droplet, rec.Droplet(droplet.ID))
		if is != nil && (was == nil || !was.At.Equal(is.At)) {
			return fmt.Errorf("droplet %s (%d) was switched to revision %s while this was on its way, so nothing was rebuilt: "+
				"run it again, to replace that", droplet.Name, droplet.ID, short(is.Revision))
		}
	}
	return d.superseded(ctx, event.NewTeller(d.Sink, s.subject(), ""), s.plan, rec, s.run.plan.Force)
}
