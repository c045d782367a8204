package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/steps/activate"
)

// switchFlags are those of switch beside the common ones.
type switchFlags struct {
	runFlags
	boot, test, dryActivate bool
	sudo, askPassword       bool
	buildHost               string
	substitute              bool
	confirm                 time.Duration
	onServer                bool
	flake                   string
	// old are flags of nixos-rebuild that it has given up itself.
	useRemoteSudo, fast bool
}

func (a *app) switchCommand() *cobra.Command {
	var f switchFlags
	c := &cobra.Command{
		Use:     "switch SERVER...",
		Short:   "Bring servers to another system over SSH, without rebuilding them: nixos-rebuild switch, with a way back",
		GroupID: groupDeploy,
		Long: `Does what nixos-rebuild does with --target-host, for all machines of the servers:
builds the system here or on --build-host, copies its closure to each machine, and
activates it, a batch at a time. Nothing is wiped and nothing boots.

Nobody is locked out: a machine goes back to its former system by itself, unless it
is reached over a new SSH connection within --confirm-timeout. Only then the new
system becomes the one that it boots. A machine that loses its power meanwhile comes
up with the former one. Afterwards it is verified as after a deploy.

A droplet that was switched is shown so by 'status' and 'plan', until the next deploy
replaces it by its image.`,
		Example: `  snowdrop switch web                      # nixos-rebuild switch --flake .#web --target-host …
  snowdrop switch web --build-host builder --sudo --ask-sudo-password
  snowdrop switch web --test               # until it boots
  snowdrop switch web --dry-activate       # says which units would be restarted`,
		Args: needServers(&f.runFlags),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(f.runFlags, args, func(s *session) error {
				req, err := s.switchRequest(c.Context(), &f, args)
				if err != nil {
					return err
				}
				plan, err := s.deployer.PlanSwitch(c.Context(), req)
				if err != nil {
					return err //nolint:wrapcheck // the use case says what it did
				}
				_, err = s.deployer.Switch(c.Context(), plan)
				return a.shown(err)
			})
		},
	}
	f.add(a, c)
	return c
}

func (f *switchFlags) add(a *app, c *cobra.Command) {
	f.addRun(a, c)
	f.addRevision(c)
	flags := c.Flags()
	flags.BoolVar(&f.force, "force", false, "let an older revision replace a newer one")
	flags.BoolVar(&f.boot, "boot", false, "make the system the one that the machines boot next, and activate nothing")
	flags.BoolVar(&f.test, "test", false, "activate it; the next boot brings the former one")
	flags.BoolVar(&f.dryActivate, "dry-activate", false, "build and copy it, and say what an activation would do")
	c.MarkFlagsMutuallyExclusive("boot", "test", "dry-activate")
	flags.StringVar(&f.buildHost, "build-host", "", "build on this machine, as your own ssh reaches it: HOST or USER@HOST")
	flags.BoolVar(&f.substitute, "substitute-on-destination", false, "let the machines fetch from their binary caches what those have, instead of getting it from here")
	flags.BoolVar(&f.sudo, "sudo", false, "become root by sudo, where ssh.user is not root")
	flags.BoolVar(&f.askPassword, "ask-sudo-password", false, "ask for sudo's password, once, at the terminal (implies --sudo)")
	flags.DurationVar(&f.confirm, "confirm-timeout", 0, "how long a machine waits to be reached again before it goes back (default: rollout.confirm-timeout, 60s)")
	flags.BoolVar(&f.onServer, "on-server", false, "let each machine fetch the flake from its git origin and build for itself")
	flags.StringVar(&f.flake, "flake", "", "with --on-server: the flake as the machines fetch it, such as github:acme/infra")
	for _, other := range []string{"build-host", "substitute-on-destination"} {
		c.MarkFlagsMutuallyExclusive("on-server", other)
	}
	flags.BoolVar(&f.useRemoteSudo, "use-remote-sudo", false, "")
	flags.BoolVar(&f.fast, "fast", false, "")
	_ = flags.MarkDeprecated("use-remote-sudo", "nixos-rebuild calls it --sudo now, and so does snowdrop")
	_ = flags.MarkDeprecated("fast", "nixos-rebuild calls it --no-reexec now; snowdrop never builds nixos-rebuild first, so leave it out")
}

func (f *switchFlags) verb() activate.Verb {
	switch {
	case f.boot:
		return activate.Boot
	case f.test:
		return activate.Test
	case f.dryActivate:
		return activate.DryActivate
	default:
		return activate.Switch
	}
}

// switchRequest makes the request of the flags, and asks for the password.
func (s *session) switchRequest(ctx context.Context, f *switchFlags, args []string) (deploy.SwitchRequest, error) {
	req := deploy.SwitchRequest{
		Request: f.request(args), Verb: f.verb(), BuildHost: f.buildHost, Substitute: f.substitute, Confirm: f.confirm,
		Sudo: activate.Sudo{Use: f.sudo || f.useRemoteSudo || f.askPassword},
	}
	if f.confirm < 0 || f.confirm > 0 && f.confirm < time.Second {
		return req, deploy.UsageError{Err: fmt.Errorf("--confirm-timeout %s: a machine cannot be reached in less than a second", f.confirm)}
	}
	if f.flake != "" && !f.onServer {
		return req, deploy.UsageError{Err: errors.New("--flake is for --on-server; elsewhere the fleet file names the flake")}
	}
	if f.onServer {
		var err error
		if req.OnServer, err = s.origin(ctx, f.flake); err != nil {
			return req, err
		}
	}
	if f.askPassword && !f.dryRun {
		password, err := s.password(ctx)
		if err != nil {
			return req, err
		}
		req.Sudo.Password = password
	}
	return req, nil
}

// password asks for sudo's at the terminal, without showing it, before the report
// draws on it. It is taken out of all that is told from then on.
func (s *session) password(ctx context.Context) (string, error) {
	in, ok := s.io.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) { //nolint:gosec // a file descriptor is a small number
		return "", deploy.UsageError{Err: errors.New("--ask-sudo-password: there is no terminal to ask at. Let sudo ask for none " +
			"(NixOS: security.sudo.wheelNeedsPassword = false), or connect as root")}
	}
	_, _ = fmt.Fprint(s.io.Err, "Password for sudo on the servers: ")
	type answer struct {
		text []byte
		err  error
	}
	fd := int(in.Fd()) //nolint:gosec // as above
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for sudo's password: %w", err)
	}
	done := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		done <- answer{text, err}
	}()
	select {
	case <-ctx.Done():
		_ = term.Restore(fd, before) // else the shell would not show what is typed
		_, _ = fmt.Fprintln(s.io.Err)
		return "", fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
	case a := <-done:
		_, _ = fmt.Fprintln(s.io.Err)
		if a.err != nil {
			return "", fmt.Errorf("ask for sudo's password: %w", a.err)
		}
		s.outside.Redact.Add(string(a.text))
		return string(a.text), nil
	}
}
