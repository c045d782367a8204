package hub

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Tally is how the check runs of a commit stand, as GitHub sums them up.
type Tally struct {
	// Icon is the worst of them: "failure", "in_progress" or "success"; "" where
	// there are none.
	Icon string
	// Title is the sentence, Details the numbers.
	Title, Details string
}

// Tally sums up check runs.
func (v *view) Tally(checks []Check) Tally {
	if len(checks) == 0 {
		return Tally{}
	}
	counts := map[string]int{}
	for _, k := range checks {
		counts[urgencies()[urgency(k.Outcome())]]++
	}
	var parts []string
	for _, word := range urgencies() {
		if n := counts[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	last := len(parts) - 1
	details := parts[last]
	if last > 0 {
		details = strings.Join(parts[:last], ", ") + " and " + parts[last]
	}
	t := Tally{Icon: "success", Title: "All checks have passed", Details: details + " check"}
	if len(checks) > 1 {
		t.Details += "s"
	}
	failing, cancelled := counts["failing"], counts["cancelled"]
	switch {
	case counts["in progress"]+counts["queued"] > 0:
		t.Icon, t.Title = "in_progress", "Some checks haven't completed yet"
	case failing > 0 && failing+cancelled == len(checks):
		t.Icon, t.Title = "failure", "All checks have failed"
	case failing > 0:
		t.Icon, t.Title = "failure", "Some checks were not successful"
	case cancelled > 0:
		t.Icon, t.Title = "cancelled", "Some checks were cancelled"
	}
	return t
}

// urgencies are what GitHub puts check runs under, in its order.
func urgencies() []string {
	return []string{"failing", "cancelled", "in progress", "queued", "neutral", "skipped", "successful"}
}

// urgency is the place of an outcome among the urgencies.
func urgency(outcome string) int {
	word := map[string]string{
		"success": "successful", "neutral": "neutral", "skipped": "skipped", "cancelled": "cancelled",
		"in_progress": "in progress", "queued": "queued",
	}[outcome]
	return slices.Index(urgencies(), cmp.Or(word, "failing"))
}
