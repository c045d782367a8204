package action

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// toldInTime waits for the reports, which have seconds left once the run is cancelled,
// be that only now, while the end is told.
func (s *stage) toldInTime(ctx context.Context) bool {
	told := make(chan struct{})
	go func() { s.telling.Wait(); close(told) }()
	if s.waitFor(ctx, told) {
		return true
	}
	if ctx.Err() == nil {
		return false
	}
	if s.github != nil {
		s.github.Hurry()
	}
	select {
	case <-told:
		return true
	case <-time.After(tellGrace):
		return false
	}
}

// waitFor waits for the reports of a run that is not cancelled, and no longer for a GitHub
// that answers nothing.
func (s *stage) waitFor(ctx context.Context, told <-chan struct{}) bool {
	const every = 2 * time.Second
	for range tellTime / every {
		select {
		case <-told:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(every):
		}
		if s.github != nil && s.github.Silent() {
			return false
		}
	}
	return false
}

// frame is what stands around the story in the comment and in the summary.
func (s *stage) frame() markdown.Frame {
	f := markdown.Frame{
		Title: strings.TrimSpace("snowdrop " + s.order.command), Environment: s.environment(), RunURL: s.event.RunURL(),
		Head: s.commit(), RepositoryURL: s.event.RepositoryURL(), SummaryURL: s.event.RunURL(), Missing: s.missing(),
	}
	if s.event.Pull != nil {
		f.Base = s.event.Pull.BaseSHA
	}
	if s.ended != nil {
		f.Faults = []string{s.redact.String(s.ended.Error())}
	}
	return f
}

// annotate tells an error in the log, where the runner makes an annotation of it.
// Places in files are left to the check runs, if GitHub has them: told twice, they
// would stand twice beside the line.
func (s *stage) annotate(err error) {
	if err == nil {
		return
	}
	s.told = true
	if s.checks == nil || !s.checks.Written() {
		for _, a := range s.annotations(err) {
			s.commands.Error(workflow.Place{File: a.Path, Line: a.StartLine, Column: a.StartColumn}, a.Title, a.Message)
		}
	}
	s.commands.Error(workflow.Place{}, "snowdrop "+s.order.command, s.redact.String(err.Error()))
}

// write writes the outputs and the step summary.
func (s *stage) write(ctx context.Context, err error) {
	s.mu.Lock()
	out := s.out
	s.mu.Unlock()
	url := ""
	if s.comment != nil {
		url = s.comment.URL()
	}
	all, fault := outputs(newReport(s.order, out, deploy.ExitCode(ctx, err), err, s.redact.String), out, url)
	for _, name := range OutputNames() {
		value := all[name]
		if name != "changed" { // it is a word of ours, which a secret may be as well
			value = s.redact.String(value)
		}
		fault = errors.Join(fault, s.outputs.Set(name, value))
	}
	if s.inputs.Summary {
		text := s.story.Summary(s.frame())
		if out.status != nil {
			text = statusTable(out.status)
			_, _ = fmt.Fprintln(s.commands, s.redact.String(text))
		}
		fault = errors.Join(fault, s.outputs.Summary(s.redact.String(text)))
	}
	if fault != nil {
		s.warn(fault.Error())
	}
}

// OutputNames are the step's outputs, sorted.
func OutputNames() []string {
	return []string{"changed", "comment-url", "images", "matrix", "release", "result"}
}

// statusTable is what every server runs, in markdown.
func statusTable(status []deploy.ServerStatus) string {
	var b strings.Builder
	b.WriteString("| server | state | revision | image | droplet | runs as recorded |\n|---|---|---|---|---|---|\n")
	for _, s := range status {
		state, revision, image := "not released", "", ""
		if r := s.Record; r != nil {
			state, revision, image = string(r.Outcome), r.Revision, r.CustomImage.Name
		}
		row := []string{s.Name, state, revision, image}
		if s.Fault != "" {
			row = append(row, "", s.Fault)
			writeRow(&b, row)
		}
		for _, d := range s.Droplets {
			runs := d.Drift
			if runs == "" {
				runs = "yes"
			}
			writeRow(&b, append(slices.Clone(row), d.Name, runs))
		}
	}
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	for _, cell := range cells {
		b.WriteString("| " + markdown.Cell(cell) + " ")
	}
	b.WriteString("|\n")
}
