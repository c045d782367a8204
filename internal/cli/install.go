package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/versatus/snowdrop/internal/anywhere"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/steps/install"
)

// installFlags are those of the command install.
type installFlags struct {
	request deploy.InstallRequest
	phases  string
	yes     bool
}

func (a *app) installCommand() *cobra.Command {
	var f installFlags
	c := &cobra.Command{
		Use:     "install HOST",
		Short:   "Put NixOS on a host that SSH reaches, with nixos-anywhere; wipes its disks",
		GroupID: groupDeploy,
		Long: `Installs the configuration of a server of provider ssh on one of its hosts, whatever
Linux runs there now: looks whether that can work and which disks will be wiped, asks
for the host's name, runs nixos-anywhere, verifies over SSH that the new system runs
well, and records it. From then on 'snowdrop switch', 'verify' and 'status' treat the
host like any other. HOST is a host of the fleet file, or a server that has only one.

The host's keys are demanded all the time; nixos-anywhere itself would accept any.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.request.Host = args[0]
			return a.install(c.Context(), f)
		},
	}
	flags := c.Flags()
	flags.StringVar(&f.request.Job.Program, "nixos-anywhere", "", "this nixos-anywhere (default: nix run "+anywhere.Flake+")")
	flags.StringVar(&f.phases, "phases", anywhere.Join(anywhere.Phases()), "what to do of it")
	flags.StringVar(&f.request.Job.ExtraFiles, "extra-files", "", "copy what is in this folder to the root of the new system")
	flags.BoolVar(&f.request.Job.CopyHostKeys, "copy-host-keys", false, "take the SSH host keys over to the new system")
	flags.StringVar(&f.request.Job.BuildOn, "build-on", "auto", "where to build: auto, local, remote")
	flags.IntVar(&f.request.Job.KexecPort, "post-kexec-ssh-port", 0, "the port on which the installer is reached (default: 22)")
	flags.StringVar(&f.request.User, "ssh-user", "", "who logs in before, if not the user of the fleet file")
	flags.BoolVar(&f.request.Reinstall, "reinstall", false, "also a host that is in use, by what the fleet's records say")
	flags.DurationVar(&f.request.Timeout, "timeout", install.DefaultTimeout, "give up when it is not done by then")
	flags.BoolVarP(&f.request.DryRun, "dry-run", "n", false, "look at the host, change nothing, say what would be done")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask for the host's name before its disks are wiped")
	a.addJSON(c, "tell what happens as JSON, one event a line")
	c.ValidArgsFunction = a.completeHosts
	_ = c.MarkFlagDirname("extra-files")
	_ = c.RegisterFlagCompletionFunc("build-on", cobra.FixedCompletions(anywhere.BuildOn(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// install plans, has the host's name typed, and installs.
func (a *app) install(ctx context.Context, f installFlags) error {
	if err := f.read(); err != nil {
		return deploy.UsageError{Err: err}
	}
	s, err := a.open(deploy.Request{})
	if err != nil {
		return err
	}
	defer s.close()
	plan, err := s.deployer.PlanInstall(ctx, f.request)
	if err != nil {
		return err //nolint:wrapcheck // the use case says what it did
	}
	if f.request.DryRun && !a.json {
		_, _ = fmt.Fprintf(a.io.Out, "%s\nWould run: %s\n", installWords(plan), shellWords(plan.Command))
	}
	if !f.request.DryRun && !f.yes {
		if err := s.askName(ctx, plan); err != nil {
			return err
		}
	}
	_, err = s.deployer.Install(ctx, plan)
	return a.shown(err)
}

// read makes a request of the flags. Paths are those of the person, and not of the
// folder in which nixos-anywhere runs.
func (f *installFlags) read() error {
	job := &f.request.Job
	var errPhases, errFiles, errProgram error
	job.Phases, errPhases = anywhere.ParsePhases(f.phases)
	if job.ExtraFiles != "" {
		job.ExtraFiles, errFiles = filepath.Abs(job.ExtraFiles)
	}
	if strings.ContainsRune(job.Program, filepath.Separator) {
		job.Program, errProgram = filepath.Abs(job.Program)
	}
	var errTime, errPort error
	if f.request.Timeout < time.Minute {
		errTime = fmt.Errorf("--timeout %s: an installation takes minutes", f.request.Timeout)
	}
	if job.KexecPort < 0 || job.KexecPort > 65535 {
		errPort = fmt.Errorf("--post-kexec-ssh-port %d is not a port", job.KexecPort)
	}
	return errors.Join(errPhases, errFiles, errProgram, errTime, errPort)
}

// askName has the host's name typed at the terminal: that is not done by habit, as
// an answer with y is.
func (s *session) askName(ctx context.Context, plan *deploy.InstallPlan) error {
	question := installWords(plan)
	in, ok := s.io.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) { //nolint:gosec // a file descriptor is a small number
		return deploy.UsageError{Err: fmt.Errorf("%s\nThere is no terminal to ask at: add --yes", question)}
	}
	_, _ = fmt.Fprintf(s.io.Err, "%s\nType the host's name, %s, to go on: ", question, plan.Host.Name)
	answer, err := readLine(ctx, in)
	if err != nil {
		return err
	}
	if typed := strings.TrimSpace(answer); typed != plan.Host.Name {
		return fmt.Errorf("%q is not %s: nothing was changed", typed, plan.Host.Name)
	}
	return nil
}

// installWords say what an installation destroys.
func installWords(p *deploy.InstallPlan) string {
	var b strings.Builder
	fmt.Fprintf(&b, "NixOS is to be installed on %s (%s), which runs %s", p.Host.Name, p.Host.Address, p.Facts)
	switch {
	case p.Facts.Installer:
		b.WriteString(", a NixOS installer")
	case p.Facts.System != "":
		b.WriteString(", a NixOS already")
	}
	b.WriteString(".\n")
	switch {
	case p.Certain && len(p.Wiped) == 0:
		b.WriteString("No disk is formatted in these phases.")
		return b.String()
	case p.Certain:
		b.WriteString("These disks will be wiped:\n")
	case len(p.Wiped) == 0:
		b.WriteString("Which disks will be wiped is up to the configuration, and which it has is not known.\n")
	default:
		b.WriteString("Which of its disks will be wiped is up to the configuration; it has:\n")
	}
	for _, d := range p.Wiped {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	b.WriteString("Everything on them is lost and cannot be brought back.")
	return b.String()
}

// shellWords write a command line for a shell.
func shellWords(command []string) string {
	words := make([]string, len(command))
	for i, word := range command {
		if words[i] = word; word == "" || strings.ContainsAny(word, " \t\n'\"\\$`&|;<>()*?[]#~!{}") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func (a *app) completeHosts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	f, err := fleet.Load(a.config)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, s := range f.Servers {
		for _, h := range s.Hosts {
			names = append(names, h.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
