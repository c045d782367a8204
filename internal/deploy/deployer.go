// Package deploy holds the use cases: Plan, Deploy, Build, Rebuild, Rollback,
// Switch, Verify, Prune, Status. It composes the steps and decides their order; each
// front end calls it with the same requests.
package deploy

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/steps"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/prune"
	"github.com/versatus/snowdrop/steps/rebuild"
	"github.com/versatus/snowdrop/steps/transfer"
	"github.com/versatus/snowdrop/steps/upload"
	"github.com/versatus/snowdrop/steps/verify"
)

// Nix is what the use cases need of Nix beside what the build step needs.
type Nix interface {
	build.Nix
	Metadata(ctx context.Context, flake string) (nix.Metadata, error)
	// Closure lists a path of the store and all that it needs.
	Closure(ctx context.Context, path string) ([]closure.Path, error)
	// ClosureIn is Closure in another store, such as a binary cache.
	ClosureIn(ctx context.Context, store, path string) ([]closure.Path, error)
	// Derivations are all that the installables are built from.
	Derivations(ctx context.Context, installables []string) ([]closure.Derivation, error)
	transfer.Nix
	// RealiseOn builds on another machine what was evaluated here.
	RealiseOn(ctx context.Context, ssh nix.SSH, host string, outputs []nix.Output, p nix.Progress) error
}

// SSH is how the use cases reach droplets.
type SSH interface {
	verify.Dialer
	transfer.SSH
}

// Ocean is what the use cases need of DigitalOcean.
type Ocean interface {
	upload.Ocean
	rebuild.Ocean
	prune.Ocean
	CustomImages(ctx context.Context) ([]ocean.Image, error)
	Droplets(ctx context.Context) ([]ocean.Droplet, error)
	Transfer(ctx context.Context, imageID int, regions []string, timeout time.Duration, phase func(string)) (ocean.Image, error)
	previewOcean
}

// Space is what the use cases need of the Space.
type Space interface {
	upload.Space
	prune.Space
	Get(ctx context.Context, key string) ([]byte, error)
	Put(ctx context.Context, key string, data []byte, contentType string) error
}

// Clock is the time, so that tests do not wait for it.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Config is all that a Deployer works with.
type Config struct {
	Fleet *fleet.Fleet
	Nix   Nix
	Space Space
	Ocean Ocean
	SSH   SSH
	// Anywhere runs nixos-anywhere; nil where nothing is installed.
	Anywhere Installer
	Sink     event.Sink
	Clock    Clock
	// Ancestry, if set, decides which of two revisions is the newer one; without it,
	// and for revisions that it does not know, their commit times do.
	Ancestry Ancestry
	// Redact takes secrets out of what goes into a record; nil leaves it as it is.
	Redact func(string) string
	// Learn takes in a secret that was read during the run, from a file or a command;
	// what is told afterwards has to be without it. Nil where nobody wants to know.
	Learn func(secret string)
	// Getenv reads the secrets that the fleet's files come from.
	Getenv func(string) string
	// RunURL is where the run can be watched; it goes into the records.
	RunURL string
}

// Deployer carries out the use cases on one fleet.
type Deployer struct {
	Config
	records *release.Store
	// evaluating is held by one evaluation of Nix beside those of the build step.
	evaluating *semaphore.Weighted
}

// New makes a Deployer.
func New(c Config) *Deployer {
	if c.Redact == nil {
		c.Redact = func(s string) string { return s }
	}
	return &Deployer{Config: c, records: release.NewStore(objects{c.Space}), evaluating: semaphore.NewWeighted(1)}
}

func (d *Deployer) steps(dryRun bool) steps.Run {
	return steps.Run{Sink: d.Sink, Now: d.Clock.Now, DryRun: dryRun}
}
