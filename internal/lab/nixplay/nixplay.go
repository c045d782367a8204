// Package nixplay is a nix program for tests that have no Nix: it answers as nix
// does, with the store of a lab.Builder. A test program becomes it by a link named
// nix to itself, first in the PATH.
package nixplay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
)

// Project is what is built, read from Name in the folder that nix is run in.
type Project struct {
	lab.Builder
	// Faults are what cannot be evaluated, by installable.
	Faults map[string]Fault `json:"faults,omitempty"`
}

// Name is the file that holds a Project as JSON.
const Name = "lab.json"

// Fault is an error of evaluation and where nix says that it lies.
type Fault struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// Error is what nix says.
func (f Fault) Error() string { return f.Message }

// IsNix says whether this process was started as nix.
func IsNix() bool { return filepath.Base(os.Args[0]) == "nix" }

// Link makes this program the nix of the commands that it runs, with a home of its
// own. It changes the environment of the process; remove takes the link away.
func Link() (remove func(), err error) {
	dir, err := os.MkdirTemp("", "snowdrop-nix-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for nix: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "nix"))
	}
	for name, value := range map[string]string{
		"PATH": dir + string(os.PathListSeparator) + os.Getenv("PATH"), "XDG_CACHE_HOME": dir, "HOME": dir,
	} {
		err = errors.Join(err, os.Setenv(name, value))
	}
	if err != nil {
		remove()
		return nil, fmt.Errorf("link nix: %w", err)
	}
	return remove, nil
}

// Run answers to a command line of nix, without the program's name, and returns the
// exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	out, err := answer(args)
	if err != nil {
		said := map[string]any{"action": "msg", "level": 0, "msg": "error: " + err.Error(), "raw_msg": err.Error()}
		if at := (Fault{}); errors.As(err, &at) {
			said["file"], said["line"], said["column"] = at.File, at.Line, at.Column
		}
		line, _ := toJSON(said)
		_, _ = fmt.Fprintln(stderr, "@nix "+line)
		return 1
	}
	_, _ = fmt.Fprintln(stdout, out)
	return 0
}

func read() (*Project, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the folder: %w", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, Name)) //nolint:gosec // the test's own file
	if err != nil {
		return nil, fmt.Errorf("read what is built: %w", err)
	}
	var p Project
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("read %s: %w", Name, err)
	}
	p.Dir = dir
	return &p, nil
}

func answer(args []string) (string, error) {
	if slices.Contains(args, "--version") {
		return "nix (Nix) 2.26.3", nil
	}
	p, err := read()
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	at := slices.Index(args, "--")
	switch words := strings.Join(args[:2], " "); {
	case words == "flake metadata":
		return toJSON(map[string]any{"url": "git+file://" + p.Dir, "revision": p.Revision, "lastModified": p.At.Unix()})
	case args[0] == "eval" && strings.HasSuffix(args[at+1], "#packages"):
		shown, err := p.Show(ctx, ".")
		images := []string{}
		for _, i := range shown.Images {
			images = append(images, i[strings.LastIndex(i, ".")+1:])
		}
		text, _ := toJSON(map[string][]string{"x86_64-linux": images})
		return text, err //nolint:wrapcheck // nix says it as it is
	case args[0] == "eval":
		shown, err := p.Show(ctx, ".")
		text, _ := toJSON(shown.Configurations)
		return text, err //nolint:wrapcheck // nix says it as it is
	case args[0] == "path-info" && slices.Contains(args, "--store"): // a cache has all that was ever built
		paths, err := p.Closure(ctx, args[at+1])
		text, _ := toJSON(paths)
		return text, err //nolint:wrapcheck // nix says it as it is
	case args[0] == "path-info":
		if ok, err := p.Valid(ctx, args[at+1]); err != nil || !ok {
			return "", fmt.Errorf("path '%s' is not valid", args[at+1])
		}
		if !slices.Contains(args, "--recursive") {
			return args[at+1], nil
		}
		paths, err := p.Closure(ctx, args[at+1])
		text, _ := toJSON(paths)
		return text, err //nolint:wrapcheck // nix says it as it is
	case args[0] == "copy":
		return p.copy(ctx, args)
	case words == "derivation show":
		return p.derivations(ctx, args[at+1:])
	case args[0] == "build" && slices.Contains(args, "--dry-run"):
		return p.build(ctx, args[at+1:], false)
	case args[0] == "build":
		return p.build(ctx, args, true)
	default:
		return "", fmt.Errorf("this nix does not know %q", args)
	}
}

func toJSON(v any) (string, error) {
	data, err := json.Marshal(v)
	return string(data), err //nolint:wrapcheck // of our own types
}

// derivations answers to nix derivation show.
func (p *Project) derivations(ctx context.Context, installables []string) (string, error) {
	all, err := p.Derivations(ctx, installables)
	shown := map[string]any{}
	for _, d := range all {
		shown[d.Path] = map[string]any{"outputs": map[string]any{"out": map[string]string{"path": d.Outputs["out"]}}}
	}
	text, _ := toJSON(shown)
	return text, err //nolint:wrapcheck // nix says it as it is
}

// copy answers to nix copy --to ssh-ng://HOST.
func (p *Project) copy(ctx context.Context, args []string) (string, error) {
	if slices.Contains(args, "--derivation") {
		return "", nil
	}
	_, host, _ := strings.Cut(args[slices.Index(args, "--to")+1], "://")
	_, config, _ := strings.Cut(os.Getenv("NIX_SSHOPTS"), "-F ")
	copying := nix.Copy{SSH: nix.SSH{Config: config}, Path: args[len(args)-1], To: host}
	if _, err := p.Copy(ctx, copying, nix.Progress{}); err != nil {
		return "", err //nolint:wrapcheck // nix says it as it is
	}
	line, _ := toJSON(map[string]any{"action": "start", "id": 1, "type": 100, "fields": []string{copying.Path, "local", "ssh-ng://" + host}})
	_, _ = fmt.Fprintln(os.Stderr, "@nix "+line)
	return "", nil
}

// build answers to nix build --json: of installables, or of derivations, which
// it finds by evaluating everything.
func (p *Project) build(ctx context.Context, targets []string, forReal bool) (string, error) {
	installables := targets
	if forReal {
		installables = nil
		for name := range p.Servers {
			installables = append(installables, ".#"+name+"-image", ".#"+name+"-toplevel")
		}
	}
	for _, installable := range installables {
		if fault, ok := p.Faults[installable]; ok {
			return "", fault
		}
	}
	outputs, err := p.Evaluate(ctx, installables)
	if err != nil {
		return "", err //nolint:wrapcheck // nix says it as it is
	}
	if forReal {
		outputs = slices.DeleteFunc(outputs, func(o nix.Output) bool { return !slices.Contains(targets, o.Drv+"^out") })
		if len(outputs) == 0 {
			return "", errors.New("nothing to build is known")
		}
		if err := p.Realise(ctx, outputs, nix.Progress{}); err != nil {
			return "", err //nolint:wrapcheck // nix says it as it is
		}
	}
	entries := []any{}
	for _, o := range outputs {
		entries = append(entries, map[string]any{"drvPath": o.Drv, "outputs": map[string]string{"out": o.Path}})
	}
	return toJSON(entries)
}
