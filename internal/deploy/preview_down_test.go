package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/ocean"
)

func TestWhatLacksThePreviewsTagsIsNeverTouched(t *testing.T) {
	t.Parallel()
	s := open(t, previewed(""))
	s.alien(previewName)                                                         // a similar name
	s.alien("preview-pr-7-api", "snowdrop:preview:pr-7")                         // the tag of another fleet's
	s.alien("other-fleets", "snowdrop:preview:pr-7", "snowdrop:fleet:elsewhere") // the same number elsewhere
	s.alien("number-77", "snowdrop:preview:pr-77", "snowdrop:fleet:nyc3:acme")   // another pull request
	before := s.names()
	s.mustUp(7)
	if got := len(s.names()); got != len(before)+1 {
		t.Fatalf("droplets: %v", s.names())
	}
	_, err := s.deployer().PreviewDown(t.Context(), 7)
	check(t, err)
	if diff := cmp.Diff(before, s.names()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// shifted is a clock that is ahead of another.
type shifted struct {
	clock
	by time.Duration
}

func (s shifted) Now() time.Time { return s.clock.Now().Add(s.by) }

// sweep sweeps some time from now.
func (s *scene) sweep(in time.Duration, open func(context.Context, int) (bool, error)) *deploy.Result {
	s.t.Helper()
	config := s.deployer().Config
	config.Clock = shifted{s.clock, in}
	result, err := deploy.New(config).PreviewSweep(s.t.Context(), open)
	check(s.t, s.failed(err))
	return result
}

func TestASweepDeletesWhatIsOverOrClosed(t *testing.T) {
	t.Parallel()
	s := open(t, previewed("ttl: 24h"))
	s.mustUp(1)
	s.mustUp(2)
	s.sweep(23*time.Hour, nil)
	if diff := cmp.Diff([]string{"preview-pr-1-web", "preview-pr-2-web", "web-1", "web-2"}, s.names()); diff != "" {
		t.Fatalf("too early: %s", diff)
	}
	// The first is closed; of the second that cannot be found out.
	s.sweep(23*time.Hour, func(_ context.Context, pull int) (bool, error) {
		if pull == 1 {
			return false, nil
		}
		return false, errors.New("GitHub does not answer")
	})
	if diff := cmp.Diff([]string{"preview-pr-2-web", "web-1", "web-2"}, s.names()); diff != "" {
		t.Fatalf("closed: %s", diff)
	}
	s.sweep(25*time.Hour, func(context.Context, int) (bool, error) { return true, nil })
	if diff := cmp.Diff([]string{"web-1", "web-2"}, s.names()); diff != "" {
		t.Errorf("over: %s", diff)
	}
	if left := append(s.previewImages(), s.below("previews/")...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestADropletThatCannotBeDeletedKeepsItsRecords(t *testing.T) {
	t.Parallel()
	s := open(t, previewed(""))
	s.mustUp(7)
	d := deploy.New(withOcean(s, stubborn{s.ocean}))
	result, err := d.PreviewDown(t.Context(), 7)
	if s.failed(err) == nil || !strings.Contains(causes(err), "it goes on costing money") {
		t.Fatalf("got %v%s", err, causes(err))
	}
	if got := outcomes(result)[previewName]; got == event.Pruned {
		t.Error("it is said to be deleted")
	}
	if len(s.below("previews/pr-7/releases/")) == 0 || len(s.previewImages()) == 0 {
		t.Error("its records or images are gone, and the droplet is not")
	}
}

func withOcean(s *scene, o deploy.Ocean) deploy.Config {
	config := s.deployer().Config
	config.Ocean = o
	return config
}

// stubborn deletes no droplet.
type stubborn struct{ deploy.Ocean }

func (stubborn) DeleteDroplet(context.Context, int, ...string) error {
	return errors.New("delete droplet: DigitalOcean is out of order")
}

func TestAPreviewThatWasCutOffIsContinuedAndCanBeTakenDown(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"plan", "build", "upload", "create", "boot", "verify", "prune"} {
		for _, then := range []string{"up", "down"} {
			t.Run(step+" then "+then, func(t *testing.T) {
				t.Parallel()
				with := previewed("max: 1")
				s := open(t, with)
				s.mustRun()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s.mu.Lock()
				s.on = func(e event.Event) {
					if stepStarts(step)(e) {
						cancel()
					}
				}
				s.mu.Unlock()
				_, err := s.deployer().PreviewUp(ctx, deploy.PreviewRequest{Pull: 7})
				if s.failed(err) == nil && step != "prune" {
					t.Fatal("it was not cut off")
				}
				s.mu.Lock()
				s.on = nil
				s.mu.Unlock()
				if then == "up" {
					result := s.mustUp(7)
					if got := outcomes(result)[previewName]; got != event.Verified && got != event.Unchanged {
						t.Errorf("continued: %v", outcomes(result))
					}
					if n := len(s.names()); n != 3 {
						t.Errorf("droplets: %v", s.names())
					}
					if got := outcomes(s.mustUp(7))[previewName]; got != event.Unchanged {
						t.Errorf("once more: %s", got)
					}
				}
				_, err = s.deployer().PreviewDown(t.Context(), 7)
				check(t, err)
				if left := append(s.previewImages(), s.below("previews/")...); len(left) > 0 || len(s.names()) != 2 {
					t.Errorf("left behind: %v, droplets %v", left, s.names())
				}
			})
		}
	}
}

func TestAPreviewIsCutOffWhileItsDropletIsBeingMade(t *testing.T) {
	t.Parallel()
	with := previewed("max: 1")
	with.slow = time.Second
	s := open(t, with)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.mu.Lock()
	s.on = func(e event.Event) {
		if phase, ok := e.(event.Phase); ok && strings.HasPrefix(phase.Text, "waiting for droplet") {
			cancel()
		}
	}
	s.mu.Unlock()
	if _, err := s.deployer().PreviewUp(ctx, deploy.PreviewRequest{Pull: 7}); s.failed(err) == nil {
		t.Fatal("it was not cut off")
	}
	made := s.State().Droplet(previewName)
	if made == nil {
		t.Fatal("it was cut off before the droplet was asked for")
	}
	s.mu.Lock()
	s.on = nil
	s.mu.Unlock()
	if got := outcomes(s.mustUp(7))[previewName]; got != event.Verified {
		t.Errorf("continued: %s", got)
	}
	if now := s.State().Droplet(previewName); now.ID != made.ID || len(s.names()) != 3 || s.rebuilds(previewName) != 0 {
		t.Errorf("droplet %d became %d; %v", made.ID, now.ID, s.names())
	}
}

func TestAPreviewThatFailedIsMendedByTheNextCommit(t *testing.T) {
	t.Parallel()
	with := previewed("")
	with.images["web"] = webBroken()
	s := open(t, with)
	result, err := s.up(7)
	var failed *deploy.FailedError
	if !errors.As(err, &failed) || !strings.Contains(causes(err), "listn") {
		t.Fatalf("got %v%s", err, causes(err))
	}
	if got := outcomes(result)[previewName]; got != event.Failed || s.State().Droplet(previewName) == nil {
		t.Errorf("%s; droplets %v: it is there to be looked at", got, s.names())
	}
	s.release(second, "web", web("b"))
	s.mustUp(7)
	if s.rebuilds(previewName) != 1 {
		t.Errorf("%d rebuilds", s.rebuilds(previewName))
	}
}

func TestAnImageThatSomebodyElseRunsFromOutlivesThePreview(t *testing.T) {
	t.Parallel()
	s := open(t, previewed(""))
	s.mustUp(7)
	image := s.State().Droplet(previewName).Image
	mine, _, err := s.ocean.CreateDroplet(t.Context(), ocean.CreateRequest{
		Name: "mine", Region: "nyc3", Size: "s-1vcpu-1gb", ImageID: image.ID, Tags: []string{"mine"},
	})
	check(t, err)
	_, err = s.deployer().PreviewDown(t.Context(), 7)
	check(t, err)
	if diff := cmp.Diff([]string{"mine", "web-1", "web-2"}, s.names()); diff != "" {
		t.Errorf("droplets (-want +got):\n%s", diff)
	}
	if s.State().Image(image.Name) == nil {
		t.Error("its image is gone")
	}
	// When nobody needs it any more, it is still known whose it is.
	check(t, s.ocean.DeleteDroplet(t.Context(), mine.ID, "mine"))
	_, err = s.deployer().PreviewDown(t.Context(), 7)
	check(t, err)
	if left := append(s.previewImages(), s.below("previews/")...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
