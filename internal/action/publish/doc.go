// Package publish tells a run on GitHub's pages: a check run and a deployment for
// each server, and the pull request's comment.
//
// A reporter is a sink of events that never blocks: it speaks to GitHub from a
// goroutine of its own. Each is independent of the others, and what GitHub does not
// let it write is one warning: a report never changes the outcome of a run.
package publish
