package markdown

import (
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/report"
)

// Frame is what stands around a story that the run itself does not know.
type Frame struct {
	// Title is what was done, as "snowdrop plan".
	Title string
	// Environment, as production; may be empty.
	Environment string
	// RunURL is the workflow's run. Head and Base are revisions; RepositoryURL is
	// where commits can be seen. Any of them may be empty.
	RunURL, Head, Base, RepositoryURL string
	// Missing is what could not be known or done, and why: a sentence each.
	Missing []string
	// Faults are errors of the run that belong to no server, as those of a fleet
	// file, each of one or more lines.
	Faults []string
	// SummaryURL is where the rest is, when a comment was cut.
	SummaryURL string
}

// summaryLimit is for the step summary, which GitHub limits to 1 MiB.
const summaryLimit = 1_000_000

// Comment tells the run as a comment on a pull request, of 60,000 bytes at most:
// what matters most comes first, so that what does not fit matters least.
func (s *Story) Comment(f Frame) string {
	more := "The rest was too long for a comment."
	if link := linkTo("the run's summary", f.SummaryURL); link != "" {
		more = "The rest was too long for a comment; it is in " + link + "."
	}
	return s.tell(f, more, pageLimit, func(v *view) {
		v.tableLimit, v.warningLimit = pageLimit/2, 20
		v.packageLimit = between(300, pageLimit/3/max(1, v.changing()), pageLimit/4)
		v.errorLimit = between(1_500, pageLimit/2/max(1, v.failing()), 12_000)
	})
}

// Summary tells the run as the step's summary: as the comment, with everything, in
// 1,000,000 bytes at most.
func (s *Story) Summary(f Frame) string {
	const more = "The rest was too long for a summary; the step's log has all of it."
	return s.tell(f, more, summaryLimit, func(v *view) {
		v.whole, v.tableLimit, v.warningLimit = true, summaryLimit/2, 1_000
		v.packageLimit = between(5_000, summaryLimit/4/max(1, v.changing()), summaryLimit/4)
		v.errorLimit = between(10_000, summaryLimit/2/max(1, v.failing()), summaryLimit/2)
	})
}

func between(low, n, high int) int { return min(max(low, n), high) }

// view is how one text tells a run.
type view struct {
	run   *run
	now   time.Time
	frame Frame
	// whole shows all of the evidence; else what failed, and the rest by its name.
	whole bool
	// errorLimit is for one error, tableLimit for the servers' table: in bytes.
	errorLimit, tableLimit int
	// packageLimit is for the packages of one server, and for the lines of its units
	// that change: in bytes.
	packageLimit int
	// warningLimit is how many warnings are listed.
	warningLimit int
	// told are the errors that stand in the text already, with whose they are.
	told map[string]string
}

func (s *Story) tell(f Frame, more string, limit int, set func(*view)) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := &view{run: &s.run, now: s.now(), frame: f, told: map[string]string{}}
	set(v)
	footer := v.footer()
	parts := []string{"## " + v.headline() + "\n", v.caution(), v.faults(), v.warnings(v.risks(v.run.servers), v.run.warnings), v.missing(), v.servers(), v.legend()}
	for _, server := range v.byWeight() {
		parts = append(parts, v.details(server))
	}
	parts = append(parts, v.shared(), v.gantt())
	return Cut(join(parts), limit-len(footer), more) + footer
}

// failing is how many servers have an error to show.
func (v *view) failing() int {
	n := 0
	for _, l := range v.run.servers {
		if l.end().Err != nil {
			n++
		}
	}
	return n
}

// changing is how many servers have changes to show.
func (v *view) changing() int {
	n := 0
	for _, l := range v.run.servers {
		if p := l.planned; p != nil && (p.Packages != nil || p.System != nil) {
			n++
		}
	}
	return n
}

// caution names all disks that a plan would wipe.
func (v *view) caution() string {
	var wiped []string
	for _, l := range v.run.servers {
		wiped = append(wiped, v.run.wipes(l)...)
	}
	return caution(wiped)
}

// cautionLimit is for the names of droplets, in bytes.
const cautionLimit = 6_000

func caution(wiped []string) string {
	if len(wiped) == 0 {
		return ""
	}
	return alert("CAUTION", []string{
		"A rebuild **wipes the disk** of " + plural(len(wiped), "droplet") + ": " + within(wiped, cautionLimit) + ".",
		"What is there is lost: afterwards it holds what the image and the server's `files` hold, and nothing else.",
	})
}

// alert is one of GitHub's, which have a colour and a sign.
func alert(kind string, lines []string) string {
	return "> [!" + kind + "]\n> " + strings.Join(lines, "\n> ") + "\n"
}

// faultLimit is for the run's own errors in a comment, in bytes: the table comes
// after them and has to fit, too.
const faultLimit = 10_000

// faults are the errors that belong to no server.
func (v *view) faults() string {
	all := v.faultTexts()
	limit := faultLimit
	if v.whole {
		limit = summaryLimit / 4
	}
	var parts []string
	for _, text := range all {
		parts = append(parts, fence(elide(cleanLines(text), limit/len(all))))
	}
	return join(parts)
}

func (v *view) faultTexts() []string {
	all := slices.Clone(v.frame.Faults)
	add := func(err error) {
		if err != nil && !v.isTold(err, all) {
			all = append(all, err.Error())
		}
	}
	for _, s := range v.run.fleet.steps {
		add(s.Err)
	}
	// A run's error sums up those of its servers, where there are any.
	if v.run.end != nil && v.failing() == 0 {
		add(v.run.end.Err)
	}
	return slices.DeleteFunc(all, func(text string) bool { return strings.TrimSpace(text) == "" })
}

// isTold says whether an error stands in that of a server or in one of texts.
func (v *view) isTold(err error, texts []string) bool {
	text := err.Error()
	for _, l := range v.run.servers {
		if failed := l.end().Err; failed != nil && strings.Contains(failed.Error(), text) {
			return true
		}
	}
	return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(t, text) })
}

// warningLength is for one warning, in bytes.
const warningLength = 600

func (v *view) warnings(risks []string, all []event.Warning) string {
	var lines []string
	for _, text := range risks {
		lines = append(lines, "- "+text)
	}
	seen := map[string]bool{}
	for _, w := range all {
		text := prose(shorten(oneLine(w.Text), warningLength))
		if w.Server != "" {
			text = code(w.Subject.String()) + ": " + text
		}
		if !seen[text] {
			seen[text] = true
			lines = append(lines, "- "+text)
		}
	}
	if limit := v.warningLimit; limit > 0 && len(lines) > limit {
		lines = append(lines[:limit:limit], "- and "+plural(len(lines)-limit, "further warning"))
	}
	if len(lines) == 0 {
		return ""
	}
	return alert("WARNING", lines)
}

func (v *view) missing() string {
	var lines []string
	for _, text := range v.frame.Missing {
		lines = append(lines, "- "+prose(shorten(oneLine(text), warningLength)))
	}
	if len(lines) == 0 {
		return ""
	}
	return alert("NOTE", lines)
}

// byWeight are the servers, those first whose details are needed most.
func (v *view) byWeight() []*line {
	servers := slices.Clone(v.run.servers)
	slices.SortStableFunc(servers, func(a, b *line) int { return v.weight(a) - v.weight(b) })
	return servers
}

func (v *view) weight(l *line) int {
	const planned, unchanged = 10, 100
	switch v.run.outcome(l) {
	case event.Failed:
		return 0
	case event.RolledBack:
		return 1
	case event.Cancelled:
		return 2
	case event.Unchanged:
		return unchanged
	}
	if v.run.dryRun && l.planned != nil {
		if risks := report.Risks(*l.planned); len(risks) > 0 {
			return planned + risks[0].Rank
		}
	}
	return unchanged - 1
}
