package action_test

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// TestAnOlderCommitDoesNotReplaceANewerOne has two pushes whose workflows run in the
// wrong order, and an ancestor with the later time of the two, as after a rebase: GitHub
// knows better than the times.
func TestAnOlderCommitDoesNotReplaceANewerOne(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("9"), Parents: []string{sha("1")}, Message: "Older, with a later time"}))
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("3"), Parents: []string{sha("9")}, Message: "Newer"}))
	p.checkOut("3", nil)
	p.action(t.Context(), "push", "3", push()).demand(t, 0)
	p.image = map[string]lab.ImageSpec{"web": web("older"), "api": web("older")}
	p.checkOut("9", nil)
	p.lab.ResetRequests()
	late := p.action(t.Context(), "push", "9", push())
	if late.exit == 0 || !strings.Contains(late.log, "descends from 9999999") || late.outputs["changed"] == "true" {
		t.Errorf("exit %d, changed %q:\n%s", late.exit, late.outputs["changed"], late.log)
	}
	for _, r := range p.lab.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
	if c := p.checks("9")["snowdrop / web"]; c.Conclusion != "failure" {
		t.Errorf("the check: %s %q", c.Conclusion, c.Title)
	}
	p.action(t.Context(), "push", "9", push(), "force", "true").demand(t, 0)
	// What descends from it replaces it, whatever its time says.
	p.image = map[string]lab.ImageSpec{"web": web("a"), "api": web("a")}
	p.checkOut("3", nil)
	p.action(t.Context(), "push", "3", push()).demand(t, 0)
}
