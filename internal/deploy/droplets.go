package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// rebuild brings the server's droplets to an image, as its rollout says, and
// keeps the record of it.
func (d *Deployer) rebuild(ctx context.Context, s *serverRun, image ocean.Image) error {
	if err := d.overtaken(ctx, s); err != nil {
		return err
	}
	s.image = image
	s.record = d.keep(release.Begin(s.name(), s.plan.Record, s.releaseOf(image), d.Clock.Now()))
	s.record.rec.RunURL = d.RunURL
	next := onto{image: image, toplevel: s.plan.Want.Toplevel, revision: s.plan.Revision}

	policy := s.plan.Server.Rollout
	r := rollout{
		size:        policy.Batch.Size(len(s.plan.Droplets)),
		maxFailures: policy.MaxFailures,
		change:      func(ctx context.Context, droplet ocean.Droplet) error { return s.change(ctx, droplet, next) },
		after:       s.keepRecord,
	}
	if policy.OnFailure == fleet.Rollback {
		r.back = s.back
	}
	s.results = r.run(ctx, s.plan.Pending())
	return s.conclude(ctx)
}

// releaseOf describes what the server is brought to.
func (s *serverRun) releaseOf(image ocean.Image) release.Release {
	want := s.plan.Want
	r := release.Release{
		Revision: s.plan.Revision, RevisionTime: s.plan.RevisionTime, Toplevel: want.Toplevel,
		Image:       release.Image{StorePath: want.ImagePath, Hash: want.Hash},
		CustomImage: release.CustomImage{ID: image.ID, Name: image.Name, Regions: image.Regions},
	}
	if known := releaseWith(s.plan.Record, image.ID); known != nil {
		r.Image = known.Image // what was uploaded is known from an earlier run
	}
	if u := s.uploaded; u != nil && u.Size > 0 {
		r.Image.SHA256, r.Image.Size, r.Image.VirtualSize = u.SHA256, u.Size, u.VirtualSize
	}
	return r
}

func (s *serverRun) keepRecord(ctx context.Context) {
	if err := s.record.update(ctx, func(*release.Record) {}); err != nil {
		s.warn("%v", err)
	}
}

// conclude writes the record's end and says what failed.
func (s *serverRun) conclude(ctx context.Context) error {
	err := s.verdict(ctx)
	keep := s.record.update(ctx, func(rec *release.Record) {
		rec.FinishedAt = s.d.Clock.Now()
		switch {
		case err == nil:
			rec.Outcome = release.Verified
			return
		case ctx.Err() != nil:
			rec.Outcome = release.Pending
		default:
			rec.Outcome = release.Failed
		}
		rec.Failure = err.Error()
		if to := s.wentBackTo(rec); to != nil {
			rec.Attempted = new(rec.Release)
			rec.Release, rec.Previous = *to, s.plan.Record.Previous
			rec.Outcome = release.RolledBack
		}
	})
	return errors.Join(err, keep)
}

// wentBackTo returns the former release that every droplet which was changed
// runs again; nil if there is none.
func (s *serverRun) wentBackTo(rec *release.Record) *release.Release {
	image := 0
	for _, r := range s.results {
		switch r.outcome { //nolint:exhaustive // droplets that were not touched run it anyway
		case event.RolledBack:
			image = rec.Droplet(r.droplet.ID).ImageID
		case event.Failed, event.Verified, event.Cancelled:
			return nil
		}
	}
	return releaseWith(s.plan.Record, image)
}

// verdict joins what the droplets say; nil if all are verified.
func (s *serverRun) verdict(ctx context.Context) error {
	var errs []error
	untouched := 0
	for _, r := range s.results {
		if r.err != nil {
			errs = append(errs, r.err)
		}
		if r.backErr != nil {
			errs = append(errs, fmt.Errorf("droplet %s (%d) was not brought back: %w", r.droplet.Name, r.droplet.ID, r.backErr))
		}
		if r.outcome == event.Untouched {
			untouched++
		}
	}
	if untouched > 0 && len(errs) > 0 {
		errs = append(errs, fmt.Errorf("the rollout stopped: %s left as before", plural(untouched, "droplet")))
	}
	if len(errs) == 0 && ctx.Err() != nil {
		errs = append(errs, fmt.Errorf("cancelled: %w", context.Cause(ctx)))
	}
	return errors.Join(errs...)
}
