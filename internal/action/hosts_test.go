package action_test

import (
	"strings"
	"testing"
)

// TestServersOfHostsAreLeftOut: they get no images, so a push brings nothing to
// them, and a check of theirs would stay open.
func TestServersOfHostsAreLeftOut(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write("snowdrop.yaml", strings.Replace(fleetFile, "cycles:\n", "  db: {provider: ssh, cycle: nightly, hosts: [{name: db-1, address: 192.0.2.1}]}\ncycles:\n", 1))
	for event, payload := range map[string]map[string]any{"push": push(), "schedule": {"schedule": "0 3 * * *"}} {
		e := p.action(t.Context(), event, "1", payload)
		e.demand(t, 0)
	}
	checks := p.checks("1")
	if _, ok := checks["snowdrop / db"]; ok || checks["snowdrop / web"].Conclusion != "success" || checks["snowdrop / api"].Conclusion != "success" {
		t.Errorf("checks: %v", checks)
	}
}
