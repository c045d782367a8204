// Package cli is the front end of the terminal: flags in, a use case done, an
// exit code out.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/redact"
	"github.com/versatus/snowdrop/internal/report"
)

// IO is what a command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv reads the environment.
	Getenv func(string) string
}

// Run runs a command line (without the program's name) and returns its exit code.
func Run(ctx context.Context, args []string, stdio IO) int {
	a := &app{io: stdio, redact: connect.Secrets(stdio.Getenv)}
	root := a.root() //nolint:contextcheck // the commands get the context from cobra
	root.SetArgs(args)
	begun := false
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if err := c.ValidateFlagGroups(); err != nil { // cobra asks after this only
			return err //nolint:wrapcheck // it names the flags
		}
		begun = true
		return nil
	}
	err := root.ExecuteContext(ctx)
	if err != nil && !begun {
		err = deploy.UsageError{Err: err} // no such command, or not such arguments
	}
	if err != nil {
		a.explain(err)
	}
	var program exitStatus
	if errors.As(err, &program) && ctx.Err() == nil {
		return program.code
	}
	return deploy.ExitCode(ctx, err)
}

// root makes the command tree.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "snowdrop",
		Short: "NixOS on DigitalOcean: build, upload, rebuild, verify, prune",
		Long: `snowdrop turns a Nix flake into running DigitalOcean droplets: it builds a NixOS
image for each server of snowdrop.yaml, uploads it, rebuilds the droplets with it,
proves over SSH that the new system started, and deletes what is no longer needed.

Exit codes: 0 done; 1 failed; 2 wrong use or configuration; 3 failed and rolled
back; 4 changes were found (plan --detailed-exitcode); 130 cancelled.`,
		Version:       connect.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.io.In)
	root.SetOut(a.io.Out)
	root.SetErr(a.io.Err)
	root.SetVersionTemplate("snowdrop {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return deploy.UsageError{Err: fmt.Errorf("%w\nSee '%s --help'", err, c.CommandPath())}
	})
	root.PersistentFlags().StringVarP(&a.config, "config", "c", "snowdrop.yaml", "the fleet file")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show every line of the programs that are run")
	root.AddGroup(
		&cobra.Group{ID: groupDeploy, Title: "Deploy:"},
		&cobra.Group{ID: groupLook, Title: "Look:"},
		&cobra.Group{ID: groupStart, Title: "Start and try:"},
	)
	root.AddCommand(
		a.planCommand(), a.deployCommand(), a.buildCommand(), a.rebuildCommand(), a.rollbackCommand(), a.pruneCommand(), a.previewCommand(),
		a.switchCommand(), a.installCommand(),
		a.statusCommand(), a.verifyCommand(), a.doctorCommand(), a.schemaCommand(),
		a.sshCommand(), a.shellCommand(), a.knownHostsCommand(),
		a.initCommand(), a.vmCommand(), a.demoCommand(), a.labCommand(),
	)
	return root
}

const (
	groupDeploy = "deploy"
	groupLook   = "look"
	groupStart  = "start"
)

// shownError is an error that a report has already shown in full.
type shownError struct {
	error
	// json says that it was shown to a program: a person wants to see it too.
	json bool
}

func (e shownError) Unwrap() error { return e.error }

// explain writes an error for a person, unless the report has shown it already.
func (a *app) explain(err error) {
	var shown shownError
	var program exitStatus
	if errors.As(err, &shown) && !shown.json || errors.Is(err, deploy.ErrChanges) || errors.As(err, &program) && program.err == nil {
		return
	}
	_, _ = fmt.Fprintf(a.io.Err, "snowdrop: %s\n", a.redact.String(err.Error()))
}

// app is what the commands share.
type app struct {
	io IO
	// redact knows all secrets of the run that are known so far.
	redact  *redact.Redactor
	config  string
	verbose bool
	json    bool
	// document says that standard output is for one document alone.
	document bool
}

// options are how reports and tables are written to standard output.
func (a *app) options() (report.Options, bool) {
	o, live := report.Detect(a.io.Out, a.io.Getenv)
	o.Verbose = a.verbose
	return o, live
}
