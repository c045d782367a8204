package markdown

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/versatus/snowdrop/internal/report"
)

// ganttRows is how many bars a time line has at most: more of them nobody reads,
// and GitHub draws no diagram of more than 50,000 characters.
const ganttRows = 80

// ganttWidth gives the diagram a width of its own. Without one, mermaid takes that of
// the element around it (packages/mermaid/src/diagrams/gantt/ganttRenderer.js), which
// has none while the details are closed.
const ganttWidth = `%%{init: {"gantt": {"useWidth": 900}}}%%`

// gantt draws what was done when, for a run that did something.
func (v *view) gantt() string {
	bars := v.run.timeline.Bars(ganttRows)
	if v.run.dryRun || v.run.end == nil || len(bars) < 2 {
		return ""
	}
	lines := []string{ganttWidth, "gantt", "    dateFormat YYYY-MM-DD HH:mm:ss", "    axisFormat %H:%M:%S"}
	section := ""
	for _, b := range bars {
		if name := ganttName(b.Server, "all servers"); name != section {
			section = name
			lines = append(lines, "    section "+name)
		}
		lines = append(lines, "    "+ganttTask(b))
	}
	if v.whole {
		return "Time line, in UTC:\n\n" + fenceOf("mermaid", lines)
	}
	return "<details>\n<summary>Time line, in UTC</summary>\n\n" + fenceOf("mermaid", lines) + "\n</details>\n"
}

// ganttTask is a bar's line. It begins with a sign, lest a word of ours or of a
// droplet's name be taken for one of mermaid's.
func ganttTask(b report.Bar) string {
	mark, tag := "✓", "done"
	if b.Failed {
		mark, tag = "✗", "crit"
	}
	// Whole seconds, of which a bar has one at least: a narrower one is not seen.
	start := b.Start.UTC().Truncate(time.Second)
	seconds := max(1, int(b.End.UTC().Sub(start).Round(time.Second)/time.Second))
	text := strings.TrimSpace(ganttName(b.Step, "") + " " + ganttName(b.Droplet, ""))
	if text == "" {
		text = "all steps"
	}
	return fmt.Sprintf("%s %s :%s, %s, %ds", mark, text, tag, start.Format(time.DateTime), seconds)
}

// ganttName is a name in which nothing means anything to mermaid, where colons end
// a name, signs of numbers and semicolons a line, and HTML is HTML.
func ganttName(name, otherwise string) string {
	name = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_. ", r) {
			return r
		}
		return '_'
	}, shorten(oneLine(name), 60))
	if name = strings.TrimSpace(name); name == "" {
		return otherwise
	}
	return name
}
