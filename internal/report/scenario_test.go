package report

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/toplevel"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

const (
	revision = "4f2a91c0d3e8b7a6f5c4d3e2b1a09f8e7d6c5b4a"
	webImage = "/nix/store/1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r6s-web-image"
	dbImage  = "snowdrop-db-9z8y7x6w5v4s3r2q1p0n9m8l7k6j5i4h"
)

// began is when all scenarios begin.
func began() time.Time { return time.Date(2025, 6, 1, 12, 4, 0, 0, time.UTC) }

// at is an event with the time since the beginning.
type at struct {
	after time.Duration
	event event.Event
}

func on(server string, droplet ...string) event.Subject {
	return event.Subject{Server: server, Droplet: strings.Join(droplet, "")}
}

func planned() event.RunStarted {
	return event.RunStarted{Verb: "deploy", Revision: revision, Servers: []event.Planned{
		{Server: "web", Droplets: []string{"web-1", "web-2"}},
		{Server: "db", Droplets: []string{"db-1"}},
		{Server: "mail", Droplets: []string{"mail-1"}},
	}}
}

// good is a run in which web is deployed, db too, and mail has nothing to do.
func goodRun() []at {
	s := time.Second
	return []at{
		{0, planned()},
		{0, event.StepStarted{Subject: on("web"), Step: "build"}},
		{0, event.StepStarted{Subject: on("db"), Step: "build"}},
		{0, event.StepStarted{Subject: on("mail"), Step: "build"}},
		{1 * s, event.Progress{Subject: on("web"), Step: "build", Done: 3, Total: 12, Unit: "builds"}},
		{1 * s, event.Log{Subject: on("web"), Step: "build", Line: "building '/nix/store/x-nginx.conf.drv'..."}},
		{2 * s, event.StepFinished{Subject: on("mail"), Step: "build", Took: 2 * s, Skipped: "custom image 17 has this image"}},
		{2 * s, event.ServerFinished{Subject: on("mail"), Outcome: event.Unchanged, Took: 2 * s, Revision: revision, Detail: "runs this image already, verified"}},
		{3 * s, event.Warning{Subject: on("db"), Step: "build", Text: "the flake is dirty:\nthe revision does not say what is built"}},
		{9 * s, event.StepFinished{Subject: on("db"), Step: "build", Took: 9 * s, Result: "nixos-image-db"}},
		{10 * s, event.StepFinished{Subject: on("web"), Step: "build", Took: 10 * s, Result: "nixos-image-web"}},
		{10 * s, event.StepStarted{Subject: on("web"), Step: "upload"}},
		{11 * s, event.Progress{Subject: on("web"), Step: "upload", Total: 40_000_000, Unit: "bytes"}},
		{13 * s, event.Progress{Subject: on("web"), Step: "upload", Done: 9_100_000, Total: 40_000_000, Unit: "bytes"}},
		{17 * s, event.Progress{Subject: on("web"), Step: "upload", Done: 18_200_000, Total: 40_000_000, Unit: "bytes"}},
		{22 * s, event.Progress{Subject: on("web"), Step: "upload", Done: 40_000_000, Total: 40_000_000, Unit: "bytes"}},
		{22 * s, event.Phase{Subject: on("web"), Step: "upload", Text: "waiting for image 12 (pending)"}},
		{24 * s, event.Phase{Subject: on("web"), Step: "upload", Text: "waiting for image 13 (pending)"}},
		{30 * s, event.StepFinished{Subject: on("web"), Step: "upload", Took: 20 * s, Result: "40 MB as custom image 12"}},
		{30 * s, event.StepStarted{Subject: on("web", "web-1"), Step: "rebuild"}},
		{31 * s, event.Phase{Subject: on("web", "web-1"), Step: "rebuild", Text: "waiting for action 991 (in-progress)"}},
		{50 * s, event.StepFinished{Subject: on("web", "web-1"), Step: "rebuild", Took: 20 * s}},
		{50 * s, event.StepStarted{Subject: on("web", "web-1"), Step: "verify"}},
		{80 * s, event.StepFinished{Subject: on("web", "web-1"), Step: "verify", Took: 30 * s, Result: "14 checks held"}},
		{80 * s, event.DropletFinished{Subject: on("web", "web-1"), ID: 1, Address: "203.0.113.7", Outcome: event.Verified, State: "runs 1b2c3d4f, 14 checks held"}},
		{80 * s, event.StepStarted{Subject: on("web", "web-2"), Step: "rebuild"}},
		{99 * s, event.StepFinished{Subject: on("web", "web-2"), Step: "rebuild", Took: 19 * s}},
		{99 * s, event.DropletFinished{Subject: on("web", "web-2"), ID: 2, Outcome: event.Verified, State: "runs 1b2c3d4f, 14 checks held"}},
		{100 * s, event.ServerFinished{Subject: on("web"), Outcome: event.Verified, Took: 100 * s, Revision: revision, Image: webImage}},
		{101 * s, event.DropletFinished{Subject: on("db", "db-1"), ID: 3, Outcome: event.Verified, State: "runs 9z8y7x6w, 9 checks held"}},
		{101 * s, event.ServerFinished{Subject: on("db"), Outcome: event.Verified, Took: 101 * s, Revision: revision, Image: dbImage}},
		{102 * s, event.RunFinished{Verb: "deploy", Took: 102 * s}},
	}
}

func nothingToDo() []at {
	s := time.Second
	run := []at{{0, planned()}}
	for _, name := range []string{"web", "db", "mail"} {
		run = append(run,
			at{1 * s, event.StepStarted{Subject: on(name), Step: "build"}},
			at{2 * s, event.StepFinished{Subject: on(name), Step: "build", Took: s, Skipped: "custom image 17 has this image"}},
			at{3 * s, event.ServerFinished{Subject: on(name), Outcome: event.Unchanged, Took: 3 * s, Revision: revision}},
		)
	}
	return append(run, at{4 * s, event.RunFinished{Verb: "deploy", Took: 4 * s}})
}

func rolledBack() []at {
	s := time.Second
	evidence := errors.New(`web-1 (203.0.113.7) is not verified after 10m0s: 2 of 14 checks failed
unit nginx.service: want active, got failed (exit-code 1, 5 restarts)
  Jun 01 12:04:33 nginx[411]: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)
  Jun 01 12:04:33 systemd[1]: nginx.service: Failed with result 'exit-code'.
http http://203.0.113.7/healthz: want 200, got connection refused`)
	step := fmt.Errorf("verify web/web-1: %w", evidence)
	server := fmt.Errorf("batch 1 of 2: %w", step)
	return []at{
		{0, planned()},
		{1 * s, event.StepStarted{Subject: on("db"), Step: "build"}},
		{2 * s, event.Log{Subject: on("db"), Step: "build", Line: "\x1b[31;1merror:\x1b[0m builder for '/nix/store/x-db.drv' failed with exit code 2;"}},
		{2 * s, event.Log{Subject: on("db"), Step: "build", Line: "       last 1 log lines:\tmake: *** No rule"}},
		{3 * s, event.StepFinished{Subject: on("db"), Step: "build", Took: 2 * s, Err: errors.New("build db: nix: exit status 1\nread nix log /nix/store/x-db.drv")}},
		{3 * s, event.ServerFinished{Subject: on("db"), Outcome: event.Failed, Took: 3 * s, Revision: revision, Detail: "build failed", Err: errors.New("build db: nix: exit status 1\nread nix log /nix/store/x-db.drv")}},
		{10 * s, event.StepStarted{Subject: on("web", "web-1"), Step: "verify"}},
		{600 * s, event.StepFinished{Subject: on("web", "web-1"), Step: "verify", Took: 590 * s, Err: step}},
		{601 * s, event.StepStarted{Subject: on("web", "web-1"), Step: "rebuild"}},
		{640 * s, event.StepFinished{Subject: on("web", "web-1"), Step: "rebuild", Took: 39 * s, Result: "back on custom image 9"}},
		{660 * s, event.DropletFinished{Subject: on("web", "web-1"), ID: 1, Address: "203.0.113.7", Outcome: event.RolledBack, State: "runs the former image 7f6g5h4j again, verified at 12:15"}},
		{661 * s, event.ServerFinished{Subject: on("web"), Outcome: event.RolledBack, Took: 661 * s, Revision: revision, Image: webImage, Detail: "nginx.service failed on web-1", Err: server}},
		{662 * s, event.ServerFinished{Subject: on("mail"), Outcome: event.Unchanged, Took: 2 * s, Revision: revision}},
		{663 * s, event.RunFinished{
			Verb: "deploy", Took: 663 * s, Err: errors.Join(errors.New("build db: nix: exit status 1\nread nix log /nix/store/x-db.drv"), server),
			Next: []string{"snowdrop ssh web-1 journalctl -u nginx.service", "snowdrop deploy web db"},
		}},
	}
}

func cancelledRun() []at {
	s := time.Second
	cancelled := fmt.Errorf("upload web: %w; the object was removed", context.Canceled)
	return []at{
		{0, planned()},
		{1 * s, event.StepStarted{Subject: on("web"), Step: "upload"}},
		{2 * s, event.Progress{Subject: on("web"), Step: "upload", Done: 4_000_000, Total: 40_000_000, Unit: "bytes"}},
		{3 * s, event.StepStarted{Subject: on("db", "db-1"), Step: "rebuild"}},
		{5 * s, event.StepFinished{Subject: on("web"), Step: "upload", Took: 4 * s, Err: cancelled}},
		{5 * s, event.ServerFinished{Subject: on("web"), Outcome: event.Cancelled, Took: 5 * s, Revision: revision, Err: cancelled}},
		{6 * s, event.DropletFinished{Subject: on("db", "db-1"), ID: 3, Outcome: event.Cancelled, State: "is being rebuilt (action 991), not verified"}},
		{6 * s, event.ServerFinished{Subject: on("db"), Outcome: event.Cancelled, Took: 6 * s, Revision: revision}},
		{6 * s, event.RunFinished{Verb: "deploy", Took: 6 * s, Err: fmt.Errorf("deploy: %w", context.Canceled), Next: []string{"snowdrop deploy"}}},
	}
}

func dryRun() []at {
	s := time.Second
	start := planned()
	start.DryRun = true
	return []at{
		{0, start},
		{0, event.StepStarted{Subject: on("web"), Step: "build"}},
		{1 * s, event.StepFinished{Subject: on("web"), Step: "build", Took: s, Result: "would build nixos-image-web"}},
		{1 * s, event.DropletFinished{Subject: on("web", "web-1"), ID: 1, Outcome: event.WouldDo, State: "would be rebuilt with 1b2c3d4f"}},
		{1 * s, event.DropletFinished{Subject: on("web", "web-2"), ID: 2, Outcome: event.WouldDo, State: "would be rebuilt with 1b2c3d4f"}},
		{1 * s, event.ServerFinished{Subject: on("web"), Outcome: event.WouldDo, Took: s, Revision: revision, Image: webImage}},
		{2 * s, event.ServerFinished{Subject: on("db"), Outcome: event.Unchanged, Took: 2 * s, Revision: revision}},
		{2 * s, event.ServerFinished{Subject: on("mail"), Outcome: event.Unchanged, Took: 2 * s, Revision: revision}},
		{2 * s, event.RunFinished{Verb: "deploy", Took: 2 * s, Next: []string{"snowdrop deploy web"}}},
	}
}

// comparedPlan is a plan that knows what changes.
func comparedPlan() []at {
	s := time.Second
	const mB = 1_000_000
	start := planned()
	start.DryRun, start.Verb = true, "plan"
	return []at{
		{0, event.StepStarted{Step: "plan"}},
		{4 * s, event.StepFinished{Step: "plan", Took: 4 * s}},
		{4 * s, start},
		{4 * s, event.StepStarted{Step: "compare"}},
		{5 * s, event.StepFinished{Step: "compare", Took: s}},
		{5 * s, event.DropletFinished{Subject: on("web", "web-1"), ID: 1, Outcome: event.WouldDo, State: "would be rebuilt; runs image 7f6g5h4j (12)"}},
		{5 * s, event.DropletFinished{Subject: on("web", "web-2"), ID: 2, Outcome: event.WouldDo, State: "would be rebuilt; runs image 7f6g5h4j (12)"}},
		{5 * s, event.ServerPlanned{
			Subject: on("web"), Action: event.BuildAndRebuild, Batches: [][]string{{"web-1"}, {"web-2"}}, Downtime: 42 * s,
			Packages: &closure.Diff{SizeBefore: 1_900 * mB, SizeAfter: 1_923 * mB, Changes: []closure.Change{
				{Name: "acl", Output: "bin", Kind: closure.Upgraded, Before: []string{"2.3.1"}, After: []string{"2.3.2"}},
				{Name: "curl", Kind: closure.Rebuilt, Before: []string{"8.7.1"}, After: []string{"8.7.1"}, SizeBefore: 3 * mB, SizeAfter: 3 * mB},
				{Name: "jq", Kind: closure.Added, After: []string{"1.7.1"}, SizeAfter: 1_400_000},
				{Name: "linux", Kind: closure.Upgraded, Before: []string{"6.6.30"}, After: []string{"6.6.32"}, SizeBefore: 110 * mB, SizeAfter: 128 * mB},
				{Name: "lz4", Kind: closure.Upgraded, Before: []string{"1.9.4"}, After: []string{"1.10.0"}, SizeBefore: 1 * mB, SizeAfter: 1 * mB},
				{Name: "nginx", Kind: closure.Upgraded, Before: []string{"1.24.0"}, After: []string{"1.26.1"}, SizeBefore: 4 * mB, SizeAfter: 4_600_000},
				{Name: "openssh", Kind: closure.Downgraded, Before: []string{"9.8p1"}, After: []string{"9.7p1"}, SizeBefore: 5 * mB, SizeAfter: 4_900_000},
				{Name: "perl", Kind: closure.Removed, Before: []string{"5.38.2", "5.40.0"}, SizeBefore: 112 * mB},
				{Name: "web-config", Kind: closure.Rebuilt},
			}},
			FromBase: &event.FromBase{Revision: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", Packages: closure.Diff{Estimate: true, Changes: []closure.Change{
				{Name: "curl", Kind: closure.Rebuilt, Before: []string{"8.7.1"}, After: []string{"8.7.1"}},
				{Name: "jq", Kind: closure.Added, After: []string{"1.7.1"}},
			}}},
			System: &toplevel.Diff{
				Units: []toplevel.UnitChange{
					{Name: "nginx.service", Kind: "changed", Lines: []string{"-ExecStart=/nix/store/a-nginx-1.24.0/bin/nginx", "+ExecStart=/nix/store/b-nginx-1.26.1/bin/nginx"}},
					{Name: "old-backup.timer", Kind: "removed"},
					{Name: "cron.service", Kind: "changed", OnlyVersions: true, OnSwitch: "restart", Lines: []string{"-ExecStart=/nix/store/…-cron-1/bin/cron", "+ExecStart=/nix/store/…-cron-2/bin/cron"}},
					{Name: "report.service", Kind: "added", Lines: []string{"+[Service]"}},
				},
				Components:  []toplevel.Component{{Name: "nixos", Before: "24.05", After: "24.11"}, {Name: "initrd"}},
				PortsOpened: []string{"tcp 9090"}, PortsClosed: []string{"tcp 8080"}, UsersAdded: []string{"report"}, UsersRemoved: []string{"backup"},
				StateVersionBefore: "23.11", StateVersionAfter: "24.05",
				Unknown: []string{"the firewall's rules for IPv6 could not be read"},
			},
			Prune: []event.PlannedImage{{Name: "snowdrop-web-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", Reason: "the 4th newest, 3 are kept"}},
			Keep:  []event.PlannedImage{{Name: webImage, Reason: "the way back"}},
			Drift: []string{"web-2 was switched by hand to another system after it was verified"},
		}},
		{5 * s, event.ServerFinished{Subject: on("web"), Outcome: event.WouldDo, Took: s, Revision: revision, Image: webImage}},
		{5 * s, event.DropletFinished{Subject: on("db", "db-1"), ID: 3, Outcome: event.WouldDo, State: `would be rebuilt; runs image "Ubuntu 24.04" (9)`}},
		{5 * s, event.ServerPlanned{
			Subject: on("db"), Action: event.RebuildOnly, Batches: [][]string{{"db-1"}},
			Packages: &closure.Diff{Estimate: true, Changes: []closure.Change{{Name: "postgresql", Kind: closure.Upgraded, Before: []string{"16.2"}, After: []string{"16.3"}}}},
			Unknown:  []string{"nothing is recorded of what db runs, so its units could not be compared"},
		}},
		{5 * s, event.ServerFinished{Subject: on("db"), Outcome: event.WouldDo, Took: s, Revision: revision, Image: dbImage}},
		{5 * s, event.ServerPlanned{Subject: on("mail"), Action: event.DoNothing, Keep: []event.PlannedImage{{Name: "snowdrop-mail-2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d", Reason: "runs on mail-1"}}}},
		{5 * s, event.ServerFinished{Subject: on("mail"), Outcome: event.Unchanged, Revision: revision}},
		{5 * s, event.FleetPlanned{Before: event.Stored{Images: 9, GB: 16.2, Dollars: 0.97}, After: event.Stored{Images: 10, GB: 18, Dollars: 1.08}}},
		{5 * s, event.RunFinished{Verb: "plan", Took: 5 * s, Next: []string{"snowdrop deploy"}}},
	}
}

func scenarios() map[string][]at {
	return map[string][]at{
		"good": goodRun(), "nothing": nothingToDo(), "rolled-back": rolledBack(),
		"cancelled": cancelledRun(), "dry-run": dryRun(), "plan": comparedPlan(),
	}
}

// stateAt is what is known of a run after some time.
func stateAt(run []at, after time.Duration) *state {
	s := newState()
	for _, e := range run {
		if e.after <= after {
			s.apply(e.event, began().Add(e.after))
		}
	}
	return s
}

// clock is a clock that stands still until it is set.
type clock struct{ now time.Time }

func (c *clock) read() time.Time { return c.now }

// play gives a run's events to a sink, with the clock at their times.
func play(run []at, c *clock, sink event.Sink) {
	for _, e := range run {
		c.now = began().Add(e.after)
		sink.Emit(e.event)
	}
}
