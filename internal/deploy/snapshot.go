package deploy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/space"
	"github.com/versatus/snowdrop/internal/toplevel"
	"github.com/versatus/snowdrop/steps/build"
	"github.com/versatus/snowdrop/steps/prune"
)

// A deploy leaves in the Space what a system is made of: by the time of the next one
// it is in no store that the plan could ask. The keys hold the image's hash, which
// the names of custom images end in too, so that it is seen what is still needed.
func closureKey(server, hash string) string { return prune.SnapshotPrefix(server) + hash + ".json.gz" }

func systemKey(server, hash string) string {
	return prune.SnapshotPrefix(server) + hash + ".system.json.gz"
}

// composition is what a system is made of.
type composition struct {
	paths []closure.Path
	// system is nil where it is not known; then unknown says why.
	system  *toplevel.Snapshot
	unknown string
}

// leaveSnapshot keeps what the server's new system is made of, if this machine's
// Nix store has it. A machine that did not build it has nothing to keep: the one that
// did has.
func (d *Deployer) leaveSnapshot(ctx context.Context, s *serverRun) {
	want := s.plan.Want
	if want.Toplevel == "" || s.dryRun() {
		return
	}
	there, err := d.Nix.Valid(ctx, want.Toplevel)
	if err == nil && there {
		err = d.snapshot(ctx, s.name(), want)
	}
	if err != nil && ctx.Err() == nil {
		s.warn("later plans will not say which packages and units they change here, since no snapshot of this release could be left: %v", err)
	}
}

func (d *Deployer) snapshot(ctx context.Context, server string, want build.Built) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		paths, err := d.Nix.Closure(ctx, want.Toplevel)
		if err != nil {
			return wrap(err, "list what %s needs", want.Toplevel)
		}
		return d.put(ctx, closureKey(server, want.Hash), func(w io.Writer) error { return closure.Write(w, paths) })
	})
	group.Go(func() error {
		system, err := toplevel.Take("", want.Toplevel)
		if err != nil {
			return err //nolint:wrapcheck // it says of what
		}
		versions, err := d.stateVersions(ctx, want)
		if err != nil {
			system.Unknown = append(system.Unknown, "system.stateVersion is not known: "+firstLine(err))
		}
		system.StateVersion = versions[want.Toplevel]
		return d.put(ctx, systemKey(server, want.Hash), func(w io.Writer) error { return toplevel.Write(w, system) })
	})
	return group.Wait() //nolint:wrapcheck // each part has said what it was doing
}

func (d *Deployer) put(ctx context.Context, key string, write func(io.Writer) error) error {
	var data bytes.Buffer
	if err := write(&data); err != nil {
		return err
	}
	return wrap(d.Space.Put(ctx, key, data.Bytes(), "application/gzip"), "keep a snapshot")
}

// errNoSnapshot says that nothing is known of what a release is made of.
var errNoSnapshot = errors.New("there is no snapshot of it in the Space, and it is not in this machine's Nix store")

// composed finds out what a release of a server is made of: from the snapshot that
// its deploy has left, else from the Nix store of this machine. It errors with
// errNoSnapshot if neither has it.
func (d *Deployer) composed(ctx context.Context, server, hash, system string) (composition, error) {
	var out composition
	data, err := d.Space.Get(ctx, closureKey(server, hash))
	switch {
	case errors.Is(err, space.ErrNotFound):
		return d.composedHere(ctx, system)
	case err != nil:
		return out, wrap(err, "read a snapshot")
	}
	if out.paths, err = closure.Read(bytes.NewReader(data)); err != nil {
		return out, wrap(err, "read %s", closureKey(server, hash))
	}
	out.know(d.kept(ctx, systemKey(server, hash)))
	return out, nil
}

// know takes in the system, or why it is not known.
func (c *composition) know(system toplevel.Snapshot, err error) {
	if err != nil {
		c.unknown = err.Error()
		return
	}
	c.system = &system
}

// kept reads the snapshot of a system.
func (d *Deployer) kept(ctx context.Context, key string) (toplevel.Snapshot, error) {
	data, err := d.Space.Get(ctx, key)
	if err != nil {
		return toplevel.Snapshot{}, wrap(err, "read a snapshot")
	}
	system, err := toplevel.Read(bytes.NewReader(data))
	return system, wrap(err, "read %s", key)
}

// composedHere asks the Nix store of this machine.
func (d *Deployer) composedHere(ctx context.Context, system string) (composition, error) {
	var out composition
	if system == "" {
		return out, errNoSnapshot
	}
	there, err := d.Nix.Valid(ctx, system)
	if err != nil {
		return out, wrap(err, "look for %s", system)
	}
	if !there {
		return out, errNoSnapshot
	}
	if out.paths, err = d.Nix.Closure(ctx, system); err != nil {
		return out, wrap(err, "list what %s needs", system)
	}
	out.know(toplevel.Take("", system))
	return out, nil
}
