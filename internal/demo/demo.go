// Package demo is a first deployment in a lab, start to end: a release, the same
// again, and one whose unit fails and is rolled back. It checks what it shows: if
// any of it did not happen, it is an error.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/lab"
)

// Report tells a run to whoever watches.
type Report interface {
	event.Sink
	Close()
}

// Options say how the demo is shown.
type Options struct {
	Out    io.Writer
	Getenv func(string) string
	// NewReport makes the report of one deploy.
	NewReport func() Report
	// Serve keeps the lab after the last act, with its pages, until the context ends.
	Serve bool
}

// act is one part of the demo.
type act struct {
	title, text string
	revision    string
	at          time.Time // the revision's
	servers     map[string]lab.ImageSpec
	// check says what did not happen that the act is there to show.
	check func(*deploy.Result, error) error
}

// Run plays all acts. Nothing is left behind, whichever way it ends.
func Run(ctx context.Context, o Options) (err error) {
	started := time.Now()
	dir, err := os.MkdirTemp("", "snowdrop-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	l, err := lab.Start(ctx, lab.Config{Bucket: "acme-nixos", StateDir: dir, Droplets: droplets(), Timings: lab.Fast()})
	if err != nil {
		return fmt.Errorf("start the lab: %w", err)
	}
	defer func() { err = errors.Join(err, l.Close()) }()

	stage, err := prepare(ctx, dir, l, o)
	if err != nil {
		return err
	}
	o.say("A lab runs on this machine: DigitalOcean's API at %s, a Space, and 4 droplets.\n%s\n\nThis is the fleet, snowdrop.yaml:\n\n%s",
		l.APIURL(), stage.source.describe(), indent(fleetFile))
	for i, a := range acts() {
		o.say("\n%d. %s\n   %s\n", i+1, a.title, a.text)
		if err := stage.play(ctx, o, a); err != nil {
			return fmt.Errorf("the demo's part %d (%s): %w", i+1, a.title, err)
		}
	}
	o.say("\nAll of that happened, and was checked, in %s:", time.Since(started).Round(100*time.Millisecond))
	for _, a := range acts() {
		o.say("  - %s", a.title)
	}
	if o.Serve {
		o.say("\nThis is how GitHub shows it, until you press Ctrl-C:\n  %s", stage.forge.page())
		<-ctx.Done()
		return nil
	}
	o.say("\nNext:\n  snowdrop demo --serve   # the same, and the pages on which GitHub would show it\n  snowdrop init      # write a snowdrop.yaml for your own flake\n  snowdrop lab       # a lab like this one that stays, to try things in\n  snowdrop --help")
	return nil
}

func (o Options) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.Out, format+"\n", args...)
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

// stage is the demo's fleet in its lab.
type stage struct {
	fleet  *fleet.Fleet
	lab    *lab.Lab
	forge  *forge
	source source
	getenv func(string) string
}

// prepare writes the fleet file and finds out what builds the images.
func prepare(ctx context.Context, dir string, l *lab.Lab, o Options) (*stage, error) {
	project := filepath.Join(dir, "project")
	if err := os.Mkdir(project, 0o700); err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	file := filepath.Join(project, "snowdrop.yaml")
	if err := os.WriteFile(file, []byte(fleetFile), 0o600); err != nil {
		return nil, fmt.Errorf("write the demo's fleet file: %w", err)
	}
	f, err := fleet.Load(file)
	if err != nil {
		return nil, fmt.Errorf("load the demo's fleet file: %w", err)
	}
	forge, err := newForge(l)
	if err != nil {
		return nil, err
	}
	return &stage{fleet: f, lab: l, forge: forge, getenv: environment(l, o.Getenv), source: chooseSource(ctx, project, acts()[0])}, nil
}

// environment is that of the lab, and of the demo's one secret; the rest comes
// from the real one, but for the credentials: the demo must not be able to reach
// a real account.
func environment(l *lab.Lab, real func(string) string) func(string) string {
	env := map[string]string{
		"DIGITALOCEAN_TOKEN": "", "GITHUB_TOKEN": "", "SSH_AUTH_SOCK": "",
		connect.EnvPoll: "100ms",
		"API_KEY":       "correct-horse-battery-staple",
	}
	for _, line := range l.Env() {
		name, value, _ := strings.Cut(line, "=")
		env[name] = value
	}
	return func(name string) string {
		if v, ok := env[name]; ok {
			return v
		}
		return real(name)
	}
}

// play deploys one act's release and checks what came of it.
func (s *stage) play(ctx context.Context, o Options, a act) error {
	builder, err := s.source.release(ctx, a)
	if err != nil {
		return err
	}
	report := o.NewReport()
	defer report.Close()
	options := connect.Options{Getenv: s.getenv, Sink: withoutNext(report), Nix: builder, RunURL: "https://example.com/runs/demo"}
	outside, err := connect.Connect(s.fleet, options)
	if err != nil {
		return fmt.Errorf("connect to the lab: %w", err)
	}
	defer func() { _ = outside.SSH.Close() }() // the run has ended
	plan, err := outside.Deployer(s.fleet, options).Plan(ctx, deploy.Request{})
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if err := s.propose(ctx, a, plan, outside, options); err != nil {
		return err
	}
	github, told := s.forge.tell(ctx, "deploy", plan)
	options.Sink = event.Tee(options.Sink, github)
	result, err := outside.Deployer(s.fleet, options).Deploy(ctx, plan)
	told()
	if ctx.Err() != nil {
		return err //nolint:wrapcheck // the use case says that it was cancelled
	}
	if fault := a.check(result, err); fault != nil {
		return fmt.Errorf("%w (the deploy's error: %w)", fault, orNone(err))
	}
	return nil
}

// propose opens the pull request of a release that is new, plans it there, and
// merges it.
func (s *stage) propose(ctx context.Context, a act, plan *deploy.Plan, outside *connect.Outside, options connect.Options) error {
	commit := plan.Revision
	if commit == "" {
		commit = a.revision // there is no git on this machine
	}
	if commit == s.forge.newest || len(plan.Pending()) == 0 {
		return nil
	}
	if err := s.forge.propose(a, commit); err != nil {
		return err
	}
	var told func()
	options.Sink, told = s.forge.tell(ctx, "plan", plan)
	deployer := outside.Deployer(s.fleet, options)
	preview, err := deployer.Plan(ctx, deploy.Request{Preview: true})
	if err == nil {
		_, err = deployer.Preview(ctx, preview)
	}
	told()
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	return s.forge.merge()
}

// withoutNext leaves out the commands that are worth typing next: they would not
// reach the demo's lab, which is gone by then.
func withoutNext(next event.Sink) event.Sink {
	return event.SinkFunc(func(e event.Event) {
		if done, ok := e.(event.RunFinished); ok {
			done.Next = nil
			e = done
		}
		next.Emit(e)
	})
}

var errNone = errors.New("none")

func orNone(err error) error {
	if err == nil {
		return errNone
	}
	return err
}
