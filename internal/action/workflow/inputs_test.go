package workflow_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/workflow"
)

// inputs is the environment in which the runner hands on inputs.
func inputs(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		out["INPUT_"+strings.ToUpper(pairs[i])] = pairs[i+1]
	}
	return out
}

func byDefault() workflow.Inputs {
	return workflow.Inputs{
		Config: "snowdrop.yaml", Environment: "production", Comment: true, Checks: true, Deployments: true, Summary: true,
	}
}

func TestInputsAreReadAsTheWorkflowWritesThem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		given, dispatched map[string]string
		change            func(*workflow.Inputs)
	}{
		"none": {nil, nil, func(*workflow.Inputs) {}},
		"all": {
			inputs("command", "rebuild", "config", "infra/snowdrop.yaml", "servers", "web, api\ndb", "cycle", "nightly", "image", "12",
				"dry-run", "true", "no-build", "true", "store", "s3://acme-cache", "force", "True", "environment", "staging", "checks", "false", "nix-config", "a = b\n", "revision", "abc"), nil,
			func(in *workflow.Inputs) {
				in.Command, in.Config, in.Servers, in.Cycle, in.Image = "rebuild", "infra/snowdrop.yaml", []string{"web", "api", "db"}, "nightly", 12
				in.DryRun, in.NoBuild, in.Force, in.Environment, in.Checks, in.NixConfig, in.Revision = true, true, true, "staging", false, "a = b", "abc"
				in.Store = "s3://acme-cache"
			},
		},
		"typed when it was dispatched": {
			inputs("config", "snowdrop.yaml", "dry-run", "false", "environment", "staging"),
			map[string]string{"command": "rollback", "servers": "web", "dry-run": "true", "environment": "other"},
			func(in *workflow.Inputs) {
				in.Command, in.Servers, in.DryRun, in.Environment = "rollback", []string{"web"}, true, "staging"
			},
		},
		"a dispatch cannot choose the token": {nil, map[string]string{"github-token": "x", "nix-config": "y"}, func(*workflow.Inputs) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := workflow.ReadInputs(env(tt.given), tt.dispatched)
			if err != nil {
				t.Fatal(err)
			}
			want := byDefault()
			tt.change(&want)
			if len(got.Servers) == 0 {
				got.Servers = nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestEveryFaultyInputIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := workflow.ReadInputs(env(inputs("command", "explode", "image", "web", "dry-run", "yes")), nil)
	for _, want := range []string{`command: "explode"`, "plan, deploy", `image: "web"`, `dry-run: "yes"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestCredentialsOfInputsGoBeforeVariables(t *testing.T) {
	t.Parallel()
	vars := inputs("digitalocean-token", "of the input", "ssh-private-key", "key\n")
	vars["DIGITALOCEAN_ACCESS_TOKEN"], vars["DIGITALOCEAN_TOKEN"] = "of the variable", "the other"
	vars["SPACES_ACCESS_KEY_ID"], vars["HOME"] = "id", "/root"
	getenv := workflow.Environment(env(vars))
	for name, want := range map[string]string{
		"DIGITALOCEAN_ACCESS_TOKEN": "of the input", "DIGITALOCEAN_TOKEN": "", "SSH_PRIVATE_KEY": "key",
		"SPACES_ACCESS_KEY_ID": "id", "SPACES_SECRET_ACCESS_KEY": "", "HOME": "/root",
	} {
		if got := getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// event is the environment of a runner, with the event's payload in a file.
func runnerEnv(t *testing.T, name, payload string) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(file, []byte(payload), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": file, "GITHUB_REPOSITORY": "acme/fleet", "GITHUB_SHA": "merge",
		"GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_ACTOR": "mona", "GITHUB_WORKSPACE": "/w",
	}
}

func TestChecksBelongToTheHeadOfAPullRequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event, payload string
		want           func(*workflow.Event)
	}{
		"a pull request": {
			"pull_request",
			`{"action":"opened","pull_request":{"number":7,"head":{"sha":"head","repo":{"full_name":"Acme/fleet"}},"base":{"sha":"base","repo":{"full_name":"acme/fleet"}}},"repository":{"default_branch":"main","full_name":"acme/fleet"}}`,
			func(e *workflow.Event) {
				e.Action, e.SHA, e.Pull, e.DefaultBranch = "opened", "head", &workflow.Pull{Number: 7, BaseSHA: "base", HeadSHA: "head"}, "main"
			},
		},
		"a pull request from a fork": {
			"pull_request", `{"pull_request":{"number":7,"head":{"sha":"head","repo":{"full_name":"mona/fleet"}},"base":{"sha":"base","repo":{"full_name":"acme/fleet"}}}}`,
			func(e *workflow.Event) {
				e.SHA, e.Pull = "head", &workflow.Pull{Number: 7, BaseSHA: "base", HeadSHA: "head", Fork: true}
			},
		},
		"a pull request from a fork that was deleted": {
			"pull_request", `{"pull_request":{"number":7,"head":{"sha":"head","repo":null},"base":{"sha":"base","repo":{"full_name":"acme/fleet"}}}}`,
			func(e *workflow.Event) {
				e.SHA, e.Pull = "head", &workflow.Pull{Number: 7, BaseSHA: "base", HeadSHA: "head", Fork: true}
			},
		},
		"a merge group": {"merge_group", `{"merge_group":{"head_sha":"group"}}`, func(e *workflow.Event) { e.SHA = "group" }},
		"a schedule":    {"schedule", `{"schedule":"0 3 * * *"}`, func(e *workflow.Event) { e.Schedule = "0 3 * * *" }},
		"a dispatch": {"workflow_dispatch", `{"inputs":{"dry-run":true,"image":12,"servers":"web"}}`, func(e *workflow.Event) {
			e.Dispatched = map[string]string{"dry-run": "true", "image": "12", "servers": "web"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := workflow.ReadEvent(env(runnerEnv(t, tt.event, tt.payload)))
			if err != nil {
				t.Fatal(err)
			}
			want := workflow.Event{
				Name: tt.event, Repository: "acme/fleet", ServerURL: "https://github.com", APIURL: "https://api.github.com", Workspace: "/w",
				Actor: "mona", SHA: "merge", Ref: "refs/heads/main", RunID: 77, Attempt: 2, Dispatched: map[string]string{},
			}
			tt.want(&want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.RunURL() != "https://github.com/acme/fleet/actions/runs/77/attempts/2" {
				t.Errorf("the run is at %s", got.RunURL())
			}
		})
	}
}

func TestWithoutARunnerItIsSaidWhatToDoInstead(t *testing.T) {
	t.Parallel()
	_, err := workflow.ReadEvent(env(nil))
	if err == nil || !strings.Contains(err.Error(), "snowdrop --help") {
		t.Errorf("%v", err)
	}
	broken := runnerEnv(t, "push", "{")
	if _, err := workflow.ReadEvent(env(broken)); err == nil {
		t.Error("a payload that is no JSON was taken")
	}
}
