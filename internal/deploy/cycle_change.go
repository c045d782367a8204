package deploy

import (
	"fmt"
	"strings"

	"github.com/versatus/snowdrop/internal/nix"
)

// change is what moved in a lock file, in words.
type change struct {
	path  string
	moved []nix.Moved
	// lines are one for each input that moved, and one for those of inputs.
	lines []string
}

func newChange(path string, lock, former nix.Lock) change {
	moved, others := lock.Since(former)
	c := change{path: path, moved: moved}
	for _, m := range moved {
		c.lines = append(c.lines, m.String())
	}
	if others > 0 {
		c.lines = append(c.lines, "inputs of inputs: "+fmt.Sprint(others)+" moved")
	}
	return c
}

// what names the inputs, as far as a line has room for them.
func (c change) what() string {
	var names []string
	for _, m := range c.moved {
		names = append(names, m.Input)
	}
	switch {
	case len(names) == 0:
		return "inputs of inputs"
	case len(names) > 4:
		return plural(len(names), "input")
	}
	return list(names)
}

func (c change) title() string { return "Update " + c.what() }

// message is the commit's.
func (c change) message(trailer string) string {
	return fmt.Sprintf("%s: update %s\n\n- %s\n\n%s", c.path, c.what(), strings.Join(c.lines, "\n- "), trailer)
}

// body is the pull request's text. fleetFile is empty for the default one.
func (c change) body(cycle, fleetFile, into string) string {
	var b strings.Builder
	for i, line := range c.lines {
		b.WriteString("- " + line)
		if i < len(c.moved) {
			if page := c.moved[i].Page(); page != "" {
				b.WriteString(" ([what is new](" + page + "))")
			}
		}
		b.WriteByte('\n')
	}
	cycle = "`" + cycle + "`"
	if fleetFile != "" {
		cycle += " in `" + fleetFile + "`"
	}
	fmt.Fprintf(&b, "\nThe release cycle %s of [snowdrop](https://github.com/versatus/snowdrop) keeps this branch up to date. "+
		"Once it is merged into `%s`, the next run of the cycle deploys it.\n", cycle, into)
	return b.String()
}
