package action

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/nix"
)

func someFleet(t *testing.T) *fleet.Fleet {
	t.Helper()
	f, err := fleet.Parse("snowdrop.yaml", []byte(`space: {bucket: acme-nixos, region: nyc3}
servers:
  web: {cycle: nightly}
  api: {cycle: nightly}
  db: {cycle: weekly}
  mail:
  files: {cycle: nightly, provider: ssh, hosts: [{name: files-1}]}
  cache: {cycle: early}
  queue: {cycle: later}
  lamp: {cycle: dusk}
cycles:
  early: {cron: "0 6 * * *"}
  later: {cron: "0  6 * * *"}
  dawn: {cron: "0 7 * * *"}
  dusk: {cron: "0 7 * * *", ref: main}
  nightly: {cron: "0 3 * * *"}
  weekly: {cron: "0 4 * * 1"}
  never: {cron: "0 5 * * *"}
`))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTheCommandFollowsTheEvent(t *testing.T) {
	t.Parallel()
	own, fork := &workflow.Pull{Number: 7, BaseSHA: "base"}, &workflow.Pull{Number: 7, BaseSHA: "base", Fork: true}
	push := workflow.Event{Name: "push", Ref: "refs/heads/main", DefaultBranch: "main"}
	for name, tt := range map[string]struct {
		event workflow.Event
		in    workflow.Inputs
		want  order
		fails string
	}{
		"a pull request is planned":                       {event: workflow.Event{Name: "pull_request", Pull: own}, want: order{command: "plan", request: deploy.Request{Preview: true, Base: "base"}}},
		"one from a fork too":                             {event: workflow.Event{Name: "pull_request", Pull: fork}, want: order{command: "plan", request: deploy.Request{Preview: true, Base: "base"}}},
		"one from a fork is never deployed":               {event: workflow.Event{Name: "pull_request", Pull: fork}, in: workflow.Inputs{Command: "deploy"}, fails: "planned only"},
		"a branch of our own may be":                      {event: workflow.Event{Name: "pull_request", Pull: own}, in: workflow.Inputs{Command: "deploy"}, want: order{command: "deploy"}},
		"a merge group is planned":                        {event: workflow.Event{Name: "merge_group"}, want: order{command: "plan", request: deploy.Request{Preview: true}}},
		"a push to the default branch deploys":            {event: push, want: order{command: "deploy"}},
		"a push to another branch does not":               {event: workflow.Event{Name: "push", Ref: "refs/heads/feature", DefaultBranch: "main"}, fails: "push to feature deploys by itself only on the default branch (main)"},
		"nor that of a tag of the branch's name":          {event: workflow.Event{Name: "push", Ref: "refs/tags/main", DefaultBranch: "main"}, fails: "set the input `command`"},
		"the input goes before the event":                 {event: push, in: workflow.Inputs{Command: "build", Servers: []string{"web"}}, want: order{command: "build", request: deploy.Request{Servers: []string{"web"}}}},
		"a schedule deploys the cycle that is due":        {event: workflow.Event{Name: "schedule", Schedule: "0  3 * * *"}, want: order{command: "deploy", request: deploy.Request{Cycle: "nightly"}}},
		"a schedule of several cycles is for all of them": {event: workflow.Event{Name: "schedule", Schedule: "0 6 * * *"}, want: order{command: "deploy", request: deploy.Request{Servers: []string{"cache", "queue"}}}},
		"they cannot have refs of their own":              {event: workflow.Event{Name: "schedule", Schedule: "0 7 * * *"}, fails: "the cycles dawn, dusk, and dusk has a `ref:` of its own"},
		"one of them can be chosen":                       {event: workflow.Event{Name: "schedule", Schedule: "0 7 * * *"}, in: workflow.Inputs{Cycle: "dusk"}, want: order{command: "deploy", request: deploy.Request{Cycle: "dusk"}}},
		"a schedule can be told which":                    {event: workflow.Event{Name: "schedule", Schedule: "0 9 * * *"}, in: workflow.Inputs{Cycle: "weekly"}, want: order{command: "deploy", request: deploy.Request{Cycle: "weekly"}}},
		"a schedule that is no cycle's":                   {event: workflow.Event{Name: "schedule", Schedule: "0 9 * * *"}, fails: `no cycle of snowdrop.yaml has the cron "0 9 * * *" that fired; it has: dawn (0 7 * * *), dusk (0 7 * * *), early (0 6 * * *), later (0  6 * * *), never (0 5 * * *), nightly (0 3 * * *)`},
		"a cycle without servers":                         {event: workflow.Event{Name: "schedule", Schedule: "0 5 * * *"}, fails: "give a server `cycle: never`"},
		"a dispatch says what to do":                      {event: workflow.Event{Name: "workflow_dispatch"}, in: workflow.Inputs{Command: "rebuild", Servers: []string{"web"}, Image: 12}, want: order{command: "rebuild", image: 12, request: deploy.Request{Servers: []string{"web"}}}},
		"a dispatch that does not":                        {event: workflow.Event{Name: "workflow_dispatch"}, fails: "set the input `command`"},
		"any other event":                                 {event: workflow.Event{Name: "issues"}, fails: "the event issues does not say what to do: set the input `command`"},
		"an event that hands out secrets":                 {event: workflow.Event{Name: "pull_request_target"}, in: workflow.Inputs{Command: "plan"}, fails: "does not run on it; use pull_request"},
		"a rebuild of nobody in particular":               {event: push, in: workflow.Inputs{Command: "rebuild"}, fails: "set the input `servers`"},
		"a server that is not there":                      {event: push, in: workflow.Inputs{Servers: []string{"wep"}}, fails: `there is no server "wep"`},
		"an image that nothing is done with":              {event: push, in: workflow.Inputs{Image: 12}, fails: "`image` is for the command rebuild"},
		"an image and a revision":                         {event: push, in: workflow.Inputs{Command: "rebuild", Servers: []string{"web"}, Image: 12, Revision: "abc"}, fails: "exclude each other"},
		"a revision that nothing is done with":            {event: push, in: workflow.Inputs{Command: "prune", Revision: "abc"}, fails: "`revision` is for"},
		"a plan may be kept from building":                {event: workflow.Event{Name: "merge_group"}, in: workflow.Inputs{NoBuild: true, Store: "s3://acme-cache"}, want: order{command: "plan", request: deploy.Request{Preview: true, NoBuild: true, Store: "s3://acme-cache"}}},
		"switches and the revision reach the use case":    {event: push, in: workflow.Inputs{DryRun: true, Force: true, Revision: "abc"}, want: order{command: "deploy", request: deploy.Request{DryRun: true, Force: true, Revision: "abc"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newOrder(tt.event, tt.in, someFleet(t))
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Fatalf("%v; want %q", err, tt.fails)
				}
				if strings.Contains(err.Error(), "use pull_request_target") {
					t.Error("it suggests pull_request_target")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.why = ""
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(order{}, preview{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFaultsAreAnnotatedWhereTheyStand(t *testing.T) {
	t.Parallel()
	_, broken := fleet.Parse("infra/snowdrop.yaml", []byte("space: {bucket: acme-nixos, region: nyc3}\nservers:\n  web: {colour: blue}\n"))
	local := &nix.EvalError{Installable: ".#web", Message: "undefined variable 'x'", File: "hosts/web.nix", Line: 12, Column: 3}
	foreign := &nix.EvalError{Installable: ".#api", Message: "deep inside", File: "/nix/store/abc-source/lib.nix", Line: 1, Column: 1}
	for name, tt := range map[string]struct {
		err  error
		want []github.Annotation
	}{
		"none": {nil, nil},
		"nix, in a folder of the repository, told twice": {
			fmt.Errorf("plan: %w", errors.Join(fmt.Errorf("a: %w", local), foreign, fmt.Errorf("b: %w", local))),
			[]github.Annotation{{
				Path: "infra/hosts/web.nix", StartLine: 12, EndLine: 12, StartColumn: 3, EndColumn: 3, Level: "failure",
				Title: "Nix cannot evaluate .#web", Message: "undefined variable 'x'",
			}},
		},
		"nix, above the fleet file's folder": {
			&nix.EvalError{Installable: ".#web", Message: "m", File: "/github/workspace/modules/base.nix", Line: 7, Column: 2},
			[]github.Annotation{{
				Path: "modules/base.nix", StartLine: 7, EndLine: 7, StartColumn: 2, EndColumn: 2, Level: "failure", Title: "Nix cannot evaluate .#web", Message: "m",
			}},
		},
		"the fleet file": {
			deploy.UsageError{Err: broken},
			[]github.Annotation{{
				Path: "infra/snowdrop.yaml", StartLine: 3, EndLine: 3, StartColumn: 9, EndColumn: 9, Level: "failure", Title: "The fleet file",
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := annotations(tt.err, "/github/workspace", "infra")
			if name == "the fleet file" {
				if len(got) != 1 || !strings.Contains(got[0].Message, "colour") {
					t.Fatalf("%+v", got)
				}
				got[0].Message = ""
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestOnlyTheServerThatCannotBeEvaluatedIsBlamed(t *testing.T) {
	t.Parallel()
	servers := []fleet.Server{{Name: "web", Image: ".#web"}, {Name: "api", Image: ".#api", System: ".#api-system"}}
	err := fmt.Errorf("plan: %w", errors.Join(&nix.EvalError{Installable: ".#api-system"}, errors.New("another")))
	if diff := cmp.Diff(map[string]bool{"api": true}, blamed(err, servers)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := blamed(errors.New("the account cannot be asked"), servers); len(got) > 0 {
		t.Errorf("%v are blamed for what all suffer", got)
	}
}
