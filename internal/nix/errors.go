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
	// Hint is what to do, where that is known.
	Hint string
	// LogFile holds all that nix said.
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
	writeEnd(&b, e.Hint, e.LogFile)
	return b.String()
}

// BuildError says what could not be built.
type BuildError struct {
	// Drv is the derivation that failed, not one that needed it; empty where
	// the failure is not one derivation's, as of a builder that cannot be reached.
	Drv string
	// Reason is nix's own, such as "failed with exit code 3".
	Reason string
	// Tail is the builder's last lines, ten at most.
	Tail []string
	// Needed are the derivations that could not be built because of it.
	Needed []string
	// Installables are those asked for that are not built because of it, as far
	// as nix said.
	Installables []string
	// Hint is what to do, where that is known.
	Hint string
	// LogFile holds all that nix said.
	LogFile string
}

// Error is in one piece what a person needs.
func (e *BuildError) Error() string {
	var b strings.Builder
	b.WriteString("build")
	if len(e.Installables) > 0 {
		b.WriteString(" " + strings.Join(e.Installables, ", "))
	}
	b.WriteString(": ")
	if e.Drv != "" {
		b.WriteString(displayName(e.Drv) + " ")
	}
	b.WriteString(e.Reason)
	for _, line := range e.Tail {
		b.WriteString("\n  | " + line)
	}
	if e.Drv != "" {
		b.WriteString("\nderivation: " + e.Drv)
	}
	writeEnd(&b, e.Hint, e.LogFile)
	return b.String()
}

func writeEnd(b *strings.Builder, hint, file string) {
	if hint != "" {
		b.WriteString("\n" + hint)
	}
	if file != "" {
		b.WriteString("\nall that nix said: " + file)
	}
}
