package markdown_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/toplevel"
)

const (
	kB = int64(1_000)
	mB = 1_000 * kB
	gB = 1_000 * mB
)

// running is what was deployed before the base of the pull request.
const running = "0b1c2d3e4f5a60718293a4b5c6d7e8f90a1b2c3d"

// webPlan changes everything that can change.
func webPlan() event.ServerPlanned {
	return event.ServerPlanned{
		Subject: on("web"), Action: event.BuildAndRebuild, Batches: [][]string{{"web-1"}, {"web-2"}}, Downtime: 42 * second,
		Packages: &closure.Diff{SizeBefore: 1_900 * mB, SizeAfter: 1_923*mB + 400*kB, Changes: []closure.Change{
			{Name: "curl", Kind: closure.Rebuilt, Before: []string{"8.7.1"}, After: []string{"8.7.1"}, SizeBefore: 300 * kB, SizeAfter: 300 * kB},
			{Name: "curl", Output: "bin", Kind: closure.Rebuilt, Before: []string{"8.7.1"}, After: []string{"8.7.1"}, SizeBefore: 200 * kB, SizeAfter: 210 * kB},
			{Name: "initrd-linux", Kind: closure.Upgraded, Before: []string{"6.6.30"}, After: []string{"6.6.32"}, SizeBefore: 24 * mB, SizeAfter: 25 * mB},
			{Name: "jq", Kind: closure.Added, After: []string{"1.7.1"}, SizeAfter: 1_400 * kB},
			{Name: "linux", Kind: closure.Upgraded, Before: []string{"6.6.30"}, After: []string{"6.6.32"}, SizeBefore: 110 * mB, SizeAfter: 128 * mB},
			{Name: "nginx", Kind: closure.Upgraded, Before: []string{"1.24.0"}, After: []string{"1.26.1"}, SizeBefore: 4 * mB, SizeAfter: 4_600 * kB},
			{Name: "openssh", Kind: closure.Downgraded, Before: []string{"9.8p1"}, After: []string{"9.7p1"}, SizeBefore: 5 * mB, SizeAfter: 4_900 * kB},
			{Name: "perl", Kind: closure.Removed, Before: []string{"5.38.2", "5.40.0"}, SizeBefore: 112 * mB},
		}},
		FromBase: &event.FromBase{Revision: former, Packages: closure.Diff{Estimate: true, Changes: []closure.Change{
			{Name: "curl", Kind: closure.Rebuilt, Before: []string{"8.7.1"}, After: []string{"8.7.1"}},
			{Name: "jq", Kind: closure.Added, After: []string{"1.7.1"}},
		}}},
		System: &toplevel.Diff{
			Units: []toplevel.UnitChange{
				{Name: "nginx.service", Kind: "changed", OnSwitch: "restart", Lines: []string{"-ExecStart=/nix/store/a-nginx-1.24.0/bin/nginx", "+ExecStart=/nix/store/b-nginx-1.26.1/bin/nginx", "+LimitNOFILE=65536"}},
				{Name: "cron.service", Kind: "changed", OnlyVersions: true, OnSwitch: "restart", Lines: []string{"-ExecStart=/nix/store/…-cron-1/bin/cron", "+ExecStart=/nix/store/…-cron-2/bin/cron"}},
				{Name: "old-backup.timer", Kind: "removed"},
				{Name: "report.service", Kind: "added", Lines: []string{"+[Service]"}},
			},
			Components:         []toplevel.Component{{Name: "nixos", Before: "24.05", After: "24.11"}, {Name: "kernel", Before: "6.6.30", After: "6.6.32"}, {Name: "initrd"}},
			PortsOpened:        []string{"tcp 9090"},
			PortsClosed:        []string{"tcp 8080"},
			UsersAdded:         []string{"report"},
			StateVersionBefore: "23.11", StateVersionAfter: "24.05",
			Unknown: []string{"the firewall's rules for IPv6 could not be read"},
		},
		Prune: []event.PlannedImage{{Name: "snowdrop-web-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", Reason: "the 4th newest, 3 are kept"}},
		Keep: []event.PlannedImage{
			{Name: webOld, Reason: "the way back"},
			{Name: "snowdrop-web-1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c1c", Reason: "the 3rd newest of 3 that are kept"},
		},
		Drift: []string{"web-2 was switched by hand to another system after it was verified"},
	}
}

// comparedRun is a plan that knows what changes.
func comparedRun() []at {
	events := planned()
	start := fleetOf("plan", true)
	start.Servers = append(start.Servers, event.Planned{Server: "cache", Droplets: []string{"cache-1"}})
	events = append(events, at{4 * second, start})
	for i, name := range []string{"web-1", "web-2"} {
		events = append(events, at{6 * second, event.DropletFinished{
			Subject: on("web", name), ID: 1 + i, Outcome: event.WouldDo, Before: webOld, State: "would be rebuilt; runs image 7f6g5h4j (12)",
		}})
	}
	events = append(events,
		at{6 * second, webPlan()},
		at{6 * second, event.ServerFinished{
			Subject: on("web"), Outcome: event.WouldDo, Took: 2 * second, Revision: revision, Image: webNew,
			FormerRevision: running, FormerImage: webOld,
		}},
		at{6 * second, event.ServerPlanned{
			Subject: on("db"), Action: event.RebuildOnly, Batches: [][]string{{"db-1"}},
			Packages: &closure.Diff{Estimate: true, Changes: []closure.Change{
				{Name: "postgresql", Kind: closure.Upgraded, Before: []string{"16.2"}, After: []string{"16.3"}},
				{Name: "system-path", Kind: closure.Rebuilt},
			}},
			Unknown: []string{"db was never deployed with a snapshot of its system, so its units could not be compared"},
		}},
		at{6 * second, event.DropletFinished{
			Subject: on("db", "db-1"), ID: 3, Outcome: event.WouldDo, Before: "Ubuntu 24.04", State: `would be rebuilt; runs image "Ubuntu 24.04" (9)`,
		}},
		at{6 * second, event.ServerFinished{Subject: on("db"), Outcome: event.WouldDo, Took: second, Revision: revision}},
		at{6 * second, event.ServerPlanned{Subject: on("mail"), Action: event.DoNothing, Prune: []event.PlannedImage{{Name: "snowdrop-mail-2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d2d", Reason: "the 4th newest, 3 are kept"}}}},
		at{6 * second, event.ServerPlanned{Subject: on("cache"), Action: event.OnlyVerify}},
		at{6 * second, event.DropletFinished{Subject: on("cache", "cache-1"), ID: 9, Outcome: event.WouldVerify, Before: dbOld, State: "would be verified; runs image 9z8y7x6w (8)"}},
		at{6 * second, event.ServerFinished{Subject: on("cache"), Outcome: event.WouldDo, Revision: revision, Image: dbOld, FormerImage: dbOld}},
	)
	events = append(events, unchanged(6*second, "mail", "mail-1")...)
	return append(events,
		at{6 * second, event.FleetPlanned{Before: event.Stored{Images: 9, GB: 16.2, Dollars: 0.97}, After: event.Stored{Images: 8, GB: 14.3, Dollars: 0.86}}},
		at{6 * second, event.RunFinished{Verb: "plan", Took: 6 * second}},
	)
}

// estimatedRun is the plan of somebody who has no credentials, by comparison of the
// derivations with those of the base.
func estimatedRun() []at {
	events := forkRun()
	end := events[len(events)-1]
	events = append(events[:len(events)-1],
		at{3 * second, event.ServerPlanned{
			Subject: on("web"), Action: event.OnlyEvaluated,
			Packages: &closure.Diff{Estimate: true, Changes: []closure.Change{
				{Name: "linux", Kind: closure.Downgraded, Before: []string{"6.6.32"}, After: []string{"6.6.30"}},
				{Name: "nginx", Kind: closure.Upgraded, Before: []string{"1.24.0"}, After: []string{"1.26.1"}},
			}},
			Unknown: []string{"packages are estimated, by comparison with revision 1a2b3c4, and not with what runs"},
		}},
		at{3 * second, event.ServerPlanned{Subject: on("db"), Action: event.OnlyEvaluated, Packages: &closure.Diff{Estimate: true}}},
	)
	return append(events, end)
}

// widePlan is that of 60 servers with 4,000 package changes.
func widePlan() []at {
	events := []at{{0, event.RunStarted{Verb: "plan", DryRun: true, Revision: revision}}}
	kinds := []closure.Kind{closure.Upgraded, closure.Added, closure.Removed, closure.Rebuilt, closure.Downgraded}
	for i := range 60 {
		name := fmt.Sprintf("server-%02d", i)
		diff := closure.Diff{SizeBefore: 2 * gB, SizeAfter: 2*gB + int64(i)*mB}
		for j := range 67 {
			diff.Changes = append(diff.Changes, closure.Change{
				Name: fmt.Sprintf("package-of-some-length-%02d-%02d", i, j), Kind: kinds[j%len(kinds)],
				Before: []string{"1.24.0"}, After: []string{"1.26.1"}, SizeBefore: mB, SizeAfter: mB + int64(j)*100*kB,
			})
		}
		own := closure.Diff{Estimate: true, Changes: slices.Clone(diff.Changes[:40])}
		system := toplevel.Diff{StateVersionBefore: "23.11", StateVersionAfter: "24.05"}
		if i == 57 {
			diff.Changes = append(diff.Changes, closure.Change{Name: "systemd", Kind: closure.Downgraded, Before: []string{"255.6"}, After: []string{"254.10"}})
			system.PortsOpened = []string{"tcp 23"}
		}
		for j := range 20 {
			system.Units = append(system.Units, toplevel.UnitChange{
				Name: fmt.Sprintf("unit-%02d-%02d.service", i, j), Kind: "changed",
				Lines: []string{"-ExecStart=/nix/store/0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a-a/bin/a", "+ExecStart=/nix/store/1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b-a/bin/a"},
			})
		}
		droplets := []string{name + "-a", name + "-b"}
		for _, d := range droplets {
			events = append(events, at{0, event.DropletFinished{Subject: on(name, d), Outcome: event.WouldDo, Before: webOld, State: "would be rebuilt; runs image 7f6g5h4j (12)"}})
		}
		events = append(events,
			at{0, event.ServerPlanned{
				Subject: on(name), Action: event.BuildAndRebuild, Batches: [][]string{droplets[:1], droplets[1:]}, Packages: &diff, System: &system, Downtime: time.Minute,
				FromBase: &event.FromBase{Revision: former, Packages: own},
				Prune:    []event.PlannedImage{{Name: "snowdrop-web-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a", Reason: "the 4th newest, 3 are kept"}},
			}},
			at{0, event.ServerFinished{Subject: on(name), Outcome: event.WouldDo, Revision: revision, FormerRevision: former, FormerImage: webOld, Image: webNew}},
		)
	}
	return append(events, at{second, event.RunFinished{Verb: "plan", Took: second}})
}
