package lab

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/nix"
)

// Builder stands for Nix where there is none: it has the methods of *nix.Client and
// makes images of ImageSpecs, in a store below its directory. Paths are named by
// content as Nix's are, so a second build of the same has nothing to do.
type Builder struct {
	// Dir is an existing directory; the store is Dir/nix/store.
	Dir string
	// Servers are the images, by the server's name.
	Servers map[string]ImageSpec
	// Revision is the flake's git revision, At its time.
	Revision string
	At       time.Time
	// Pace is how long each MiB of an image takes; 0 is as fast as it goes.
	Pace time.Duration
	// API is the address of the lab whose droplets Copy copies to.
	API string
}

// Evaluate says what each installable will be: ".#web-image",
// ".#packages.x86_64-linux.web-image" and ".#nixosConfigurations.web.config.….X" are
// the image of web, or its toplevel where X is toplevel. It errors with
// *nix.EvalError for another name.
func (b *Builder) Evaluate(ctx context.Context, installables []string) ([]nix.Output, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	var outputs []nix.Output
	var errs []error
	for _, i := range installables {
		name, toplevel, ok := b.server(i)
		if !ok {
			errs = append(errs, &nix.EvalError{Installable: i, Message: "flake does not provide attribute '" + attribute(i) + "'"})
			continue
		}
		path := b.imagePath(name)
		if toplevel {
			path = b.spec(name).System
		}
		outputs = append(outputs, nix.Output{Installable: i, Drv: b.drv(path), Path: path})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return outputs, nil
}

func attribute(installable string) string {
	_, attr, _ := strings.Cut(installable, "#")
	return strings.TrimSuffix(attr, "^*")
}

// server finds whose image or toplevel an installable is.
func (b *Builder) server(installable string) (name string, toplevel, ok bool) {
	attr := attribute(installable)
	if rest, ok := strings.CutPrefix(attr, "nixosConfigurations."); ok {
		name, rest, _ = strings.Cut(rest, ".")
		_, known := b.Servers[name]
		return name, strings.HasSuffix(rest, ".toplevel"), known
	}
	if strings.HasPrefix(attr, "packages.") {
		attr = attr[strings.LastIndex(attr, ".")+1:]
	}
	for _, suffix := range []string{"-image", "_image", "-toplevel"} {
		if name, ok := strings.CutSuffix(attr, suffix); ok {
			_, known := b.Servers[name]
			return name, suffix == "-toplevel", known
		}
	}
	return "", false, false
}

// spec is a server's ImageSpec with its name and toplevel filled in.
func (b *Builder) spec(name string) ImageSpec {
	s := b.Servers[name]
	s.Name = name
	if s.System == "" {
		s.System = b.storePath("nixos-system-"+name+"-25.05", s)
	}
	return s
}

func (b *Builder) imagePath(name string) string { return b.storePath(name+"-image", b.spec(name)) }

func (b *Builder) drv(path string) string {
	return b.storePath(filepath.Base(path)[33:]+".drv", path)
}

// storePath names what is made of v.
func (b *Builder) storePath(name string, v any) string {
	text, _ := json.Marshal(v) //nolint:errchkjson // specs and strings
	return filepath.Join(b.Dir, "nix/store", storeHash(name+"\x00"+string(text))+"-"+name)
}

// storeHash is 32 characters of Nix's alphabet.
func storeHash(text string) string {
	const alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
	sum := sha256.Sum256([]byte(text))
	hash := make([]byte, 32)
	for i := range hash {
		hash[i] = alphabet[sum[i]%32]
	}
	return string(hash)
}

// Valid says whether a path is in the store, whole. The given toplevel of an
// ImageSpec, which is nowhere, counts as being there.
func (b *Builder) Valid(_ context.Context, path string) (bool, error) {
	if !strings.HasPrefix(path, b.Dir) {
		return true, nil
	}
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", path, err)
	}
	return true, nil
}

// Build evaluates and builds.
func (b *Builder) Build(ctx context.Context, installables []string, p nix.Progress) ([]nix.Output, error) {
	outputs, err := b.Evaluate(ctx, installables)
	if err != nil {
		return nil, err
	}
	return outputs, b.Realise(ctx, outputs, p)
}

// Realise builds what Evaluate found. Something half made is never at its path.
func (b *Builder) Realise(ctx context.Context, outputs []nix.Output, p nix.Progress) error {
	tell := func(done int) {
		if p.Count != nil {
			p.Count(int64(done), int64(len(outputs)))
		}
	}
	for i, o := range outputs {
		tell(i)
		if ok, err := b.Valid(ctx, o.Path); err != nil || ok {
			if err != nil {
				return err
			}
			continue
		}
		name, toplevel, ok := b.server(o.Installable)
		if !ok {
			return &nix.BuildError{Drv: o.Drv, Reason: "nobody knows how to build " + o.Installable}
		}
		say(p.Phase, "building "+filepath.Base(o.Path)[33:])
		say(p.Log, name+"> a small image made by snowdrop itself stands for a NixOS one")
		if err := b.realise(ctx, name, toplevel, o.Path); err != nil {
			return err
		}
	}
	tell(len(outputs))
	return nil
}

func say(f func(string), text string) {
	if f != nil {
		f(text)
	}
}

func (b *Builder) realise(ctx context.Context, name string, toplevel bool, path string) error {
	temp := path + ".tmp"
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("build %s: %w", path, err)
	}
	if err := os.MkdirAll(temp, 0o755); err != nil { //nolint:gosec // a store is readable
		return fmt.Errorf("build %s: %w", path, err)
	}
	var err error
	if toplevel {
		err = writeSystem(temp, b.spec(name))
	} else {
		err = b.writeImage(ctx, filepath.Join(temp, "nixos.img"), name)
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("build %s: %w", path, err), os.RemoveAll(temp))
	}
	return nil
}

// writeSystem writes of a toplevel what a comparison of two looks at first.
func writeSystem(dir string, s ImageSpec) error {
	files := map[string]string{"nixos-version": "25.05\n"}
	for unit := range s.Units {
		files["etc/systemd/system/"+unit] = "[Service]\nExecStart=/run/current-system/sw/bin/" + strings.TrimSuffix(unit, ".service") + "\n"
	}
	for name, text := range files {
		file := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755) //nolint:gosec // a store is readable
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644) //nolint:gosec // as above
		}
		if err != nil {
			return fmt.Errorf("write the system: %w", err)
		}
	}
	return nil
}

func (b *Builder) writeImage(ctx context.Context, file, name string) error {
	f, err := os.Create(file) //nolint:gosec // below the builder's own directory
	if err != nil {
		return fmt.Errorf("write the image: %w", err)
	}
	err = MakeImage(paced{ctx, f, b.Pace}, b.spec(name))
	return errors.Join(err, f.Close())
}

// paced writes slowly, and stops when its context ends.
type paced struct {
	ctx  context.Context //nolint:containedctx // a writer cannot be given one
	f    *os.File
	pace time.Duration
}

func (p paced) Write(data []byte) (int, error) {
	t := time.NewTimer(p.pace)
	defer t.Stop()
	select {
	case <-p.ctx.Done():
		return 0, fmt.Errorf("stopped: %w", p.ctx.Err())
	case <-t.C:
		return p.f.Write(data) //nolint:wrapcheck // a writer in between
	}
}

// Metadata is the flake's, as the Builder's fields say.
func (b *Builder) Metadata(_ context.Context, flake string) (nix.Metadata, error) {
	return nix.Metadata{URL: flake, Revision: b.Revision, Dirty: b.Revision == "", LastModified: b.At}, nil
}

// Closure lists a few paths of which some change with the ImageSpec, so that a diff
// has something to tell.
func (b *Builder) Closure(_ context.Context, path string) ([]closure.Path, error) {
	for name := range b.Servers {
		s := b.spec(name)
		if path != s.System && path != b.imagePath(name) {
			continue
		}
		infos := []closure.Path{{Path: path, NarSize: 4096}}
		for _, p := range []struct {
			name string
			size int64
			of   any
		}{
			{"glibc-2.40-66", 31 << 20, "glibc"},
			{"systemd-257.5", 42 << 20, "systemd"},
			{"linux-6.12.30", 130 << 20, "linux"},
			{"etc", 64 << 10, s},
			{"units", 32 << 10, s.Units},
		} {
			infos = append(infos, closure.Path{Path: b.storePath(p.name, p.of), NarSize: p.size})
		}
		slices.SortFunc(infos, func(a, b closure.Path) int { return strings.Compare(a.Path, b.Path) })
		return infos, nil
	}
	return nil, fmt.Errorf("list the closure of %s: it is not in this store", path)
}

// ClosureIn implements deploy.Nix: the lab has no binary caches.
func (*Builder) ClosureIn(_ context.Context, store, path string) ([]closure.Path, error) {
	return nil, fmt.Errorf("list the closure of %s in %s: the lab has no binary caches", path, store)
}

// named has those installables by their attributes that are store derivations.
func (b *Builder) named(installables []string) []string {
	out := slices.Clone(installables)
	for name := range b.Servers {
		for suffix, path := range map[string]string{"-image": b.imagePath(name), "-toplevel": b.spec(name).System} {
			if i := slices.Index(out, b.drv(path)); i >= 0 {
				out[i] = ".#" + name + suffix
			}
		}
	}
	return out
}

// Derivations are those of the paths that Closure lists. An installable may be a
// store derivation.
func (b *Builder) Derivations(ctx context.Context, installables []string) ([]closure.Derivation, error) {
	outputs, err := b.Evaluate(ctx, b.named(installables))
	if err != nil {
		return nil, err
	}
	var all []closure.Derivation
	for _, o := range outputs {
		paths, err := b.Closure(ctx, o.Path)
		if err != nil {
			return nil, err
		}
		for _, p := range paths {
			all = append(all, closure.Derivation{Path: b.drv(p.Path), Outputs: map[string]string{"out": p.Path}})
		}
	}
	return all, nil
}

// Show lists the servers.
func (b *Builder) Show(context.Context, string) (nix.Shown, error) {
	var shown nix.Shown
	for _, name := range slices.Sorted(maps.Keys(b.Servers)) {
		shown.Configurations = append(shown.Configurations, name)
		shown.Images = append(shown.Images, "packages.x86_64-linux."+name+"-image")
	}
	return shown, nil
}

// Version says that there is no Nix.
func (b *Builder) Version(context.Context) (string, error) { return "0.0.0-lab", nil }
