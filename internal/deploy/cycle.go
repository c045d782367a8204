package deploy

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps"
)

// CycleSource finds the commit that a release cycle deploys: that of its `ref:`, as
// the flake's repository has it now. Before, it brings the flake's inputs up to date,
// if the cycle wants that. It needs no credentials of DigitalOcean.
type CycleSource struct {
	Fleet *fleet.Fleet
	Git   *git.Client
	Nix   Updater
	// Author commits where git's configuration names nobody.
	Author git.Identity
	// Server is the GitHub server, such as https://github.com; Repository is
	// "owner/name" of the clone that the flake lies in, if its address does not say so.
	Server, Repository string
	// GitHub makes a client for a repository of Server.
	GitHub func(repository string) (Proposer, error)
	Sink   event.Sink
	Now    func() time.Time
}

// Updater brings inputs of a flake up to date, and says what it evaluates to then.
// *nix.Client does it.
type Updater interface {
	Update(ctx context.Context, dir string, inputs []string, p nix.Progress) error
	Evaluate(ctx context.Context, installables []string) ([]nix.Output, error)
}

// Proposer opens pull requests, and closes them. *github.Client does it.
type Proposer interface {
	Propose(ctx context.Context, p github.Proposal) (github.Pull, github.Outcome, error)
	Withdraw(ctx context.Context, head, base, why string) (github.Pull, bool, error)
}

// CycleTaken is a request at the commit that its cycle deploys.
type CycleTaken struct {
	Request
	// NotUpdated is why the flake's inputs were not brought up to date. That keeps
	// nothing from being deployed, but the run has failed when it ends.
	NotUpdated error
	words      string
}

// String says which commit it is.
func (t CycleTaken) String() string { return t.words }

// Take is a request at its cycle's commit. A request without a cycle, or with a
// revision of its own, one whose cycle has no ref, and one for no server are as they
// were. Inputs are
// brought up to date only if update says so; in a dry run and in a preview it is only
// told what would be.
func (c CycleSource) Take(ctx context.Context, req Request, update bool) (CycleTaken, error) {
	cycle, ok := c.Fleet.Cycles[req.Cycle]
	if !ok || cycle.Ref == "" || req.Revision != "" {
		return CycleTaken{Request: req}, nil
	}
	if servers, err := c.Fleet.Select(req.Servers, req.Cycle); err == nil && len(servers) == 0 {
		return CycleTaken{Request: req}, nil // the plan says so
	}
	if !update {
		cycle.Update = nil
	}
	return steps.Do(ctx, steps.Run{Sink: c.Sink, Now: c.Now}, event.Subject{}, taking{c, cycle}, req)
}

// taking is Take as a step, so that it is shown like the others.
type taking struct {
	CycleSource
	cycle fleet.Cycle
}

// Name implements steps.Step.
func (taking) Name() string { return "cycle" }

// Run implements steps.Step.
func (t taking) Run(ctx context.Context, tell event.Teller, req Request) (CycleTaken, error) {
	taken := CycleTaken{Request: req}
	servers, err := t.Fleet.Select(req.Servers, req.Cycle)
	if err != nil {
		return taken, fmt.Errorf("choose servers: %w", err)
	}
	var faults []error
	for _, s := range servers {
		faults = append(faults, t.Fleet.OwnFlake(s))
	}
	if err := errors.Join(faults...); err != nil {
		return taken, UsageError{Err: err}
	}
	source, err := t.Fleet.FlakeSource()
	if err != nil {
		return taken, UsageError{Err: fmt.Errorf("cycle %s: %w", req.Cycle, err)}
	}
	tell.Phase("looking up %s", t.cycle.Ref)
	place := place{source: source, git: t.Git}
	if source.Path != "" {
		if place.repo, err = t.Git.Open(ctx, source.Path); err != nil {
			return taken, fmt.Errorf("cycle %s takes %s of the flake's repository: %w", req.Cycle, t.cycle.Ref, err)
		}
	}
	ref, err := place.resolve(ctx, t.cycle.Ref)
	if err != nil {
		return taken, fmt.Errorf("find %s, which cycle %s deploys: %w", t.cycle.Ref, req.Cycle, err)
	}
	if t.cycle.Update != nil {
		updating := updating{CycleSource: t.CycleSource, cycle: req.Cycle, update: *t.cycle.Update, place: place, tell: tell, dry: req.DryRun || req.Preview}
		updated, err := updating.run(ctx, ref)
		switch {
		case err == nil:
			ref = updated
		case ctx.Err() != nil:
			return taken, err
		default:
			taken.NotUpdated = fmt.Errorf("the flake's inputs were not brought up to date for cycle %s: %w", req.Cycle, err)
			tell.Warn("%v\n%s is deployed as it is", taken.NotUpdated, ref.Name)
		}
	}
	if place.repo != nil {
		if err := place.repo.Bring(ctx, ref); err != nil {
			return taken, fmt.Errorf("bring %s to this clone: %w", ref.Name, err)
		}
	}
	taken.Revision, taken.Ref = ref.Revision, ref.Full
	taken.words = fmt.Sprintf("%s is at %s", ref.Name, short(ref.Revision))
	return taken, nil
}

// place is the flake's repository: the clone that the flake lies in, or one elsewhere.
type place struct {
	source fleet.FlakeSource
	git    *git.Client
	// repo is nil for a repository elsewhere.
	repo *git.Repository
}

func (p place) resolve(ctx context.Context, ref string) (git.Ref, error) {
	switch {
	case p.repo != nil && ref == fleet.LatestTag:
		return p.repo.LatestTag(ctx) //nolint:wrapcheck // it says what it asked
	case p.repo != nil:
		return p.repo.Resolve(ctx, ref) //nolint:wrapcheck // as above
	case ref == fleet.LatestTag:
		return p.git.LatestTag(ctx, "", p.source.Address) //nolint:wrapcheck // as above
	default:
		return p.git.Resolve(ctx, "", p.source.Address, ref) //nolint:wrapcheck // as above
	}
}

// open is a clone to work in, and what to call in the end.
func (p place) open(ctx context.Context, ref git.Ref) (*git.Repository, func() error, error) {
	if p.repo != nil {
		return p.repo, func() error { return nil }, p.repo.Bring(ctx, ref) //nolint:wrapcheck // it says what it fetches
	}
	clone, err := p.git.Clone(ctx, p.source.Address, ref)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // as above
	}
	return clone, clone.Close, nil
}

// dir is the flake's folder in a working tree of a repository.
func (p place) dir(repo *git.Repository, tree string) (string, error) {
	below := "."
	if p.repo != nil {
		at, err := filepath.Abs(p.source.Path)
		if err == nil {
			at, err = filepath.EvalSymlinks(at) // git's names have no links
		}
		if err == nil {
			below, err = filepath.Rel(filepath.FromSlash(repo.Root), at)
		}
		if err != nil {
			return "", fmt.Errorf("find the flake in the repository %s: %w", repo.Root, err)
		}
	}
	return filepath.Join(tree, below, filepath.FromSlash(p.source.Dir)), nil
}

// address is what the repository was cloned from.
func (p place) address(ctx context.Context) string {
	if p.repo != nil {
		return p.repo.Address(ctx)
	}
	return p.source.Address
}
