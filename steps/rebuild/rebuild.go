// Package rebuild is the step that puts a droplet on a custom image. It keeps
// its addresses; its disk is wiped.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/steps"
)

// Ocean is what the step needs of DigitalOcean; *ocean.Client is one.
type Ocean interface {
	StartRebuild(ctx context.Context, r ocean.RebuildRequest) (ocean.Action, error)
	WaitForAction(ctx context.Context, a ocean.Action, timeout time.Duration, phase func(string)) (ocean.Action, error)
}

var _ Ocean = (*ocean.Client)(nil)

// Step rebuilds one droplet and waits until DigitalOcean says that it is done.
type Step struct {
	Ocean Ocean
	// Now is the time; nil: the machine's.
	Now func() time.Time
}

var (
	_ steps.Step[In, Out]      = Step{}
	_ steps.DryRunner[In, Out] = Step{}
)

// In says which droplet gets which image.
type In struct {
	Droplet ocean.Droplet
	Image   ocean.Image
	// Timeout bounds waiting for a busy droplet, and then the rebuild itself;
	// 0: 20 minutes each.
	Timeout time.Duration
}

// Out is the rebuild as it ended.
type Out struct {
	Action ocean.Action
	// Image is the one that the droplet has now.
	Image ocean.Image
	// At is when the rebuild had ended, by our clock; Took how long it ran once
	// the droplet was free.
	At   time.Time
	Took time.Duration
}

// String says what came out, for the step's result.
func (o Out) String() string {
	return fmt.Sprintf("on image %s (%d), rebuilt in %s", o.Image.Name, o.Image.ID, o.Took.Round(time.Second))
}

// Name is "rebuild".
func (Step) Name() string { return "rebuild" }

// Run rebuilds the droplet. That an action completed proves nothing about the
// system on it: that is for verification. If it fails, the error says whether the
// droplet may have been changed.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	if err := check(in); err != nil {
		return Out{}, err
	}
	phase := func(text string) { tell.Phase("%s", text) }
	tell.Phase("asking for the rebuild of %s with image %s (%d)", name(in.Droplet), in.Image.Name, in.Image.ID)
	action, err := s.Ocean.StartRebuild(ctx, ocean.RebuildRequest{
		DropletID: in.Droplet.ID, ImageID: in.Image.ID, Timeout: in.Timeout, Phase: phase,
	})
	if err != nil {
		return Out{}, fmt.Errorf("%s: %w", name(in.Droplet), err)
	}
	began := s.now()
	action, err = s.Ocean.WaitForAction(ctx, action, in.Timeout, phase)
	if err != nil {
		return Out{Action: action, Image: in.Image}, fmt.Errorf("%s: %w%s", name(in.Droplet), err, leftBehind(err, in))
	}
	at := s.now()
	return Out{Action: action, Image: in.Image, At: at, Took: at.Sub(began)}, nil
}

// DryRun says what would be done.
func (s Step) DryRun(_ context.Context, in In) (Out, string, error) {
	if err := check(in); err != nil {
		return Out{}, "", err
	}
	return Out{Image: in.Image}, fmt.Sprintf("would rebuild %s with image %s (%d), which wipes its disk", name(in.Droplet), in.Image.Name, in.Image.ID), nil
}

// check refuses what DigitalOcean would refuse, in words that name the fix.
func check(in In) error {
	switch {
	case in.Droplet.ID == 0:
		return errors.New("there is no droplet to rebuild")
	case in.Image.ID == 0:
		return fmt.Errorf("%s: there is no custom image to rebuild it with; deploy first", name(in.Droplet))
	case !in.Image.Available():
		return fmt.Errorf("%s: image %s (%d) is %q, not available; wait for its import, or deploy again",
			name(in.Droplet), in.Image.Name, in.Image.ID, in.Image.Status)
	case !in.Image.In(in.Droplet.Region):
		return fmt.Errorf("%s: image %s (%d) is not in the droplet's region %s (it is in %v); deploy again to have it transferred",
			name(in.Droplet), in.Image.Name, in.Image.ID, in.Droplet.Region, in.Image.Regions)
	default:
		return nil
	}
}

// leftBehind says of a wait that was cut short what goes on without us.
func leftBehind(err error, in In) string {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("; DigitalOcean goes on with the rebuild, and the droplet will be on image %s (%d), not verified", in.Image.Name, in.Image.ID)
	}
	return ""
}

func name(d ocean.Droplet) string { return fmt.Sprintf("droplet %s (%d)", d.Name, d.ID) }

func (s Step) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}
