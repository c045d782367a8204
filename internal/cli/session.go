package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/report"
)

// session is one use case on one fleet: the clients and the report.
type session struct {
	*app
	fleet    *fleet.Fleet
	outside  *connect.Outside
	deployer *deploy.Deployer
	report   reader
}

// reader is a report: a sink that has an end.
type reader interface {
	event.Sink
	Close()
}

// silent is the report of a command that prints one document.
type silent struct{}

func (silent) Emit(event.Event) {}
func (silent) Close()           {}

// open loads the fleet file, sees that the servers asked for are in it, and makes
// the clients and the report.
func (a *app) open(req deploy.Request) (*session, error) {
	f, err := fleet.Load(a.config)
	if err != nil {
		return nil, deploy.UsageError{Err: err}
	}
	if _, err := f.Select(req.Servers, req.Cycle); err != nil {
		return nil, deploy.UsageError{Err: err}
	}
	s := &session{app: a, fleet: f, report: a.newReport()}
	options := connect.Options{Getenv: a.io.Getenv, Sink: s.report, Redact: a.redact, RunURL: a.io.Getenv("SNOWDROP_RUN_URL")}
	if s.outside, err = connect.Connect(f, options); err != nil {
		return nil, deploy.UsageError{Err: err}
	}
	s.deployer = s.outside.Deployer(f, options)
	return s, nil
}

// newReport picks how the run is told: JSON, a live view, or plain lines.
func (a *app) newReport() reader {
	o, live := a.options()
	switch {
	case a.document:
		return silent{}
	case a.json:
		return report.NewJSON(a.io.Out, time.Now)
	case live:
		return report.NewTerminal(a.io.Out, o)
	default:
		return report.NewPlain(a.io.Out, o)
	}
}

// close ends the report and the connections.
func (s *session) close() {
	s.report.Close()
	_ = s.outside.SSH.Close()
}

// runFlags are the flags of every command that works on servers.
type runFlags struct {
	servers []string
	cycle   string
	dryRun  bool
	yes     bool
	force   bool
	// revision is a full git revision, or for a rebuild the beginning of one.
	revision string
}

// addSelect adds the flags that choose servers.
func (f *runFlags) addSelect(a *app, c *cobra.Command) {
	c.Flags().StringSliceVarP(&f.servers, "server", "s", nil, "only these servers (may be given several times, or as arguments)")
	c.Flags().StringVar(&f.cycle, "cycle", "", "only the servers of this cycle")
	c.ValidArgsFunction = a.completeServers
	_ = c.RegisterFlagCompletionFunc("server", a.completeServers)
	_ = c.RegisterFlagCompletionFunc("cycle", a.completeCycles)
}

// addJSON adds --json.
func (a *app) addJSON(c *cobra.Command, what string) {
	c.Flags().BoolVar(&a.json, "json", false, what)
}

// addRun adds the flags of a command that changes something.
func (f *runFlags) addRun(a *app, c *cobra.Command) {
	f.addSelect(a, c)
	c.Flags().BoolVarP(&f.dryRun, "dry-run", "n", false, "change nothing, say what would be done")
	a.addJSON(c, "tell what happens as JSON, one event a line")
}

// addRevision adds the flag of the commands that evaluate the flake.
func (f *runFlags) addRevision(c *cobra.Command) {
	c.Flags().StringVar(&f.revision, "revision", "", "the flake at this git revision, given in full, instead of what is checked out")
}

// addYes adds --yes to a command that destroys something.
func (f *runFlags) addYes(c *cobra.Command) {
	c.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask before something is destroyed")
}

func (f *runFlags) request(args []string) deploy.Request {
	return deploy.Request{Servers: append(args, f.servers...), Cycle: f.cycle, DryRun: f.dryRun, Force: f.force, Revision: f.revision}
}

// confirm asks the person at the terminal. Without one there is nobody to ask,
// and nothing is destroyed.
func (s *session) confirm(ctx context.Context, f *runFlags, question string) error {
	if f.yes || f.dryRun {
		return nil
	}
	in, ok := s.io.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) { //nolint:gosec // a file descriptor is a small number
		return deploy.UsageError{Err: fmt.Errorf("%s\nThere is no terminal to ask at: add --yes", question)}
	}
	_, _ = fmt.Fprintf(s.io.Err, "%s\nGo on? [y/N] ", question)
	answer, err := readLine(ctx, in)
	if err != nil {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		return fmt.Errorf("not confirmed: nothing was changed")
	}
}

// readLine reads a line and gives up when ctx ends; the reading goroutine then
// ends with the process.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type read struct {
		line string
		err  error
	}
	done := make(chan read, 1)
	go func() {
		line, err := bufio.NewReader(in).ReadString('\n')
		done <- read{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", fmt.Errorf("nothing was changed: %w", context.Cause(ctx))
	case r := <-done:
		if r.err != nil && r.line == "" {
			return "", fmt.Errorf("no answer, nothing was changed: %w", r.err)
		}
		return r.line, nil
	}
}

func (a *app) completeServers(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	f, err := fleet.Load(a.config)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for name := range f.Servers {
		names = append(names, name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeCycles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	f, err := fleet.Load(a.config)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for name := range f.Cycles {
		names = append(names, name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
