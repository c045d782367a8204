package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/versatus/snowdrop/internal/deploy"
)

// writePlan keeps a plan in a file that only its owner reads. What stood there is
// replaced as a whole.
func writePlan(file string, plan deploy.KeptPlan) error {
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".snowdrop-plan-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, err)
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("keep the plan in %s: %w", file, errors.Join(err, os.Remove(temp.Name())))
	}
	return nil
}

// sayKept says, below all that the report tells, where the plan is.
func (a *app) sayKept(s *session, file string) {
	if !a.json {
		s.report.Close()
		_, _ = fmt.Fprintf(a.io.Out, "\nThe plan is kept in %s. To do exactly this:\n  snowdrop deploy --plan %s\n", file, file)
	}
}

// readPlan reads a plan that writePlan kept.
func readPlan(file string) (deploy.KeptPlan, error) {
	f, err := os.Open(file) //nolint:gosec // the person named it
	if err != nil {
		return deploy.KeptPlan{}, deploy.UsageError{Err: fmt.Errorf("read the plan: %w", err)}
	}
	defer func() { _ = f.Close() }() // it was only read
	plan, err := deploy.ReadPlan(f)
	if err != nil {
		return plan, deploy.UsageError{Err: fmt.Errorf("read the plan %s: %w", file, err)}
	}
	return plan, nil
}
