package nix

import (
	"fmt"
	"strings"
)

// EvalError says that an installable could not be evaluated.
type EvalError struct {
	// Installable is what was asked for.
	Installable string
	// Message is nix's own, without the trace.
	Message string
	// File is relative to the directory that nix ran in where it lies there,
	// else as nix says; empty where nix names none. Line and Column count from 1.
	File         string
	Line, Column int
	// LogFile holds all that nix printed.
	LogFile string
}

// Error is in one piece what a person needs.
func (e *EvalError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "evaluate %s: ", e.Installable)
	if e.File != "" {
		fmt.Fprintf(&b, "%s:%d:%d: ", e.File, e.Line, e.Column)
	}
	b.WriteString(e.Message)
	writeLog(&b, e.LogFile)
	return b.String()
}

// BuildError says which derivation could not be built.
type BuildError struct {
	// Drv is the derivation that failed, not one that needed it.
	Drv string
	// Reason is nix's own: "failed with exit code 3".
	Reason string
	// Tail is the builder's last lines.
	Tail []string
	// Needed are the derivations that could not be built because of it.
	Needed []string
	// Hint is what to do, where that is known.
	Hint string
	// LogFile holds all that nix printed.
	LogFile string
}

// Error is in one piece what a person needs.
func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build %s: %s", e.Drv, e.Reason)
	if len(e.Needed) > 0 {
		fmt.Fprintf(&b, " (needed for %s)", strings.Join(e.Needed, ", "))
	}
	for _, line := range e.Tail {
		b.WriteString("\n  | " + line)
	}
	if e.Hint != "" {
		b.WriteString("\n" + e.Hint)
	}
	writeLog(&b, e.LogFile)
	return b.String()
}

func writeLog(b *strings.Builder, file string) {
	if file != "" {
		fmt.Fprintf(b, "\nall that nix said: %s", file)
	}
}
