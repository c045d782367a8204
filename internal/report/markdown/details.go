package markdown

import (
	"fmt"
	"slices"
	"strings"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report"
)

// details are all that is told of a server. They stand open where somebody has to
// look: where it failed, and where a run was cut off.
func (v *view) details(l *line) string {
	parts := []string{v.droplets(l), v.failure(l), v.evidence(l), v.plan(l)}
	if v.run.isPlan() {
		revision := v.revisions(l) // the table has no column for it
		if revision != "" {
			revision = "Revision " + revision + "\n"
		}
		parts = []string{revision, v.failure(l), v.plan(l), v.droplets(l)}
	}
	parts = append(parts, identity(l))
	if !v.run.isPlan() || v.whole || l.end().Err != nil { // what would be done stands there already
		parts = append(parts, v.steps(append([]*line{l}, l.droplets...)))
	}
	body := join(parts)
	if body == "" {
		return ""
	}
	o := v.run.outcome(l)
	open := ""
	if o == event.Failed || o == event.RolledBack || o == event.Cancelled || v.run.cancelled() {
		open = " open"
	}
	return "<details" + open + ">\n<summary>" + sign(o) + " <b>" + htmlText(l.Server) + "</b>: " +
		htmlText(shorten(v.title(l), titleLimit)) + "</summary>\n\n" + body + "\n</details>\n"
}

// shared are the steps that were done for all servers at once.
func (v *view) shared() string {
	steps := v.steps([]*line{&v.run.fleet})
	if steps == "" {
		return ""
	}
	return "<details>\n<summary>Done for all servers at once</summary>\n\n" + steps + "\n</details>\n"
}

// identity is the custom image by its whole name.
func identity(l *line) string {
	if name := code(l.end().Image); name != "" {
		return "Custom image: " + name + "\n"
	}
	return ""
}

// droplets is a row a droplet: what state it was left in, or is in now.
func (v *view) droplets(l *line) string {
	rows := make([][]string, len(l.droplets))
	for i, d := range l.droplets {
		rows[i] = []string{code(d.Droplet), v.state(l, d), dropletImages(d), proof(d)}
	}
	heads := []string{"Droplet", "State", "Image", "Evidence"}
	return table(withoutEmpty(heads, rows), rows)
}

// stateLimit is for a droplet's state and a step's result, in bytes.
const stateLimit = 400

func (v *view) state(server, d *line) string {
	o := v.run.outcome(server)
	switch {
	case d.droplet != nil:
		state := prose(shorten(oneLine(d.droplet.State), stateLimit))
		if state == "" {
			state = string(d.droplet.Outcome)
		}
		return sign(d.droplet.Outcome) + " " + state
	case len(d.tasks) > 0:
		return sign("") + " " + prose(shorten(d.tasks[len(d.tasks)-1].now(v.now), stateLimit))
	case len(d.steps) > 0 && o == "":
		last := d.steps[len(d.steps)-1]
		if last.Err != nil {
			return sign("") + " " + prose(last.Step) + " failed"
		}
		return sign("") + " " + prose(last.Step) + " is done"
	case !d.began.IsZero():
		return sign(event.Cancelled) + " not known: the run broke off"
	case o == "":
		return sign("") + " waiting"
	default:
		return sign(event.Untouched) + " " + string(event.Untouched)
	}
}

func dropletImages(d *line) string {
	if d.droplet == nil {
		return ""
	}
	before, after := image(d.droplet.Before), image(d.droplet.After)
	if before == "" || after == "" || before == after {
		return before + strings.TrimPrefix(after, before)
	}
	return before + " → " + after
}

// proof is what the last verification of a droplet came to.
func proof(d *line) string {
	if len(d.evidence) == 0 {
		return ""
	}
	e := d.evidence[len(d.evidence)-1]
	text := held(e)
	if boot := clean(e.BootID); boot != "" {
		text += ", boot " + code(boot[:min(8, len(boot))])
	}
	return text
}

func held(e release.Evidence) string {
	failed, all := len(e.Failures()), len(e.Checks)
	switch {
	case all == 0:
		return "nothing was checked"
	case failed == 0 && all == 1:
		return "1 check held"
	case failed == 0:
		return fmt.Sprintf("%d checks held", all)
	default:
		return of(failed, all, "check") + " failed"
	}
}

// failure is a server's error in full, what was printed before it, and the journals
// of failed units that it does not hold.
func (v *view) failure(l *line) string {
	err := l.end().Err
	if err == nil {
		return ""
	}
	lines := cleanLines(err.Error())
	text := strings.Join(lines, "\n")
	if whose := v.told[text]; whose != "" {
		return "The error is that of **" + prose(whose) + "**.\n"
	}
	if v.told != nil {
		v.told[text] = l.Server
	}
	parts := []string{fence(elide(lines, v.errorLimit))}
	for _, at := range append([]*line{&v.run.fleet, l}, l.droplets...) {
		for _, s := range at.steps {
			if s.Err != nil && strings.Contains(text, firstOf(s.Err)) {
				parts = append(parts, v.printed(s, text))
			}
		}
	}
	return join(parts)
}

// cause is the beginning of a step's error, without the step and the subject that
// stand before it.
func cause(s step) string { return cutPrefix(firstOf(s.Err), s) }

func cutPrefix(text string, s step) string {
	return strings.TrimRight(strings.TrimPrefix(text, s.Step+" "+s.Subject.String()+": "), ":")
}

// firstOf is the first line of an error that has something on it.
func firstOf(err error) string {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(clean(line)); line != "" {
			return line
		}
	}
	return ""
}

// printed is the end of what a step that failed has printed, unless its error
// holds that.
func (v *view) printed(s step, text string) string {
	lines := cleanLines(strings.Join(s.tail, "\n"))
	if len(lines) == 0 || strings.Contains(text, strings.TrimSpace(lines[len(lines)-1])) {
		return ""
	}
	return "The last lines that " + code(s.Step) + " printed:\n\n" + fence(elide(lines, v.errorLimit/2))
}

// evidence is what each verification saw.
func (v *view) evidence(l *line) string {
	told := ""
	if err := l.end().Err; err != nil {
		told = strings.Join(cleanLines(err.Error()), "\n")
	}
	var parts []string
	for _, d := range l.droplets {
		for i, e := range d.evidence {
			title := "What was seen on " + code(d.Droplet)
			if i > 0 {
				title += ", after it went back"
			}
			title += ": " + held(e)
			if e.Took > 0 {
				title += " in " + report.Duration(e.Took)
			}
			parts = append(parts, title+"\n", v.checks(e))
			for _, u := range e.Failed {
				parts = append(parts, v.journal(u, told))
			}
		}
	}
	return join(parts)
}

// checks are those of one verification: all of them, or those that failed and the
// names of the others.
func (v *view) checks(e release.Evidence) string {
	var rows [][]string
	var good []string
	for _, c := range e.Checks {
		if c.OK && !v.whole {
			good = append(good, oneLine(c.Name))
			continue
		}
		mark := "✅"
		if !c.OK {
			mark = "❌"
		}
		rows = append(rows, []string{mark, code(c.Name), value(c.Want), value(c.Got)})
	}
	text := ""
	if len(good) > 0 {
		text = "✅ " + within(good, stateLimit) + "\n"
	}
	return join([]string{table([]string{"", "Check", "Wanted", "Seen"}, rows), text})
}

// value is what was wanted or seen: paths and the like as code, words as they are.
func value(text string) string {
	text = shorten(oneLine(text), stateLimit)
	if strings.ContainsAny(text, "/_") && !strings.Contains(text, " ") {
		return code(text)
	}
	return prose(text)
}

// journal is a unit that is not as it should be, with its last lines unless all of
// them are told, in the server's error.
func (v *view) journal(u release.Unit, told string) string {
	title := code(u.Name) + ": " + prose(unitWords(u)) + "\n"
	lines := cleanLines(strings.Join(u.Journal, "\n"))
	if !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(told, line) }) {
		return title
	}
	return title + "\n" + fence(elide(lines, v.errorLimit/2))
}

// steps are the timings, with what came out.
func (v *view) steps(of []*line) string {
	var rows [][]string
	for _, at := range of {
		where := code(at.Droplet)
		if at.Server == "" {
			where = "all servers"
		}
		for _, s := range at.steps {
			rows = append(rows, []string{prose(s.Step), where, report.Duration(s.Took), result(s)})
		}
		for _, t := range at.tasks {
			rows = append(rows, []string{prose(t.step), where, since(t.began, v.now), sign("") + " at work"})
		}
	}
	return table([]string{"Step", "On", "Took", "Result"}, rows)
}

func result(s step) string {
	switch {
	case s.Err != nil:
		return "❌ " + prose(shorten(cause(s), stateLimit/2))
	case s.Skipped != "":
		return "skipped: " + prose(shorten(oneLine(s.Skipped), stateLimit/2))
	default:
		return prose(shorten(oneLine(s.Result), stateLimit/2))
	}
}
