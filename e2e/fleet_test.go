//go:build linux && e2e

package e2e

import (
	"context"
	"testing"
)

// TestFleet takes a fleet through its life. Each part goes on from where the one
// before it ended, so a failure ends it all.
func TestFleet(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t, fleetFile, "doctl")
	t.Cleanup(func() { w.project.forget(t) })
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *world)
	}{
		{"the doctor finds everything in order before the first release", doctor},
		{"a first release is verified on real systemd, and its objects are private", firstRelease},
		{"status and verify agree with what the droplets say", statusAndVerify},
		{"a second release boots another system on every droplet", secondRelease},
		{"the same again does nothing", nothingToDo},
		{"a release whose unit fails is rolled back, with its journal as evidence", brokenRelease},
		{"an older revision does not replace a newer one", olderRevision},
		{"an upload that is interrupted leaves nothing behind and touches no droplet", interrupted},
		{"run again, it succeeds, and what nothing needs is pruned", again},
		{"prune removes what a dead run left, and nothing else", pruned},
		{"rollback brings a server back to the release before", rolledBack},
		{"doctl sees the same account", doctlLists},
		{"a droplet that somebody else rebuilt is found out, and rebuilt", drift},
		{"a person's own ssh knows the rebuilt droplets by the records", ownSSH},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, w) }) {
			t.FailNow()
		}
	}
}
