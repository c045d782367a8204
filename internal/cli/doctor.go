package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/ocean"
	"github.com/versatus/snowdrop/internal/report"
)

func (a *app) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "doctor",
		Short:   "Check everything that a deploy needs, and change nothing",
		GroupID: groupLook,
		Long: `Checks the fleet file, nix, the DigitalOcean token and what it may do, the Space,
the droplets, and whether each of them answers over SSH with the host key that is
expected. Changes nothing.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := fleet.Load(a.config)
			if err != nil {
				return deploy.UsageError{Err: err}
			}
			findings := a.examine(c.Context(), f)
			if a.json {
				if err := a.printJSON(findings); err != nil {
					return err
				}
			} else {
				a.printFindings(findings)
			}
			return findings.err()
		},
	}
	a.addJSON(c, "print the findings as JSON")
	return c
}

// finding is one thing that the doctor looked at.
type finding struct {
	Check string `json:"check"`
	// State is ok, failed, or unknown.
	State string `json:"state"`
	Text  string `json:"text"`
}

type findings []finding

func (f findings) err() error {
	failed := 0
	for _, one := range f {
		if one.State == stateFailed {
			failed++
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d checks failed", failed, len(f))
}

const (
	stateOK      = "ok"
	stateFailed  = "failed"
	stateUnknown = "unknown"
)

func (f *findings) add(check, text string, err error) {
	if err != nil {
		*f = append(*f, finding{check, stateFailed, err.Error()})
		return
	}
	*f = append(*f, finding{check, stateOK, text})
}

// examine looks at everything, whatever it finds on the way.
func (a *app) examine(ctx context.Context, fl *fleet.Fleet) findings {
	var f findings
	f.add("fleet file", fmt.Sprintf("%s, %d server(s)", fl.Path, len(fl.Servers)), nil)
	version, err := connect.Nix(fl).Version(ctx)
	f.add("nix", version, err)
	options := connect.Options{Getenv: a.io.Getenv, Sink: event.Discard(), Redact: a.redact}
	outside, err := connect.Connect(fl, options)
	if err != nil {
		f.add("credentials", "", err)
		return f
	}
	defer func() { _ = outside.SSH.Close() }() // nothing is under way any more
	if outside.Ocean != nil {                  // a fleet without droplets needs no account
		account, err := outside.Ocean.Account(ctx)
		f.add("DigitalOcean", fmt.Sprintf("%s, account %s", account.Email, account.Status), err)
		if err == nil {
			scopes := outside.Ocean.Probe(ctx)
			if fl.Preview != nil {
				scopes = append(scopes, outside.Ocean.ProbePreviews(ctx, len(fl.Preview.SSHKeys) == 0)...)
			}
			for _, r := range scopes {
				f = append(f, scopeFinding(r))
			}
		}
	}
	f.add("Space", fl.Space.Bucket+" can be read and written", outside.Space.Check(ctx))
	for _, one := range outside.Deployer(fl, options).Examine(ctx) {
		f.add(one.What, one.Text, one.Err)
	}
	return f
}

func scopeFinding(r ocean.ScopeResult) finding {
	one := finding{Check: "scope " + r.Scope, State: stateOK, Text: r.For}
	switch {
	case !r.Checked:
		one.State, one.Text = stateUnknown, r.For+" (cannot be tried without changing something)"
	case !r.OK && r.Optional:
		one.State, one.Text = stateUnknown, errors.Join(r.Err).Error()
	case !r.OK:
		one.State, one.Text = stateFailed, r.Err.Error()
	}
	return one
}

func (a *app) printFindings(f findings) {
	o, _ := a.options()
	rows := make([][]string, len(f))
	for i, one := range f {
		rows[i] = []string{one.Check, one.State, one.Text}
	}
	report.Table(a.io.Out, []string{"CHECK", "STATE", "WHAT"}, rows, o)
}
