// Package anywhere runs nixos-anywhere, which puts NixOS on a machine that SSH
// reaches, and reduces what it prints to stages, lines and errors. It is run so
// that it accepts no host key but those that it is given.
package anywhere

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Flake is what is run where no program is named.
const Flake = "github:nix-community/nixos-anywhere"

// Config says how nixos-anywhere is run. The zero Config runs it with "nix run" in
// the current directory.
type Config struct {
	// Nix is the nix program; default "nix".
	Nix string
	// Options and Builders are those of the fleet; nix run gets them, and so does
	// every nix that nixos-anywhere runs.
	Options  map[string]string
	Builders string
	// LogDir is where the whole output of a run that failed is kept. Empty: no log.
	LogDir string
	// Dir is the directory that it runs in; relative flakes start there.
	Dir string
	// Env is added to this process's environment, as "NAME=value".
	Env []string
	// Withheld are names of variables of the environment that it does not get, as
	// those of tokens that it has no use for.
	Withheld []string
}

// Client runs nixos-anywhere.
type Client struct{ cfg Config }

// New makes a Client. Nothing is run yet.
func New(cfg Config) *Client {
	cfg.Nix = cmp.Or(cfg.Nix, "nix")
	return &Client{cfg: cfg}
}

// Phase is one of the four parts of an installation.
type Phase string

// The phases, in the order in which nixos-anywhere does those that are asked for.
const (
	Kexec   Phase = "kexec"
	Disko   Phase = "disko"
	Install Phase = "install"
	Reboot  Phase = "reboot"
)

// Phases are all of them, in their order.
func Phases() []Phase { return []Phase{Kexec, Disko, Install, Reboot} }

// ParsePhases reads names that are separated by commas, in any order.
func ParsePhases(text string) ([]Phase, error) {
	asked := map[Phase]bool{}
	for name := range strings.SplitSeq(text, ",") {
		phase := Phase(strings.TrimSpace(name))
		if !slices.Contains(Phases(), phase) {
			return nil, fmt.Errorf("phase %q is none of kexec, disko, install, reboot", string(phase))
		}
		asked[phase] = true
	}
	return slices.DeleteFunc(Phases(), func(p Phase) bool { return !asked[p] }), nil
}

// Join writes phases as ParsePhases reads them.
func Join(phases []Phase) string {
	names := make([]string, len(phases))
	for i, p := range phases {
		names[i] = string(p)
	}
	return strings.Join(names, ",")
}

// BuildOn are the places where nixos-anywhere can build.
func BuildOn() []string { return []string{"auto", "local", "remote"} }

// Job is one installation.
type Job struct {
	// Program is a nixos-anywhere that is there already; empty: nix run fetches it.
	Program string
	// Flake names the configuration, as in ".#web".
	Flake string
	// Phases are those to do; at least one.
	Phases []Phase
	// ExtraFiles is a folder that is copied to the root of the new system, or empty.
	ExtraFiles string
	// CopyHostKeys takes the host keys over to the new system.
	CopyHostKeys bool
	// BuildOn is one of BuildOn; empty: auto.
	BuildOn string
	// KexecPort is where the installer listens after kexec; 0: 22.
	KexecPort int
	// SSH is the way to the host.
	SSH SSH
}

// SSH says how OpenSSH reaches the host.
type SSH struct {
	// Config is the path of a configuration for ssh -F, in a private folder, and
	// Host what the configuration calls the host. It demands known host keys.
	Config, Host string
	// User and Port are those of the first contact.
	User string
	Port int
}

// alias is what nixos-anywhere knows the host by. No such name is ever resolved
// (RFC 6761): an ssh that does not come by our own way finds nobody.
func (s SSH) alias() string { return s.Host + ".invalid" }

// Args are nixos-anywhere's arguments for a job.
func (c *Client) Args(j Job) []string {
	args := []string{
		"--flake", j.Flake,
		"--target-host", j.SSH.User + "@" + j.SSH.alias(),
		"--ssh-port", strconv.Itoa(j.SSH.Port),
		"--phases", Join(j.Phases),
		"--build-on", cmp.Or(j.BuildOn, "auto"),
	}
	if j.KexecPort != 0 {
		args = append(args, "--post-kexec-ssh-port", strconv.Itoa(j.KexecPort))
	}
	if j.ExtraFiles != "" {
		args = append(args, "--extra-files", j.ExtraFiles)
	}
	if j.CopyHostKeys {
		args = append(args, "--copy-host-keys")
	}
	return append(args, c.options()...)
}

// options are the fleet's options of Nix.
func (c *Client) options() []string {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(c.cfg.Options)) {
		args = append(args, "--option", name, c.cfg.Options[name])
	}
	if c.cfg.Builders != "" {
		args = append(args, "--option", "builders", c.cfg.Builders)
	}
	return args
}

// Command is the whole command line of a job.
func (c *Client) Command(j Job) []string {
	if j.Program != "" {
		return append([]string{j.Program}, c.Args(j)...)
	}
	run := []string{c.cfg.Nix, "run", "--extra-experimental-features", "nix-command flakes"}
	return slices.Concat(run, c.options(), []string{Flake, "--"}, c.Args(j))
}
