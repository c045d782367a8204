package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/remote"
)

// Dialer reaches machines. *remote.Dialer is one.
type Dialer interface {
	Dial(ctx context.Context, t remote.Target) (*remote.Conn, error)
}

// OnServer lets a machine fetch the flake and build its own system, for machines
// that no builder reaches.
type OnServer struct{ SSH Dialer }

// OnServerIn says what is built on which machine.
type OnServerIn struct {
	Target remote.Target
	// Flake is the flake as the machine fetches it, such as
	// git+ssh://git@github.com/acme/infra; Revision is the commit, empty for the newest.
	Flake, Revision string
	// System is the server's installable; what stands before its # is not used.
	System string
}

// OnServerOut is the system's path in the machine's store.
type OnServerOut struct {
	System   string
	HostKeys []string
}

// String implements fmt.Stringer.
func (o OnServerOut) String() string { return o.System }

// Name implements steps.Step.
func (OnServer) Name() string { return "build" }

// Run builds. Nothing is activated, and nothing but the store's paths is left on the
// machine.
func (s OnServer) Run(ctx context.Context, tell event.Teller, in OnServerIn) (OnServerOut, error) {
	installable, err := in.installable()
	if err != nil {
		return OnServerOut{}, err
	}
	conn, err := s.SSH.Dial(ctx, in.Target)
	if err != nil {
		return OnServerOut{}, err //nolint:wrapcheck // says whom and why
	}
	defer conn.Close() //nolint:errcheck // it has served
	out := OnServerOut{HostKeys: []string{conn.HostKey()}}
	tell.Phase("building %s on the machine", installable)
	// The PATH of a command over SSH may lack what NixOS has. Nobody can be asked for a
	// password or a host key.
	script := `PATH="${PATH:+$PATH:}/run/current-system/sw/bin:/run/wrappers/bin:/usr/bin:/bin"; export PATH; ` +
		`GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes'; export GIT_TERMINAL_PROMPT GIT_SSH_COMMAND; ` +
		`exec nix --extra-experimental-features 'nix-command flakes' build --no-link --json --no-write-lock-file -- ` + quote(installable)
	res, err := conn.Run(ctx, "sh -c "+quote(script), nil)
	if err != nil {
		return out, err //nolint:wrapcheck // says on whom
	}
	for line := range strings.Lines(string(res.Stderr)) {
		tell.Log(strings.TrimRight(line, "\r\n"))
	}
	if res.Exit != 0 {
		return out, onServerError(in, installable, res)
	}
	out.System, err = builtPath(res.Stdout)
	if err != nil {
		return out, fmt.Errorf("build %s on %s: %w", installable, in.Target, err)
	}
	return out, nil
}

// installable is the server's, of the flake at the revision.
func (in OnServerIn) installable() (string, error) {
	_, attribute, ok := strings.Cut(in.System, "#")
	if !ok {
		return "", fmt.Errorf("build on %s: %s is no installable of a flake, so a machine cannot build it by itself", in.Target, in.System)
	}
	flake := in.Flake
	if in.Revision != "" && !strings.Contains(flake, "rev=") {
		sign := "?"
		if strings.Contains(flake, "?") {
			sign = "&"
		}
		flake += sign + "rev=" + in.Revision
	}
	return flake + "#" + attribute, nil
}

// builtPath reads what nix build --json says.
func builtPath(stdout []byte) (string, error) {
	var built []struct {
		Outputs map[string]string `json:"outputs"`
	}
	if err := json.Unmarshal(stdout, &built); err != nil {
		return "", fmt.Errorf("read what nix build --json answered: %w", err)
	}
	if len(built) != 1 || built[0].Outputs["out"] == "" {
		return "", errors.New("nix build --json names no output")
	}
	return built[0].Outputs["out"], nil
}

// onServerError says what nix said last, and what a machine needs to fetch a flake.
func onServerError(in OnServerIn, installable string, res remote.Result) error {
	lines := strings.Split(strings.TrimSpace(string(res.Stderr)), "\n")
	said := strings.Join(lines[max(0, len(lines)-10):], "\n  | ")
	hint := ""
	for _, h := range []struct{ sign, hint string }{
		{"nix: not found", noNix},
		{"nix: command not found", noNix},
		{"executing 'git'", "git is not installed there (NixOS: environment.systemPackages = [ pkgs.git ];)"},
		{"Permission denied (publickey", credentials},
		{"could not read Username", credentials},
		{"Repository not found", credentials},
		{"HTTP error 404", credentials},
		{"Host key verification failed", "the machine does not know the git host's key (NixOS: programs.ssh.knownHosts)"},
		{"No space left on device", "its disk is full: sudo nix-collect-garbage --delete-older-than 14d"},
	} {
		if strings.Contains(string(res.Stderr), h.sign) {
			hint = "\n" + h.hint
			break
		}
	}
	return fmt.Errorf("build %s on %s: nix exited with %d\n  | %s%s", installable, in.Target, res.Exit, said, hint)
}

const (
	noNix       = "there is no nix on it: this is for machines that run NixOS"
	credentials = "the machine itself fetches the flake, as the user of the SSH connection: for a private repository give it a deploy key\n" +
		"(~/.ssh/id_ed25519 there, read access is enough) and a git+ssh:// address, or for github: an access-tokens line in its nix.conf"
)

// quote makes one shell word of a text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
