package examples_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/rhysd/actionlint"

	"github.com/versatus/snowdrop/internal/fleet"
)

// workflow is a workflow file, the project's own or an example.
type workflow struct {
	path string
	text []byte
	*actionlint.Workflow
}

// workflows are all of them.
func workflows(t *testing.T) []workflow {
	t.Helper()
	var out []workflow
	for _, pattern := range []string{"workflows/*.yml", "../.github/workflows/*.yml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 4 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			parsed, faults := actionlint.Parse(text)
			if len(faults) > 0 {
				t.Fatalf("%s: %v", path, faults)
			}
			out = append(out, workflow{path: path, text: text, Workflow: parsed})
		}
	}
	return out
}

// eachWorkflow is a subtest for each of them.
func eachWorkflow(t *testing.T, test func(*testing.T, workflow)) {
	t.Helper()
	for _, w := range workflows(t) {
		t.Run(filepath.Base(w.path), func(t *testing.T) {
			t.Parallel()
			test(t, w)
		})
	}
}

// steps are the steps of all jobs that call an action.
func (w workflow) steps() []*actionlint.ExecAction {
	var out []*actionlint.ExecAction
	for _, job := range w.Jobs {
		for _, step := range job.Steps {
			if call, ok := step.Exec.(*actionlint.ExecAction); ok {
				out = append(out, call)
			}
		}
	}
	return out
}

// uses says whether a step calls an action, whatever version.
func uses(call *actionlint.ExecAction, action string) bool {
	return strings.HasPrefix(call.Uses.Value, action+"@")
}

func TestWorkflowsAreFreeOfWhatActionlintFinds(t *testing.T) {
	t.Parallel()
	eachWorkflow(t, func(t *testing.T, w workflow) {
		linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		project, err := actionlint.NewProject("..")
		if err != nil {
			t.Fatal(err)
		}
		faults, err := linter.Lint(w.path, w.text, project)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Error(fault)
		}
	})
}

func TestForeignActionsArePinnedByCommitAndSayTheirVersion(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	ours := regexp.MustCompile(`uses: (versatus/snowdrop@v1|\./\S+)$`)
	versions := map[string]string{}
	for _, w := range workflows(t) {
		for line := range strings.Lines(string(w.text)) {
			line = strings.TrimSpace(line)
			switch {
			case !strings.Contains(line, "uses: "), ours.MatchString(line):
			case !pinned.MatchString(line):
				t.Errorf("%s: not pinned by a full commit with the version in a comment: %s", w.path, line)
			default:
				// One version of each action, so that all are updated together.
				action, version, _ := strings.Cut(line[strings.Index(line, "uses: "):], "@")
				if before := versions[action]; before != "" && before != version {
					t.Errorf("%s: %s is at %s, elsewhere at %s", w.path, action, version, before)
				}
				versions[action] = version
			}
		}
	}
	if len(versions) < 10 {
		t.Errorf("only these were looked at: %v", versions)
	}
}

func TestWorkflowsGiveNoMoreThanTheyMust(t *testing.T) {
	t.Parallel()
	eachWorkflow(t, func(t *testing.T, w workflow) {
		if w.Permissions == nil || w.Permissions.All != nil || len(w.Permissions.Scopes) > 0 {
			t.Error("permissions: {} is missing at the top; each job names its own")
		}
		for id, job := range w.Jobs {
			if job.Permissions == nil || job.Permissions.All != nil {
				t.Errorf("job %s does not name its permissions", id)
			}
		}
		for _, event := range w.On {
			if name := event.EventName(); name == "pull_request_target" || name == "workflow_run" {
				t.Errorf("%s gives secrets to code that nobody has read", name)
			}
		}
		for _, call := range w.steps() {
			if !uses(call, "actions/checkout") {
				continue
			}
			if in := call.Inputs["persist-credentials"]; in == nil || in.Value.Value != "false" {
				t.Errorf("%s: the checkout leaves the token behind", call.Uses.Pos)
			}
		}
	})
}

// TestOnlyAnUpdatePushes keeps `contents: write` where a changed lock file needs it.
func TestOnlyAnUpdatePushes(t *testing.T) {
	t.Parallel()
	for _, w := range workflows(t) {
		if !strings.HasPrefix(w.path, "workflows/") {
			continue
		}
		for id, job := range w.Jobs {
			contents := job.Permissions.Scopes["contents"]
			if writes := contents != nil && contents.Value.Value == "write"; writes != (filepath.Base(w.path) == "update.yml") {
				t.Errorf("%s: job %s may write contents: %v", w.path, id, writes)
			}
		}
	}
}

func TestWorkflowsEndAndDoNotMeet(t *testing.T) {
	t.Parallel()
	eachWorkflow(t, func(t *testing.T, w workflow) {
		if w.Concurrency == nil {
			t.Error("no concurrency")
		}
		for id, job := range w.Jobs {
			if job.WorkflowCall == nil && job.TimeoutMinutes == nil {
				t.Errorf("job %s has no timeout-minutes", id)
			}
		}
	})
}

// deploys are the commands that change something, "" being that of the event.
var deploys = []string{"", "build", "deploy", "rebuild", "rollback", "prune"}

func TestWhatChangesServersWaitsInOneQueueAndIsNotCutOff(t *testing.T) {
	t.Parallel()
	var found int
	for _, w := range workflows(t) {
		if !slices.ContainsFunc(w.steps(), func(call *actionlint.ExecAction) bool {
			return uses(call, "versatus/snowdrop") && slices.Contains(deploys, input(call, "command"))
		}) {
			continue
		}
		found++
		group, cancel := w.Concurrency.Group.Value, w.Concurrency.CancelInProgress
		if group != "snowdrop" || cancel == nil || cancel.Expression != nil || cancel.Value {
			t.Errorf("%s: concurrency is not {group: snowdrop, cancel-in-progress: false}", w.path)
		}
	}
	if found != 5 {
		t.Errorf("%d workflows change servers, expected deploy, rebuild, cycle, update and matrix", found)
	}
}

func input(call *actionlint.ExecAction, name string) string {
	if in := call.Inputs[name]; in != nil {
		return in.Value.Value
	}
	return ""
}

// action is what the tests need of action.yml.
type action struct {
	Inputs, Outputs map[string]any
}

func TestExamplesUseInputsAndOutputsThatTheActionHas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	if err := yaml.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	output := regexp.MustCompile(`steps\.plan\.outputs\.([\w-]+)`)
	var inputs, outputs int
	for _, w := range workflows(t) {
		for _, call := range w.steps() {
			if !uses(call, "versatus/snowdrop") {
				continue
			}
			for name := range call.Inputs {
				inputs++
				if _, ok := a.Inputs[name]; !ok {
					t.Errorf("%s: the action has no input %s", w.path, name)
				}
			}
		}
		for _, m := range output.FindAllStringSubmatch(string(w.text), -1) {
			outputs++
			if _, ok := a.Outputs[m[1]]; !ok {
				t.Errorf("%s: the action has no output %s", w.path, m[1])
			}
		}
		for _, event := range w.On {
			if dispatch, ok := event.(*actionlint.WorkflowDispatchEvent); ok && strings.HasPrefix(w.path, "workflows/") {
				for name := range dispatch.Inputs {
					inputs++
					if _, ok := a.Inputs[name]; !ok {
						t.Errorf("%s: the action takes no input %s from workflow_dispatch", w.path, name)
					}
				}
			}
		}
	}
	if inputs == 0 || outputs == 0 {
		t.Errorf("looked at %d inputs and %d outputs", inputs, outputs)
	}
}

func TestExamplesFitTheExampleFleet(t *testing.T) {
	t.Parallel()
	f, err := fleet.Load("fleet/snowdrop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want, have []string
	for _, cycle := range f.Cycles {
		want = append(want, cycle.Cron)
	}
	for _, w := range workflows(t) {
		if !strings.HasPrefix(w.path, "workflows/") {
			continue
		}
		sweeps := slices.ContainsFunc(w.steps(), func(call *actionlint.ExecAction) bool { return input(call, "command") == "preview-sweep" })
		for _, event := range w.On {
			if schedule, ok := event.(*actionlint.ScheduledEvent); ok && !sweeps {
				for _, entry := range schedule.Schedules {
					have = append(have, entry.Cron.Value)
				}
			}
		}
		// Where droplets are rebuilt, their files are written.
		for _, s := range f.Servers {
			for _, file := range s.Files {
				name := file.From.Env
				if strings.Contains(string(w.text), "ssh-private-key:") && !strings.Contains(string(w.text), name+": ${{ secrets."+name+" }}") {
					t.Errorf("%s: %s, which the fleet's files are made of, is not in the environment", w.path, name)
				}
			}
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("crons of the fleet file's cycles (-) and of the workflows (+):\n%s", diff)
	}
}

func TestAReleaseCanPutItsImageIntoActionYml(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`(?m)^  image: Dockerfile$`).FindAll(text, -1)); n != 1 {
		t.Errorf("release.yml replaces the line %q of action.yml, which is there %d times", "  image: Dockerfile", n)
	}
}
