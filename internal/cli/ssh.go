package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/remote"
)

// exitStatus is the one of a program that was run in our place.
type exitStatus struct {
	code int
	// err is what there is to say beside what the program has said itself; or nil.
	err error
}

func (e exitStatus) Error() string {
	if e.err != nil {
		return e.err.Error()
	}
	return fmt.Sprintf("exit status %d", e.code)
}

func (e exitStatus) Unwrap() error { return e.err }

// sshFailed is how ssh ends when it is ssh that failed, and not the command.
const sshFailed = 255

// sshFlags are those that ssh has too.
type sshFlags struct {
	forwards []string
	agent    bool
	tty      bool
	options  []string
}

func (f *sshFlags) args() []string {
	var args []string
	for _, forward := range f.forwards {
		args = append(args, "-L", forward)
	}
	if f.agent {
		args = append(args, "-A")
	}
	if f.tty {
		args = append(args, "-t")
	}
	for _, option := range f.options {
		args = append(args, "-o", option)
	}
	return args
}

func (f *sshFlags) add(c *cobra.Command) {
	c.Flags().StringArrayVarP(&f.forwards, "forward", "L", nil, "forward a local port, as ssh -L does: PORT:HOST:PORT (may be given several times)")
	c.Flags().BoolVarP(&f.agent, "forward-agent", "A", false, "let the machine use the keys of your agent, as ssh -A does")
	c.Flags().StringArrayVarP(&f.options, "ssh-option", "o", nil, "an option for ssh, as ssh -o takes it: NAME=VALUE (may be given several times)")
}

func (a *app) sshCommand() *cobra.Command {
	var f sshFlags
	c := &cobra.Command{
		Use:     "ssh MACHINE [-- COMMAND [ARG]...]",
		Short:   "Log in to a machine, or run a command on it, with the recorded host keys",
		GroupID: groupLook,
		Long: `Runs ssh with what snowdrop knows of a machine: its address, user and port, the
jump host, the private key, and the host keys of the record. Nothing is read from
~/.ssh/known_hosts, or written to it. The exit status is that of the command, or 255
where ssh itself failed.

MACHINE is a server that has one machine, or SERVER/MACHINE, or the name of a droplet
or host. As with ssh, the machine's shell reads the command.`,
		Example: `  snowdrop ssh web
  snowdrop ssh web/web-2 -- journalctl -u nginx -n 50
  snowdrop ssh web -L 5432:localhost:5432`,
		Args: commandAfterDash,
		RunE: func(c *cobra.Command, args []string) error {
			return a.onMachine(c.Context(), args[0], func(s *session, m deploy.Machine) error {
				return s.ssh(c.Context(), m, f.args(), args[1:])
			})
		},
		ValidArgsFunction: a.completeServers,
	}
	f.add(c)
	c.Flags().BoolVarP(&f.tty, "tty", "t", false, "give the command a terminal, as ssh -t does")
	return c
}

var errNoMachine = errors.New("name a machine: a server, SERVER/MACHINE, or a droplet or host")

// commandAfterDash takes one machine, and after "--" a command.
func commandAfterDash(c *cobra.Command, args []string) error {
	before := len(args)
	if dash := c.ArgsLenAtDash(); dash >= 0 {
		before = dash
	}
	switch {
	case before == 0:
		return errNoMachine
	case before > 1:
		return fmt.Errorf("one machine is named, not %d (%s): put -- before the command", before, strings.Join(args[:before], ", "))
	}
	return nil
}

// onMachine does something on one machine, with nothing told beside what it says
// itself.
func (a *app) onMachine(ctx context.Context, name string, do func(*session, deploy.Machine) error) error {
	a.document = true
	s, err := a.open(deploy.Request{})
	if err != nil {
		return err
	}
	defer s.close()
	m, err := s.deployer.Machine(ctx, name)
	if err != nil {
		return err //nolint:wrapcheck // the use case says what it did
	}
	return do(s, m)
}

// ssh runs the ssh program on a machine, with its own arguments before the
// machine and a command after it. An end that is not well is an exitStatus.
func (s *session) ssh(ctx context.Context, m deploy.Machine, args, command []string) error {
	program, err := exec.LookPath("ssh")
	if err != nil {
		return fmt.Errorf("log in to %s: install OpenSSH's client: %w", m, err)
	}
	// The folder below holds a private key: no closed terminal, Ctrl-\ or second Ctrl-C
	// is to end us before it is gone.
	ctx, stop := endedBy(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer stop()
	keys := m.Target.Keys
	if m.Doubt != "" && !keys.AcceptNewSet {
		if err := s.unlike(ctx, m); err != nil {
			return exitStatus{code: sshFailed, err: err} // as ssh ends, when the machine starts to answer only now
		}
	}
	config, err := s.outside.SSH.OpenSSH(ctx, m.Target)
	if err != nil {
		return fmt.Errorf("log in to %s: %w", m, err)
	}
	defer func() {
		if err := config.Close(); err != nil {
			s.explain(err)
		}
	}()
	seen, err := config.HostKeys(m.Target)
	if err != nil {
		return err //nolint:wrapcheck // it says which machine
	}
	if len(keys.Authorities) == 0 && !slices.Equal(seen, keys.Known) && (len(keys.Known) == 0 || keys.AcceptNewSet) {
		_, _ = fmt.Fprintf(s.io.Err, "snowdrop: the host key of %s is not recorded, and nothing but the network vouches for it: %s\n", m, strings.Join(seen, ", "))
	}
	file := config.Config()
	if terminal(s.io.In) || terminal(s.io.Err) { // ssh asks there, whatever is piped through it
		file = config.Interactive()
	}
	all := append(append([]string{"-F", file}, args...), config.Host(m.Target))
	if len(command) > 0 {
		all = append(append(all, "--"), command...)
	}
	err = s.attached(ctx, exec.CommandContext(ctx, program, all...)) //nolint:gosec // that is what was asked for
	var exit exitStatus
	if errors.As(err, &exit) && exit.code == sshFailed {
		exit.err = s.unlike(ctx, m)
		return exit
	}
	return err
}

// unlike says whether the machine's host key is another than those demanded, in
// better words than ssh, which names a file of ours; nil if it is not, and if that
// could not be seen.
func (s *session) unlike(ctx context.Context, m deploy.Machine) error {
	err := s.deployer.Recognize(ctx, m)
	var other *remote.HostKeyError
	if errors.As(err, &other) {
		return err //nolint:wrapcheck // it says which machine
	}
	return nil
}

// attached runs a program with our input and outputs, and waits for its end also
// when ctx is over: what it was given is removed afterwards.
func (s *session) attached(ctx context.Context, cmd *exec.Cmd) error {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.io.In, s.io.Out, s.io.Err
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err == nil || errors.Is(err, os.ErrProcessDone) {
			return err //nolint:wrapcheck // for Wait alone
		}
		return cmd.Process.Kill() //nolint:wrapcheck // for Wait alone
	}
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", cmd.Path, context.Cause(ctx))
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		return exitStatus{code: exit.ExitCode()}
	default:
		return fmt.Errorf("run %s: %w", cmd.Path, err)
	}
}

// endedBy is a context that ends with ctx, and when one of the signals comes; those
// that are ignored, as under nohup, stay so.
func endedBy(ctx context.Context, signals ...os.Signal) (context.Context, context.CancelFunc) {
	if signals = slices.DeleteFunc(signals, signal.Ignored); len(signals) == 0 {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, signals...)
}

// terminal says whether a stream is one.
func terminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) //nolint:gosec // a file descriptor is a small number
}
