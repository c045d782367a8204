// Package workflow is what GitHub's runner gives to an action and takes from it:
// inputs, the event, the log with its commands, outputs and the step summary.
package workflow
