package markdown

import (
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// footer says what the run is one of. It is never cut.
func (v *view) footer() string {
	f := v.frame
	var parts []string
	for _, p := range []struct{ what, value string }{
		{"environment", code(f.Environment)},
		{"base", v.revision(f.Base)},
		{"head", v.revision(f.Head)},
		{"deployed", v.deployed()},
		{"drift", v.drift()},
	} {
		if p.value != "" {
			parts = append(parts, p.what+" "+p.value)
		}
	}
	if v.run.end != nil && v.run.end.Took > 0 {
		parts = append(parts, "took "+report.Duration(v.run.end.Took))
	}
	if link := linkTo("the run", f.RunURL); link != "" {
		parts = append(parts, link)
	}
	if len(parts) == 0 {
		return ""
	}
	return "\n" + strings.Join(parts, " · ") + "\n"
}

// deployedCount is how many revisions the footer names.
const deployedCount = 3

// deployed are the revisions that the servers of a plan run.
func (v *view) deployed() string {
	var all []string
	for _, l := range v.run.servers {
		revision := l.end().FormerRevision
		if revision == "" && v.run.outcome(l) == event.Unchanged {
			revision = l.end().Revision
		}
		if revision != "" && !slices.Contains(all, revision) {
			all = append(all, revision)
		}
	}
	if !v.knowsWhatRuns() || len(all) == 0 {
		return ""
	}
	if len(all) > deployedCount {
		return plural(len(all), "revision")
	}
	words := make([]string, len(all))
	for i, revision := range all {
		words[i] = v.revision(revision)
	}
	return strings.Join(words, ", ")
}

// drift is on how many servers of a plan something else runs than is recorded.
func (v *view) drift() string {
	if !v.knowsWhatRuns() {
		return ""
	}
	drifted := 0
	for _, l := range v.run.servers {
		if l.planned != nil && len(l.planned.Drift) > 0 {
			drifted++
		}
	}
	if drifted == 0 {
		return "none"
	}
	return "on " + of(drifted, len(v.run.servers), "server")
}

// knowsWhatRuns says whether the run is a plan that has seen what the servers run.
func (v *view) knowsWhatRuns() bool {
	return v.run.dryRun && slices.ContainsFunc(v.run.servers, func(l *line) bool {
		return l.planned != nil && l.planned.Action != event.OnlyEvaluated
	})
}
