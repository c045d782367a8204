package workflow

import (
	"fmt"
	"os"
	"strings"

	"github.com/sethvargo/go-githubactions"
)

// Outputs writes the step's outputs and its summary to the files that the runner
// names. Where it names none, as outside of a runner, nothing is written.
type Outputs struct {
	getenv func(string) string
	token  func() string
}

// NewOutputs makes Outputs; token makes a new random word at each call.
func NewOutputs(getenv func(string) string, token func() string) *Outputs {
	return &Outputs{getenv: getenv, token: token}
}

// Set writes an output. Between its lines stands a random delimiter: the one that
// the toolkit uses is the same in every program, so that a value from outside could
// end with it and set further outputs.
func (o *Outputs) Set(name, value string) error {
	delimiter := "snowdrop_" + o.token()
	return o.add("output", fmt.Sprintf("%s<<%s\n%s\n%s", name, delimiter, value, delimiter))
}

// maxSummary is how much of a step's summary GitHub takes, in bytes
// (docs.github.com, "Workflow commands": step isolation and limits).
const maxSummary = 1 << 20

// Summary adds markdown to the step's summary. What would make it too large is not
// written and is an error: the runner would drop all of it.
func (o *Outputs) Summary(markdown string) error {
	if at := o.getenv("GITHUB_STEP_SUMMARY"); at != "" {
		if there, err := os.Stat(at); err == nil && there.Size()+int64(len(markdown)) > maxSummary { //nolint:gosec // the runner names the file
			return fmt.Errorf("the step summary would have more than %d bytes", maxSummary)
		}
	}
	return o.add("step-summary", strings.TrimRight(markdown, "\n")+"\n")
}

// add has the toolkit write to one of the runner's files. It panics where it
// cannot.
func (o *Outputs) add(file, message string) (err error) {
	variable := "GITHUB_" + strings.ToUpper(strings.ReplaceAll(file, "-", "_"))
	if o.getenv(variable) == "" {
		return nil
	}
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("write to %s: %v", variable, fault)
		}
	}()
	githubactions.New(githubactions.WithGetenv(o.getenv)).IssueFileCommand(&githubactions.Command{Name: file, Message: message})
	return nil
}
