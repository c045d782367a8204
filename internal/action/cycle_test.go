package action_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/lab/nixplay"
)

// clone makes the project a clone, whose main has a newer commit than the one that is
// checked out, and returns that commit. Nix sees it.
func (p *project) clone(cycle string) string {
	p.t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		p.t.Skip("there is no git here")
	}
	p.write("snowdrop.yaml", strings.Replace(fleetFile, `nightly: {cron: "0 3 * * *"}`, "nightly: "+cycle, 1))
	p.write("flake.nix", "{ }")
	git := func(dir string, args ...string) string {
		p.t.Helper()
		cmd := exec.CommandContext(p.t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=mona", "GIT_AUTHOR_EMAIL=m@example.com", "GIT_COMMITTER_NAME=mona", "GIT_COMMITTER_EMAIL=m@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			p.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	elsewhere := p.t.TempDir()
	git(p.dir, "init", "--quiet", "--initial-branch=main")
	git(p.dir, "add", "flake.nix", "snowdrop.yaml")
	git(p.dir, "commit", "--quiet", "-m", "one")
	git(elsewhere, "clone", "--quiet", p.dir, "work")
	work := filepath.Join(elsewhere, "work")
	git(work, "commit", "--quiet", "--allow-empty", "-m", "two")
	git(elsewhere, "clone", "--quiet", "--bare", work, "server")
	git(p.dir, "remote", "add", "origin", "file://"+filepath.ToSlash(filepath.Join(elsewhere, "server")))
	head := git(work, "rev-parse", "HEAD")
	check(p.t, p.hub.AddCommit(hub.Commit{SHA: head, Parents: []string{sha("1")}, Message: "two"}))
	data, err := json.Marshal(nixplay.Project{Builder: lab.Builder{Servers: p.image, Revision: head, At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}})
	check(p.t, err)
	p.write(nixplay.Name, string(data))
	return head
}

func schedule() map[string]any {
	event := push()
	event["schedule"] = "0 3 * * *"
	return event
}

func TestAScheduleDeploysItsCycleAtTheRefAndTellsItThere(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	head := p.clone(`{cron: "0 3 * * *", ref: main}`)
	e := p.action(t.Context(), "schedule", "1", schedule())
	e.demand(t, 0)
	if e.outputs["release"] != head || e.outputs["changed"] != "true" || !strings.Contains(e.log, "main is at "+head[:7]) {
		t.Errorf("outputs %v\n%s", e.outputs, e.log)
	}
	var told []string
	for _, c := range p.hub.State().Checks {
		told = append(told, c.Name+" at "+c.HeadSHA[:7]+" "+c.Conclusion)
	}
	for _, d := range p.hub.State().Deployments {
		told = append(told, d.Environment+" at "+d.SHA[:7]+" "+d.Latest().State)
	}
	want := "snowdrop / web at " + head[:7] + " success|production/web at " + head[:7] + " success"
	if got := strings.Join(told, "|"); got != want {
		t.Errorf("told: %s", got)
	}
	if !strings.Contains(e.summary, head[:7]) || strings.Contains(e.summary, sha("1")[:7]) {
		t.Errorf("the summary:\n%s", e.summary)
	}
}

func TestARefThatIsNotThereIsToldAndNothingIsDeployed(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.clone(`{cron: "0 3 * * *", ref: mian}`)
	e := p.action(t.Context(), "schedule", "1", schedule())
	e.demand(t, 1)
	if c := p.checks("1")["snowdrop / web"]; c.Conclusion != "failure" || !strings.Contains(e.log, `no such branch or tag "mian"`) {
		t.Errorf("the check: %+v\n%s", c, e.log)
	}
	for _, r := range p.lab.Requests() {
		if r.Method == "POST" {
			t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
}

// TestAFailedUpdateDoesNotKeepTheCycleFromBeingDeployed is with a Nix that cannot
// update anything.
func TestAFailedUpdateDoesNotKeepTheCycleFromBeingDeployed(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	head := p.clone(`{cron: "0 3 * * *", ref: main, update: {}}`)
	e := p.action(t.Context(), "schedule", "1", schedule())
	e.demand(t, 1)
	if e.outputs["release"] != head || e.outputs["changed"] != "true" || !strings.Contains(e.outputs["result"], "not brought up to date") {
		t.Errorf("outputs %v", e.outputs)
	}
	if !strings.Contains(e.log, "::error title=snowdrop deploy::") || !strings.Contains(e.summary, "not brought up to date") {
		t.Errorf("the log:\n%s\nthe summary:\n%s", e.log, e.summary)
	}
	for _, c := range p.hub.State().Checks {
		if c.Conclusion != "success" {
			t.Errorf("%s, which was verified: %s", c.Name, c.Conclusion)
		}
	}
}
