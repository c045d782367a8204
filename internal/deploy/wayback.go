package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
)

// errNoWayBack says that a droplet did not run a release of snowdrop's before.
var errNoWayBack = errors.New("no way back")

// back brings one droplet to the image it ran before, and verifies that. A
// droplet to which nothing was done yet is left alone: errUntouched.
func (s *serverRun) back(ctx context.Context, droplet ocean.Droplet) error {
	if s.stage(droplet.ID) == notBegun {
		return errUntouched
	}
	former, err := s.former(droplet)
	if err != nil {
		return err
	}
	s.d.Sink.Emit(event.Warning{Subject: s.on(droplet), Text: "goes back to " + imageWords(former.image.Name, former.image.ID)})
	at, err := s.rebuildOne(ctx, droplet, former)
	if err != nil {
		return err
	}
	return s.prove(ctx, droplet, at)
}

// former finds what a droplet ran before: only a custom image of ours that is
// still there is a way back. A droplet that runs the failed image already, as
// after a run that was cut off, goes back to the last verified release.
func (s *serverRun) former(droplet ocean.Droplet) (onto, error) {
	id := droplet.ImageID
	if id == s.image.ID {
		id = 0
		if p := s.record.snapshot().Previous; p != nil {
			id = p.CustomImage.ID
		}
	}
	for _, image := range s.run.plan.world.images {
		if image.ID == id && image.Ours(s.name()) && image.Available() {
			former := onto{image: image}
			if r := releaseWith(s.plan.Record, image.ID); r != nil {
				former.toplevel, former.revision = r.Toplevel, r.Revision
			}
			return former, nil
		}
	}
	return onto{}, fmt.Errorf("%w for droplet %s (%d): before, it ran %s, which is no earlier release of %s that is still there",
		errNoWayBack, droplet.Name, droplet.ID, imageWords(droplet.ImageName, droplet.ImageID), s.name())
}

// releaseWith is the release with a custom image that the record knows, or nil.
func releaseWith(rec *release.Record, imageID int) *release.Release {
	if rec == nil || imageID == 0 {
		return nil
	}
	for _, r := range []*release.Release{&rec.Release, rec.Previous, rec.Attempted} {
		if r != nil && r.CustomImage.ID == imageID {
			return r
		}
	}
	return nil
}
