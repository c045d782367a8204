package anywhere

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Stage is how far an installation got, by what nixos-anywhere said.
type Stage int

// The stages. Until Formatting the host's disks are as they were; from Leaving on,
// which is the kexec, it does not run its former system any more.
const (
	Preparing Stage = iota
	Leaving
	Formatting
	Installing
	Rebooting
	Done
)

// stages are the steps that nixos-anywhere announces, by their first words.
func stages() map[string]Stage {
	return map[string]Stage{
		"Switching system into kexec": Leaving,
		"Formatting hard drive":       Formatting,
		"Uploading the system":        Installing,
		"Building the system":         Installing,
		"Copying extra files":         Installing,
		"Installing NixOS":            Installing,
		"Rebooting":                   Rebooting,
		"Waiting for the machine to become unreachable due to reboot": Rebooting,
		"Done!": Done,
	}
}

// ErrHostKey says that the host showed a host key other than those demanded. As
// nixos-anywhere tries for ever, it is stopped at the first such answer.
var ErrHostKey = errors.New("the host showed a host key that is not accepted")

// ErrNoWord says that nixos-anywhere ended well and did not announce its last step:
// what it did is not known. A newer one may use other words.
var ErrNoWord = errors.New("it ended without a word and before its last step")

// FailedError says that an installation did not come to its end.
type FailedError struct {
	// Stage is the last one that was announced, Step its words.
	Stage Stage
	Step  string
	// Last are the last lines of its output.
	Last []string
	// Log is the file with the whole output, or empty.
	Log string
	// Err is why: ErrHostKey, the cause of a context that ended, or what the program
	// ended with.
	Err error
}

// Error says in which step, and what was said last.
func (e *FailedError) Error() string {
	var b strings.Builder
	b.WriteString("nixos-anywhere")
	if e.Step != "" {
		fmt.Fprintf(&b, " in its step %q", e.Step)
	}
	b.WriteString(": " + e.Err.Error())
	for _, line := range e.Last {
		b.WriteString("\n  " + line)
	}
	if e.Log != "" {
		b.WriteString("\nAll that it said is in " + e.Log)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *FailedError) Unwrap() error { return e.Err }

// lastLines is how much of the output an error shows.
const lastLines = 6

// watcher reads the output.
type watcher struct {
	progress Progress
	refused  func()
	stage    Stage
	step     string
	last     []string
}

func (w *watcher) line(line string) {
	if w.progress.Log != nil {
		w.progress.Log(line)
	}
	if text := strings.TrimSpace(line); text != "" {
		w.last = append(w.last[max(0, len(w.last)+1-lastLines):], text)
	}
	// While it reboots, the host is only tried until it does not let in any more; that
	// may be because the new system, with its own keys, was quick.
	if strings.Contains(line, "Host key verification failed.") && w.stage < Rebooting {
		w.refused()
	}
	step, begins := strings.CutPrefix(line, "### ")
	step, ends := strings.CutSuffix(step, " ###")
	if !begins || !ends {
		return
	}
	w.step = step
	for words, stage := range stages() {
		if strings.HasPrefix(step, words) && stage > w.stage {
			w.stage = stage
			if w.progress.Stage != nil {
				w.progress.Stage(stage)
			}
		}
	}
	if w.progress.Step != nil {
		w.progress.Step(step)
	}
}

// failure ends the log, which is kept if the run failed, and says what failed.
func (w *watcher) failure(c *Client, j Job, log *os.File, err error) error {
	_ = log.Close() //nolint:errcheck // see above
	named := ""
	if c.cfg.LogDir != "" {
		named = log.Name()
	}
	if err == nil {
		if named != "" {
			_ = os.Remove(named) //nolint:errcheck // a log too many
		}
		return nil
	}
	if path := (*fs.PathError)(nil); errors.Is(err, exec.ErrNotFound) || errors.As(err, &path) && path.Op == "fork/exec" {
		program := j.Program
		if program == "" {
			program = c.cfg.Nix
		}
		err = fmt.Errorf("there is no program %q that can be run: %w", program, err)
	}
	last := slices.Clone(w.last)
	if errors.Is(err, ErrHostKey) {
		// The rest of what OpenSSH says is about a file that is gone by then.
		last = slices.DeleteFunc(last, func(line string) bool { return !strings.Contains(line, "SHA256:") })
	}
	return &FailedError{Stage: w.stage, Step: w.step, Last: last, Log: named, Err: err}
}
