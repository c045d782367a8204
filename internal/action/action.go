// Package action is the front end of GitHub's runner: inputs and an event in, a use
// case done, and the story told in the log, in checks, in comments, in deployments
// and in the step summary.
package action

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/redact"
)

// IO is what the action reads and writes.
type IO struct {
	// Out is the step's log.
	Out io.Writer
	// Getenv reads the environment.
	Getenv func(string) string
	// Clock spaces out what is written to GitHub; nil is the real one.
	Clock github.Clock
}

// The times that a cancelled run has. GitHub sends SIGINT, SIGTERM 7.5 seconds
// later and SIGKILL 2.5 seconds after that; all has to be told by then.
const (
	// stopGrace is for the use case: to delete the object, write the records and say
	// what state each droplet is in.
	stopGrace = 4 * time.Second
	// tellGrace is for the reports after that.
	tellGrace = 2500 * time.Millisecond
	// tellTime is for the reports of a run that was not cancelled.
	tellTime = 2 * time.Minute
)

// Run does what the workflow asks for and returns the exit code. Nothing is written
// to the log once it has returned: reports that were not done in time are dropped.
func Run(ctx context.Context, stdio IO) int {
	token := rand.Text
	r := &runner{
		getenv:   workflow.Environment(stdio.Getenv),
		commands: workflow.NewCommands(stdio.Out, token),
		outputs:  workflow.NewOutputs(stdio.Getenv, token),
		now:      time.Now,
		clock:    stdio.Clock,
	}
	defer r.commands.Close()
	r.redact = connect.Secrets(r.getenv)
	r.mask(connect.Credentials(r.getenv)...)
	r.redact.Add(tokensOf(r.getenv("NIX_CONFIG"))...)
	r.mask(tokensOf(r.getenv("NIX_CONFIG"))...)
	err := r.run(ctx)
	code := deploy.ExitCode(ctx, err)
	if err != nil && !r.told {
		r.commands.Error(workflow.Place{}, "snowdrop", r.redact.String(err.Error()))
	}
	if fault := giveBack(r.event.Workspace, r.began); fault != nil {
		r.commands.Warning("snowdrop", r.redact.String(fault.Error()))
	}
	return code
}

// runner is one run of the action.
type runner struct {
	getenv   func(string) string
	commands *workflow.Commands
	outputs  *workflow.Outputs
	redact   *redact.Redactor
	now      func() time.Time
	clock    github.Clock

	began  time.Time
	event  workflow.Event
	inputs workflow.Inputs
	fleet  *fleet.Fleet
	order  order
	log    *workflow.Log
	// notUpdated is why the inputs of the cycle's flake were not brought up to date.
	notUpdated error
	// isOpen asks GitHub about a pull request; nil where it cannot be asked.
	isOpen isOpen
	// told says that the error was shown in full.
	told bool
}

func (r *runner) mask(secrets ...string) {
	for _, secret := range secrets {
		r.commands.Mask(secret)
	}
}

func (r *runner) warn(text string) { r.commands.Warning("snowdrop", r.redact.String(text)) }

func (r *runner) run(ctx context.Context) error {
	r.began = r.now()
	if err := r.read(); err != nil {
		return deploy.UsageError{Err: err}
	}
	r.redact.Add(r.tokens()...)
	r.mask(r.tokens()...)
	if r.event.Name == "pull_request" && r.event.Action == "closed" && r.inputs.Command == "" {
		_, _ = fmt.Fprintln(r.commands, "the pull request is closed: there is nothing to plan")
		return nil
	}
	err := r.prepare()
	if err == nil && r.order.preview.idle != "" {
		_, _ = fmt.Fprintln(r.commands, r.order.preview.idle)
		return nil
	}
	r.log = workflow.NewLog(r.commands, r.now)
	if err == nil {
		err = r.atCycle(ctx)
	}
	s := r.newStage(ctx, err)
	if err == nil {
		_, _ = fmt.Fprintf(r.commands, "snowdrop %s: %s, by %s\n", connect.Version(), r.order.command, r.order.why)
		if err = s.perform(ctx); r.notUpdated != nil {
			err = errors.Join(err, r.notUpdated)
		}
	}
	return s.close(ctx, err)
}

// read reads what the runner says.
func (r *runner) read() error {
	var err error
	if r.event, err = workflow.ReadEvent(r.getenv); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	if r.inputs, err = workflow.ReadInputs(r.getenv, r.event.Dispatched); err != nil {
		return fmt.Errorf("read the inputs: %w", err)
	}
	return nil
}

// prepare loads the fleet file and finds out what is to be done.
func (r *runner) prepare() error {
	// What cannot be done at all is said before anything of the repository is read.
	var err error
	if r.order.command, r.order.why, err = chosen(r.event, r.inputs); err != nil {
		return deploy.UsageError{Err: err}
	}
	f, err := fleet.Load(r.configPath())
	if err != nil {
		return deploy.UsageError{Err: err}
	}
	r.fleet = f
	secrets := connect.FileSecrets(f, r.getenv)
	r.redact.Add(secrets...)
	r.mask(secrets...)
	o, err := newOrder(r.event, r.inputs, f)
	if err != nil {
		return deploy.UsageError{Err: err}
	}
	r.order = o
	return nil
}

// configPath is where the fleet file lies: seen from the workspace, which is where
// the runner starts the action.
func (r *runner) configPath() string {
	if filepath.IsAbs(r.inputs.Config) || r.event.Workspace == "" {
		return r.inputs.Config
	}
	if here, err := filepath.Abs("."); err == nil && here == filepath.Clean(r.event.Workspace) {
		return r.inputs.Config // errors name it as people know it
	}
	return filepath.Join(r.event.Workspace, r.inputs.Config)
}

// configDir is the fleet file's folder as GitHub names it, seen from the
// repository's root.
func (r *runner) configDir() string {
	dir := r.inputs.Config
	if rel, err := filepath.Rel(r.event.Workspace, dir); filepath.IsAbs(dir) && err == nil {
		dir = rel
	}
	return path.Dir(filepath.ToSlash(filepath.Clean(dir)))
}

// use does the use case. In a pull request without credentials it is only
// evaluated; what is missing is told.
func (r *runner) use(ctx context.Context, sink event.Sink, ancestry deploy.Ancestry) (outcome, error) {
	options := connect.Options{
		Getenv: r.getenv, Sink: sink, RunURL: r.event.RunURL(), NixConfig: r.nixConfig(), Ancestry: ancestry,
		Redact: r.redact, Learn: func(secret string) { r.mask(secret) },
	}
	if builds(r.order) && emulates(r.inputs.NixConfig, r.fleet.Nix.Options) && !exists("/dev/kvm") {
		sink.Emit(event.Warning{Text: emulation})
	}
	if missing := connect.Missing(r.getenv); len(missing) > 0 && r.order.command == "plan" && r.withoutSecrets() {
		d := connect.Evaluator(r.fleet, options, r.redact)
		result, err := d.Evaluate(ctx, r.order.request)
		return outcome{result: result}, err //nolint:wrapcheck // the use case says what it did
	}
	outside, err := connect.Connect(r.fleet, options)
	if err != nil {
		return outcome{}, deploy.UsageError{Err: fmt.Errorf("%w\n%s", err, r.howToGive())}
	}
	defer func() { _ = outside.SSH.Close() }() // the run has ended
	d := outside.Deployer(r.fleet, options)
	if r.order.preview.verb != "" {
		result, err := r.order.preview.carryOut(ctx, d, r.isOpen)
		return outcome{result: result, preview: true}, err
	}
	return carryOut(ctx, d, r.order)
}

// withoutSecrets says whether GitHub gives no secrets to such a run, by its rules.
func (r *runner) withoutSecrets() bool {
	return r.event.Pull != nil && (r.event.Pull.Fork || r.event.Dependabot())
}

// missing are what could not be known without credentials, and why.
func (r *runner) missing() []string {
	lacking := connect.Missing(r.getenv)
	if len(lacking) == 0 || r.order.command != "plan" || !r.withoutSecrets() {
		return nil
	}
	who := "a pull request from a fork"
	if r.event.Dependabot() {
		who = "a pull request of Dependabot"
	}
	return []string{
		fmt.Sprintf("GitHub gives no secrets to the workflow of %s, so %s are not there.", who, strings.Join(lacking, ", ")),
		"What the servers run now, and which droplets a merge will rebuild, is therefore not known. The images are known from the flake alone.",
	}
}

func (r *runner) howToGive() string {
	return "In a workflow, give them as inputs of the action (`with:`), from secrets of the repository or of the job's environment."
}

// errStillAtWork says that a cancelled use case did not end in time.
var errStillAtWork = errors.New("the run was cancelled and was still at work when the time was up; run it again, it goes on where this stopped")
