package demo

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
)

// source is what makes the images.
type source interface {
	// describe says what it is, for whoever watches.
	describe() string
	// release makes an act's release ready to be built.
	release(ctx context.Context, a act) (deploy.Nix, error)
}

// chooseSource takes Nix where there is one that can build the demo's flake, else
// our own images.
func chooseSource(ctx context.Context, project string, first act) source {
	own := ownImages{dir: filepath.Dir(project)}
	flake := nixFlake{dir: project, logs: filepath.Join(filepath.Dir(project), "logs")}
	version, err := flake.client(nil).Version(ctx)
	if err != nil {
		own.why = "There is no nix on this machine"
		return own
	}
	for _, options := range nixOptions() {
		flake.options = options
		if err = flake.try(ctx, first); err == nil {
			flake.version = version
			return flake
		}
	}
	reason, _, _ := strings.Cut(err.Error(), "\n")
	own.why = fmt.Sprintf("nix %s is on this machine, but cannot build (%s)", version, reason)
	return own
}

// nixOptions are tried in turn: a nix without a daemon that runs as root, as in a
// container or from a distribution's package, has neither build users nor a sandbox.
// No cache is asked: there is nothing in one that the demo could use.
func nixOptions() []map[string]string {
	all := []map[string]string{{"substitute": "false"}}
	if os.Geteuid() == 0 {
		all = append(all, map[string]string{"substitute": "false", "sandbox": "false", "build-users-group": ""})
	}
	return all
}

// ownImages makes small disk images without Nix.
type ownImages struct{ dir, why string }

func (o ownImages) describe() string { return o.why + ": the demo makes small disk images itself." }

func (o ownImages) release(_ context.Context, a act) (deploy.Nix, error) {
	return &lab.Builder{Dir: o.dir, Servers: a.servers, Revision: a.revision, At: a.at, Pace: 20 * time.Millisecond}, nil
}

// flakeFile is a flake without inputs: its images are made by a shell, offline.
//
//go:embed flake.nix
var flakeFile string

// nixFlake builds the images of the demo's flake with the machine's nix.
type nixFlake struct {
	dir, logs, version string
	options            map[string]string
}

func (n nixFlake) describe() string {
	return "Images are built by nix " + n.version + " from a small flake that needs nothing from outside; it stands in for NixOS."
}

func (n nixFlake) client(options map[string]string) *nix.Client {
	return nix.New(nix.Config{Options: options, LogDir: n.logs, Dir: n.dir})
}

// release writes the flake of an act, and commits it where there is git, so that
// the release has a revision.
func (n nixFlake) release(ctx context.Context, a act) (deploy.Nix, error) {
	servers, err := json.Marshal(a.servers)
	if err != nil {
		return nil, fmt.Errorf("write the demo's flake: %w", err)
	}
	for name, text := range map[string]string{"flake.nix": flakeFile, "servers.json": string(servers)} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			return nil, fmt.Errorf("write the demo's flake: %w", err)
		}
	}
	if _, err := exec.LookPath("git"); err == nil {
		if err := n.commit(ctx, a); err != nil {
			return nil, err
		}
	}
	return n.client(n.options), nil
}

// commit makes the folder a repository, and a commit of what is new in it.
func (n nixFlake) commit(ctx context.Context, a act) error {
	date := a.at.Format(time.RFC3339)
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "--all"},
		{
			"-c", "user.name=snowdrop", "-c", "user.email=demo@example.com", "-c", "commit.gpgSign=false",
			"commit", "--quiet", "--allow-empty", "--message", a.title,
		},
	} {
		cmd := exec.CommandContext(ctx, "git", args...) //nolint:gosec // the arguments stand above
		cmd.Dir = n.dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("commit the demo's flake: git %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}

// try builds one toplevel.
func (n nixFlake) try(ctx context.Context, a act) error {
	builder, err := n.release(ctx, a)
	if err != nil {
		return err
	}
	outputs, err := builder.Evaluate(ctx, []string{".#web-toplevel"})
	if err != nil {
		return fmt.Errorf("evaluate the demo's flake: %w", err)
	}
	if err := builder.Realise(ctx, outputs, nix.Progress{}); err != nil {
		return fmt.Errorf("build the demo's flake: %w", err)
	}
	return nil
}
