package action_test

import (
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func TestASwitchIsAskedForByHandAndGoesBackByItself(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	e := p.action(t.Context(), "push", "1", push())
	e.demand(t, 0)

	for _, digit := range []string{"2", "3"} {
		check(t, p.hub.AddCommit(hub.Commit{SHA: sha(digit), Parents: []string{sha(string(digit[0] - 1))}, Message: "The next"}))
	}
	system := func(digit string) string {
		return "/nix/store/" + strings.Repeat(digit, 32) + "-nixos-system-web-25.05"
	}
	next := web("b")
	next.System = system("2")
	p.image["web"] = next
	p.checkOut("2", nil)
	dispatch := map[string]any{"inputs": map[string]any{"command": "switch"}}
	e = p.action(t.Context(), "workflow_dispatch", "2", dispatch)
	e.demand(t, 2)
	if !strings.Contains(e.log, "`servers` or `cycle`") {
		t.Errorf("log:\n%s", e.log)
	}
	dispatch["inputs"].(map[string]any)["servers"] = "web"
	e = p.action(t.Context(), "workflow_dispatch", "2", dispatch)
	e.demand(t, 0)
	if e.outputs["changed"] != "true" || !strings.Contains(e.outputs["result"], `"command":"switch"`) {
		t.Errorf("outputs: %v", e.outputs)
	}
	if run := p.checks("2")["snowdrop / web"]; run.Conclusion != "success" || !strings.Contains(run.Summary, "22222222") {
		t.Errorf("the check: %+v", run)
	}

	locked := web("c")
	locked.System, locked.Boot = system("3"), "never"
	p.image["web"] = locked
	p.write("snowdrop.yaml", strings.Replace(fleetFile, "on-failure: rollback", "on-failure: rollback, confirm-timeout: 1s", 1))
	p.checkOut("3", nil)
	e = p.action(t.Context(), "workflow_dispatch", "3", dispatch)
	e.demand(t, 3)
	if run := p.checks("3")["snowdrop / web"]; run.Conclusion != "failure" {
		t.Errorf("the check: %+v", run)
	}
	if e.outputs["changed"] != "false" {
		t.Errorf("outputs: %v", e.outputs)
	}
}
