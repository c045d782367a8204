package markdown_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

const (
	former   = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
	revision = "4f2a91c0d3e8b7a6f5c4d3e2b1a09f8e7d6c5b4a"
	webOld   = "snowdrop-web-7f6g5h4j3k2l1m0n9p8q7r6s5v4w3x2y"
	webNew   = "snowdrop-web-1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r6s"
	dbOld    = "snowdrop-db-9z8y7x6w5v4s3r2q1p0n9m8l7k6j5i4h"
	second   = time.Second
)

func began() time.Time { return time.Date(2026, 6, 1, 12, 4, 0, 0, time.UTC) }

// at is an event with the time since the beginning.
type at struct {
	after time.Duration
	event event.Event
}

func on(server string, droplet ...string) event.Subject {
	return event.Subject{Server: server, Droplet: strings.Join(droplet, "")}
}

// tell is the story of a run, and sets the clock to each event's time; from then on
// it stands still.
func tell(events []at) *markdown.Story {
	now := began()
	story := markdown.NewStory(func() time.Time { return now })
	for _, e := range events {
		now = began().Add(e.after)
		story.Emit(e.event)
	}
	return story
}

// until are the events of the first part of a run.
func until(events []at, after time.Duration) []at {
	i := slices.IndexFunc(events, func(e at) bool { return e.after > after })
	if i < 0 {
		return events
	}
	return events[:i]
}

func frame(title string) markdown.Frame {
	return markdown.Frame{
		Title: title, Environment: "production", Head: revision, Base: former,
		RunURL: "https://github.com/acme/fleet/actions/runs/77", SummaryURL: "https://github.com/acme/fleet/actions/runs/77",
		RepositoryURL: "https://github.com/acme/fleet",
	}
}

func fleetOf(verb string, dryRun bool) event.RunStarted {
	return event.RunStarted{Verb: verb, Revision: revision, DryRun: dryRun, Servers: []event.Planned{
		{Server: "web", Droplets: []string{"web-1", "web-2"}},
		{Server: "db", Droplets: []string{"db-1"}},
		{Server: "mail", Droplets: []string{"mail-1"}},
	}}
}

func planned() []at {
	return []at{
		{0, event.StepStarted{Step: "plan"}},
		{1 * second, event.Phase{Step: "plan", Text: "evaluating 3 servers, asking DigitalOcean and the Space"}},
		{4 * second, event.Warning{Step: "plan", Text: "droplet db-1 (3) of server db is powered off: if it does not start with the rebuild, power it on"}},
		{4 * second, event.StepFinished{Step: "plan", Took: 4 * second}},
	}
}

// unchanged is a server to which nothing was done.
func unchanged(after time.Duration, server string, droplets ...string) []at {
	var events []at
	for i, d := range droplets {
		events = append(events, at{after, event.DropletFinished{
			Subject: on(server, d), ID: 40 + i, Outcome: event.Unchanged, Before: "snowdrop-" + server + "-0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r",
			State: "runs image 0a1b2c3d (17), verified earlier",
		}})
	}
	return append(events, at{after, event.ServerFinished{
		Subject: on(server), Outcome: event.Unchanged, Revision: revision,
		FormerRevision: former, FormerImage: "snowdrop-" + server + "-0a1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r",
	}})
}

func planRun() []at {
	events := planned()
	events = append(events, at{4 * second, fleetOf("plan", true)},
		at{4 * second, event.StepStarted{Step: "build"}},
		at{5 * second, event.StepFinished{Step: "build", Took: second, Result: "would build or fetch nixos-image-web, nixos-image-db"}})
	for i, name := range []string{"web-1", "web-2"} {
		events = append(events, at{6 * second, event.DropletFinished{
			Subject: on("web", name), ID: 1 + i, Outcome: event.WouldDo, Before: webOld, State: "would be rebuilt; runs image 7f6g5h4j (12)",
		}})
	}
	events = append(events,
		at{6 * second, event.ServerFinished{
			Subject: on("web"), Outcome: event.WouldDo, Took: 2 * second, Revision: revision, Image: webNew,
			FormerRevision: former, FormerImage: webOld,
		}},
		at{6 * second, event.DropletFinished{
			Subject: on("db", "db-1"), ID: 3, Outcome: event.WouldDo, Before: "Ubuntu 24.04", State: `would be rebuilt; runs image "Ubuntu 24.04" (9)`,
		}},
		at{6 * second, event.ServerFinished{Subject: on("db"), Outcome: event.WouldDo, Took: second, Revision: revision}},
	)
	events = append(events, unchanged(6*second, "mail", "mail-1")...)
	return append(events, at{6 * second, event.RunFinished{Verb: "plan", Took: 6 * second, Next: []string{"snowdrop deploy"}}})
}

func nothingToDo() []at {
	events := append(until(planned(), second), at{2 * second, event.StepFinished{Step: "plan", Took: 2 * second}}, at{2 * second, fleetOf("plan", true)})
	events = append(events, unchanged(2*second, "web", "web-1", "web-2")...)
	events = append(events, unchanged(2*second, "db", "db-1")...)
	events = append(events, unchanged(2*second, "mail", "mail-1")...)
	return append(events, at{2 * second, event.RunFinished{Verb: "plan", Took: 2 * second}})
}

func held(boot string) release.Evidence {
	e := release.Evidence{Took: 12 * second, BootID: boot, System: "/nix/store/abc-nixos-system-web", State: "running", Checks: []release.Check{
		{Name: "boot", OK: true, Want: "another boot", Got: boot},
		{Name: "system", OK: true, Want: "/nix/store/abc-nixos-system-web", Got: "/nix/store/abc-nixos-system-web"},
		{Name: "state", OK: true, Want: "running", Got: "running"},
		{Name: "unit nginx.service", OK: true, Want: "active", Got: "active"},
		{Name: "http http://203.0.113.7/healthz?a=1|2", OK: true, Want: "status 200", Got: "status 200"},
		{Name: "soak", OK: true, Want: "10s", Got: "10s"},
	}}
	return e
}

// change is one droplet that is rebuilt and verified.
func change(start time.Duration, server, droplet, boot string) []at {
	return []at{
		{start, event.StepStarted{Subject: on(server, droplet), Step: "rebuild"}},
		{start + second, event.Phase{Subject: on(server, droplet), Step: "rebuild", Text: "waiting for rebuild of droplet 1, action 991 (in-progress)"}},
		{start + 20*second, event.StepFinished{Subject: on(server, droplet), Step: "rebuild", Took: 20 * second, Result: "on image " + webNew + " (13), rebuilt in 20s"}},
		{start + 20*second, event.StepStarted{Subject: on(server, droplet), Step: "boot"}},
		{start + 30*second, event.StepFinished{Subject: on(server, droplet), Step: "boot", Took: 10 * second, Result: "boot " + boot}},
		{start + 30*second, event.StepStarted{Subject: on(server, droplet), Step: "verify"}},
		{start + 31*second, event.Phase{Subject: on(server, droplet), Step: "verify", Text: "soak for 10s"}},
		{start + 42*second, event.StepFinished{Subject: on(server, droplet), Step: "verify", Took: 12 * second}},
		{start + 42*second, event.Evidence{Subject: on(server, droplet), Evidence: held(boot)}},
	}
}

// imported is a server whose image is built and uploaded.
func imported(server string) []at {
	return []at{
		{4 * second, event.StepStarted{Step: "build"}},
		{5 * second, event.Progress{Step: "build", Done: 3, Total: 12, Unit: "builds"}},
		{60 * second, event.StepFinished{Step: "build", Took: 56 * second, Result: "/nix/store/1b2c3d4f5g6h7i8j9k0l1m2n3p4q5r6s-nixos-image-" + server}},
		{60 * second, event.StepStarted{Subject: on(server), Step: "upload"}},
		{62 * second, event.Progress{Subject: on(server), Step: "upload", Done: 18_200_000, Total: 40_000_000, Unit: "bytes"}},
		{90 * second, event.StepFinished{Subject: on(server), Step: "upload", Took: 30 * second, Result: "custom image 13 from 40 MB"}},
	}
}

func verifiedRun() []at {
	events := append(planned(), at{4 * second, fleetOf("deploy", false)})
	events = append(events, unchanged(4*second, "db", "db-1")...)
	events = append(events, unchanged(4*second, "mail", "mail-1")...)
	events = append(events, imported("web")...)
	events = append(events, change(90*second, "web", "web-1", "9df4d919-19a7-46fa-ad48-f9aa85e420a9")...)
	events = append(events, change(140*second, "web", "web-2", "a761398b-c045-4d5b-862c-f86c8afc379a")...)
	for i, name := range []string{"web-1", "web-2"} {
		events = append(events, at{182 * second, event.DropletFinished{
			Subject: on("web", name), ID: 1 + i, Address: "203.0.113.7", Outcome: event.Verified, Before: webOld, After: webNew,
			State: "runs image 1b2c3d4f (13), verified",
		}})
	}
	return append(events,
		at{182 * second, event.ServerFinished{
			Subject: on("web"), Outcome: event.Verified, Took: 178 * second, Revision: revision, Image: webNew,
			FormerRevision: former, FormerImage: webOld,
		}},
		at{182 * second, event.RunFinished{Verb: "deploy", Took: 182 * second, Next: []string{"snowdrop status"}}},
	)
}

func nginxFailed() release.Unit {
	return release.Unit{
		Name: "nginx.service", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1, Restarts: 5,
		Journal: []string{
			"Starting nginx.service...",
			"\x1b[31mnginx: [emerg]\x1b[0m unknown directive \"listn\" in /etc/nginx/nginx.conf:14",
			"```", "</details> @octocat fixes #12 <!-- snowdrop -->",
			"nginx.service: Failed with result 'exit-code'.",
		},
	}
}

// failedRun is one in which nginx fails on web-1, which goes back.
func failedRun() []at {
	broken := held("5e0f1c2d-0000-4000-8000-000000000001")
	broken.State, broken.Took = "degraded", 3*second
	broken.Checks[2] = release.Check{Name: "state", Want: "running", Got: "degraded, by nginx.service"}
	broken.Checks[3] = release.Check{Name: "unit nginx.service", Want: "active", Got: "failed, exit-code, exit status 1"}
	broken.Checks = broken.Checks[:4]
	broken.Failed = []release.Unit{
		nginxFailed(),
		{Name: "fwupd.service", Active: "failed", Result: "timeout", Allowed: true, Journal: []string{"no firmware | here"}},
	}
	var text strings.Builder
	text.WriteString("web-1 (203.0.113.7) is not verified:\n  state: degraded, by nginx.service (expected: running)\n" +
		"  unit nginx.service: failed, exit-code, exit status 1 (expected: active)\n  last lines of nginx.service:")
	for _, l := range nginxFailed().Journal {
		text.WriteString("\n    | " + l)
	}
	text.WriteString("\nlook closer: ssh root@203.0.113.7 journalctl -b -n 100 -u nginx.service")
	step := fmt.Errorf("verify web/web-1: %w", errors.New(text.String()))
	whole := errors.Join(step, errors.New("the rollout stopped: 1 droplet left as before"))

	events := append(planned(), at{4 * second, fleetOf("deploy", false)})
	events = append(events, unchanged(4*second, "db", "db-1")...)
	events = append(events, unchanged(4*second, "mail", "mail-1")...)
	events = append(events, imported("web")...)
	first := until(change(90*second, "web", "web-1", "5e0f1c2d-0000-4000-8000-000000000001"), 131*second)
	events = append(events, first...)
	events = append(events,
		at{132 * second, event.StepFinished{Subject: on("web", "web-1"), Step: "verify", Took: 12 * second, Err: step}},
		at{132 * second, event.Evidence{Subject: on("web", "web-1"), Evidence: broken}},
		at{132 * second, event.Warning{Subject: on("web", "web-1"), Text: "goes back to image 7f6g5h4j (12)"}},
	)
	events = append(events, change(133*second, "web", "web-1", "a761398b-c045-4d5b-862c-f86c8afc379a")...)
	return append(events,
		at{175 * second, event.DropletFinished{
			Subject: on("web", "web-1"), ID: 1, Address: "203.0.113.7", Outcome: event.RolledBack, Before: webOld, After: webOld,
			State: "runs image 7f6g5h4j (12) again, verified",
		}},
		at{175 * second, event.DropletFinished{
			Subject: on("web", "web-2"), ID: 2, Outcome: event.Untouched, Before: webOld, State: "runs image 7f6g5h4j (12) as before",
		}},
		at{175 * second, event.ServerFinished{
			Subject: on("web"), Outcome: event.RolledBack, Took: 171 * second, Revision: revision, Image: webNew,
			FormerRevision: former, FormerImage: webOld, Err: whole,
		}},
		at{175 * second, event.RunFinished{Verb: "deploy", Took: 175 * second, Err: fmt.Errorf("1 of 3 servers did not get the release: web rolled back (%w)", whole)}},
	)
}

// cancelledRun is one that somebody ended while web-1 was rebuilt.
func cancelledRun() []at {
	step := fmt.Errorf("rebuild web/web-1: wait for action 991: %w", context.Canceled)
	events := append(planned(), at{4 * second, fleetOf("deploy", false)})
	events = append(events, unchanged(4*second, "mail", "mail-1")...)
	events = append(events, imported("web")...)
	events = append(events, until(change(90*second, "web", "web-1", ""), 92*second)...)
	return append(events,
		at{95 * second, event.StepFinished{Subject: on("web", "web-1"), Step: "rebuild", Took: 5 * second, Err: step}},
		at{95 * second, event.DropletFinished{
			Subject: on("web", "web-1"), ID: 1, Outcome: event.Cancelled, Before: webOld,
			State: "a rebuild with image 1b2c3d4f (13) was asked for; whether it completed is not known",
		}},
		at{95 * second, event.DropletFinished{
			Subject: on("web", "web-2"), ID: 2, Outcome: event.Untouched, Before: webOld, State: "runs image 7f6g5h4j (12) as before",
		}},
		at{95 * second, event.ServerFinished{
			Subject: on("web"), Outcome: event.Cancelled, Took: 91 * second, Revision: revision, Image: webNew,
			FormerRevision: former, FormerImage: webOld, Err: step,
		}},
		at{96 * second, event.DropletFinished{
			Subject: on("db", "db-1"), ID: 3, Outcome: event.Untouched, Before: dbOld, State: "runs image 9z8y7x6w (8) as before",
		}},
		at{96 * second, event.ServerFinished{
			Subject: on("db"), Outcome: event.Cancelled, Took: 91 * second, Revision: revision, FormerRevision: former, FormerImage: dbOld,
			Err: fmt.Errorf("upload db: %w", context.Canceled),
		}},
		at{96 * second, event.RunFinished{Verb: "deploy", Took: 96 * second, Err: fmt.Errorf("deploy was cancelled: %w", context.Canceled)}},
	)
}

// forkRun is the plan of somebody who has no credentials.
func forkRun() []at {
	events := []at{
		{0, event.StepStarted{Step: "evaluate"}},
		{3 * second, event.StepFinished{Step: "evaluate", Took: 3 * second}},
		{3 * second, event.RunStarted{Verb: "plan", Revision: revision, DryRun: true, Servers: []event.Planned{{Server: "web"}, {Server: "db"}}}},
	}
	for _, s := range []struct{ name, image string }{{"web", webNew}, {"db", dbOld}} {
		events = append(events, at{3 * second, event.ServerFinished{Subject: on(s.name), Outcome: event.Evaluated, Revision: revision, Image: s.image}})
	}
	return append(events, at{3 * second, event.RunFinished{Verb: "plan", Took: 3 * second}})
}

// hugeRun is one of 60 servers, of which every second fails with a journal that is
// larger than a comment may be, and every tenth has nothing to do.
func hugeRun() []at {
	start := event.RunStarted{Verb: "deploy", Revision: revision}
	var events []at
	var errs []error
	for i := range 60 {
		name := fmt.Sprintf("server-%02d", i)
		droplets := []string{name + "-a", name + "-b", name + "-c"}
		start.Servers = append(start.Servers, event.Planned{Server: name, Droplets: droplets})
		switch {
		case i%10 == 9:
			events = append(events, unchanged(second, name, droplets...)...)
			continue
		case i%2 == 0:
			err := fmt.Errorf("verify %s/%s: %s-a is not verified:\n%s", name, droplets[0], name, strings.Repeat("  | journal line of "+name+"\n", 3000))
			errs = append(errs, err)
			events = append(events, at{second, event.DropletFinished{Subject: on(name, droplets[0]), Outcome: event.Failed, Before: webOld, After: webNew, State: "was rebuilt with image 1b2c3d4f (13); not verified"}},
				at{second, event.ServerFinished{Subject: on(name), Outcome: event.Failed, Took: 100 * second, Revision: revision, Image: webNew, FormerRevision: former, FormerImage: webOld, Err: err}})
			continue
		}
		for _, d := range droplets {
			events = append(events, at{second, event.Evidence{Subject: on(name, d), Evidence: held("9df4d919")}},
				at{second, event.DropletFinished{Subject: on(name, d), Outcome: event.Verified, Before: webOld, After: webNew, State: "runs image 1b2c3d4f (13), verified"}})
		}
		events = append(events, at{second, event.ServerFinished{Subject: on(name), Outcome: event.Verified, Took: 100 * second, Revision: revision, Image: webNew, FormerRevision: former, FormerImage: webOld}})
	}
	events = append([]at{{0, start}, {0, event.Warning{Step: "plan", Text: "the flake is not a clean git checkout: the records will name no revision"}}}, events...)
	return append(events, at{101 * second, event.RunFinished{Verb: "deploy", Took: 101 * second, Err: errors.Join(errs...)}})
}
