// Package build is the step that turns installables into images and toplevels
// in the Nix store.
package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/steps"
)

// Nix is what the step needs of the nix program; *nix.Client is one.
type Nix interface {
	// Evaluate says what each installable will be, in the order asked.
	Evaluate(ctx context.Context, installables []string) ([]nix.Output, error)
	// Valid says whether a path is in the store, whole.
	Valid(ctx context.Context, path string) (bool, error)
	// Realise builds what Evaluate found, in one go.
	Realise(ctx context.Context, outputs []nix.Output, p nix.Progress) error
}

// Step builds the images of one or more servers in one nix build, so that what
// they share is evaluated and built once.
type Step struct{ Nix Nix }

var (
	_ steps.Step[In, Out]      = Step{}
	_ steps.DryRunner[In, Out] = Step{}
)

// In says what to build.
type In struct {
	Servers []Server
	// Evaluated is what a dry run has said of the servers; without it Run
	// evaluates them itself.
	Evaluated map[string]Built
}

// Server is one server's installables. System may be empty.
type Server struct{ Name, Image, System string }

// Out is what was built, by the server's name.
type Out struct{ Servers map[string]Built }

// Built is one server's image and system. Before the build, which is all that a
// dry run does, the paths are known but not there.
type Built struct {
	// Image is the installable; Drv its derivation, empty if it is a store path.
	Image, Drv string
	// ImagePath is the image's store path, a file or a directory that holds one.
	ImagePath string
	// Toplevel is the system's store path; empty where no System was named.
	Toplevel string
	// Hash is the one in ImagePath: the image's identity.
	Hash string
	// Outputs are what nix said of the image and of the toplevel, if there is one.
	Outputs []nix.Output
}

// String says what came out, for the step's result.
func (o Out) String() string {
	if len(o.Servers) == 1 {
		for _, b := range o.Servers {
			return b.ImagePath
		}
	}
	return fmt.Sprintf("%d images: %s", len(o.Servers), strings.Join(slices.Sorted(maps.Keys(o.Servers)), ", "))
}

// Name is "build".
func (Step) Name() string { return "build" }

// Run evaluates and builds. It skips, with the result, when all is in the store
// already. Errors are those of the nix package. If some of the servers fail to
// build, the result holds the others beside the error: one broken image does not
// take the fleet along.
func (s Step) Run(ctx context.Context, tell event.Teller, in In) (Out, error) {
	out, outputs, ok := in.known()
	if !ok {
		tell.Phase("evaluating %s", count(len(in.Servers), "server"))
		var err error
		if out, outputs, err = s.evaluate(ctx, in); err != nil {
			return Out{}, err
		}
	}
	missing, err := s.missing(ctx, outputs)
	if err != nil {
		return Out{}, err
	}
	// Even with nothing missing: nix then protects it from being collected.
	if err := s.Nix.Realise(ctx, outputs, progress(tell)); err != nil {
		return s.whole(ctx, out), fmt.Errorf("nix: %w", err)
	}
	if len(missing) == 0 {
		return out, steps.Skip("already in the Nix store")
	}
	return out, nil
}

// DryRun evaluates only, unless that was done before.
func (s Step) DryRun(ctx context.Context, in In) (Out, string, error) {
	out, outputs, ok := in.known()
	if !ok {
		var err error
		if out, outputs, err = s.evaluate(ctx, in); err != nil {
			return Out{}, "", err
		}
	}
	missing, err := s.missing(ctx, outputs)
	switch {
	case err != nil:
		return Out{}, "", err
	case len(missing) == 0:
		return out, "nothing to build: already in the Nix store", nil
	default:
		return out, "would build or fetch " + strings.Join(missing, ", "), nil
	}
}

// evaluate asks for everything at once and sorts the answers to the servers.
func (s Step) evaluate(ctx context.Context, in In) (Out, []nix.Output, error) {
	var installables []string
	for _, server := range in.Servers {
		if server.Image == "" {
			return Out{}, nil, fmt.Errorf("server %s: no image to build is named (image: in snowdrop.yaml)", server.Name)
		}
		installables = append(installables, server.Image)
		if server.System != "" {
			installables = append(installables, server.System)
		}
	}
	outputs, err := s.Nix.Evaluate(ctx, installables)
	if err != nil {
		return Out{}, nil, fmt.Errorf("nix: %w", err)
	}
	if len(outputs) != len(installables) {
		return Out{}, nil, fmt.Errorf("nix: %d answers to %d installables", len(outputs), len(installables))
	}
	out := Out{Servers: make(map[string]Built, len(in.Servers))}
	var faults []error
	rest := outputs
	for _, server := range in.Servers {
		image := rest[0]
		rest = rest[1:]
		built := Built{Image: server.Image, Drv: image.Drv, ImagePath: image.Path, Outputs: []nix.Output{image}}
		if server.System != "" {
			built.Toplevel = rest[0].Path
			built.Outputs = append(built.Outputs, rest[0])
			rest = rest[1:]
		}
		var err error
		if built.Hash, err = nix.StoreHash(image.Path); err != nil {
			faults = append(faults, fmt.Errorf("server %s: image %s: %w", server.Name, server.Image, err))
		}
		out.Servers[server.Name] = built
	}
	return out, outputs, errors.Join(faults...)
}

// known is what evaluate would say, if all of it has been said before.
func (in In) known() (Out, []nix.Output, bool) {
	out := Out{Servers: make(map[string]Built, len(in.Servers))}
	var outputs []nix.Output
	for _, server := range in.Servers {
		b, ok := in.Evaluated[server.Name]
		if !ok || len(b.Outputs) == 0 || b.Image != server.Image {
			return Out{}, nil, false
		}
		out.Servers[server.Name] = b
		outputs = append(outputs, b.Outputs...)
	}
	return out, outputs, true
}

// missing are the installables whose output is not in the store.
func (s Step) missing(ctx context.Context, outputs []nix.Output) ([]string, error) {
	var missing []string
	for _, o := range outputs {
		valid, err := s.Nix.Valid(ctx, o.Path)
		if err != nil {
			return nil, fmt.Errorf("nix: is %s built: %w", o.Installable, err)
		}
		if !valid && !slices.Contains(missing, o.Installable) {
			missing = append(missing, o.Installable)
		}
	}
	return missing, nil
}

// whole are the servers whose outputs are all in the store, in a build that failed.
func (s Step) whole(ctx context.Context, out Out) Out {
	whole := Out{Servers: map[string]Built{}}
	for name, built := range out.Servers {
		missing, err := s.missing(ctx, built.Outputs)
		if err == nil && len(missing) == 0 {
			whole.Servers[name] = built
		}
	}
	return whole
}

// progress passes on what nix tells. Bytes become words: the step's one bar
// counts builds and fetches.
func progress(tell event.Teller) nix.Progress {
	const mib = 1 << 20
	return nix.Progress{
		Count: func(done, total int64) { tell.Progress(done, total, "builds") },
		Bytes: func(done, total int64) {
			if total > mib {
				tell.Phase("fetched %d of %d MiB", done/mib, total/mib)
			}
		},
		Phase: func(text string) { tell.Phase("%s", text) },
		Log:   tell.Log,
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
