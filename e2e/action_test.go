//go:build linux && e2e

package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// actionFleet is the fleet file of the workflows in examples/workflows: its cycles
// have their crons, and the secret has the name that they give it.
const actionFleet = `flake: .
space: {bucket: ` + bucket + `, region: ` + region + `, prefix: ` + prefix + `}
nix:
  options: {sandbox: "false", build-users-group: "", substituters: ""}
defaults:
  keep: 2
  rollout: {on-failure: rollback}
  verify: {soak: 2s, timeout: 60s}
servers:
  web:
    droplets: {names: [web-1, web-2]}
    rollout: {batch: 1}
    url: https://www.example.com
    verify:
      units: [web.service]
      http: [{url: "http://{{.IPv4}}:8080/healthz"}]
  api:
    droplets: {names: [api-1]}
    files:
      - {path: /var/lib/api/key, from: {env: GREETER_TOKEN}, restart: [api.service]}
    verify: {units: [api.service]}
  db:
    droplets: {names: [db-1]}
    cycle: nightly
    verify: {units: [db.service], tcp: [22, 5432]}
cycles:
  nightly: {cron: "0 3 * * *", ref: release}
  bi-weekly: {cron: "0 3 1,15 * *"}
`

// stage is a fleet whose workflows run.
type stage struct {
	*world
	act *actor
}

// TestAction takes a repository through its life on GitHub, with the workflows of
// examples/workflows as they are. Each part goes on from where the one before it
// ended, so a failure ends it all.
func TestAction(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t, actionFleet, "act", "docker")
	check(t, os.CopyFS(filepath.Join(w.project.dir, ".github", "workflows"), os.DirFS("../examples/workflows")))
	s := &stage{world: w, act: newActor(t, w)}
	w.project.release(ctx, t, 1)
	w.publish(ctx, t)
	w.look(ctx, t) // waits until all of them have booted
	for _, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *stage)
	}{
		{"a push deploys images that Nix built inside the container", pushDeploys},
		{"a pull request gets a check for each server and a comment", pullRequest},
		{"another commit updates the same comment", pullRequestAgain},
		{"the merge deploys, and the pull request is told", mergeDeploys},
		{"a dispatch rebuilds one server", dispatchRebuilds},
		{"a schedule deploys the servers of its cycle", scheduleDeploys},
		{"a broken release is red with the unit's journal, and rolled back", brokenDeploy},
		{"an error of Nix is annotated at its line", nixError},
		{"a pull request from a fork is evaluated without secrets", forkEvaluated},
		{"a cancelled run says what state each droplet is in", cancelled},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, s); s.noCanary(t) }) {
			t.FailNow()
		}
	}
	s.screenshots(ctx, t)
}

func pushDeploys(ctx context.Context, t *testing.T, s *stage) {
	before := s.look(ctx, t)
	r := s.act.run(ctx, t, "deploy.yml", "push", s.pushEvent(ctx, t), options{})
	r.demand(t, true)
	after := s.look(ctx, t)
	for _, name := range droplets() {
		if before[name].boot == after[name].boot || !strings.HasSuffix(after[name].system, "-nixos-system-"+serverOf(name)+"-25.05") {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
		// The container's store is its own: what runs was never on this machine.
		if _, err := os.Stat(after[name].system); err == nil {
			t.Errorf("%s runs %s, which this machine built", name, after[name].system)
		}
	}
	head := s.head(ctx, t)
	s.conclusions(t, head, map[string]string{"web": "success", "api": "success", "db": "success"})
	if got := s.deployed(head); len(got) != 3 || got["web"] != "success" || got["api"] != "success" || got["db"] != "success" {
		t.Errorf("deployments: %v", got)
	}
	s.nothingLeft(ctx, t)
	if key, _ := s.on(ctx, t, "api-1", "cat /var/lib/api/key"); key != apiKey {
		t.Errorf("the secret on api-1 is %q", key)
	}
}

func pullRequest(ctx context.Context, t *testing.T, s *stage) {
	s.project.git(ctx, t, "checkout", "-q", "-b", "change")
	s.project.release(ctx, t, 2)
	s.publish(ctx, t)
	p, err := s.lab.GitHub().AddPull(hub.Pull{Title: "Release 2", Body: "All servers say that they are release 2.", Author: "mona", HeadSHA: s.head(ctx, t), HeadRef: "change"})
	check(t, err)
	before := s.look(ctx, t)
	s.act.run(ctx, t, "preview.yml", "pull_request", s.pullEvent("opened", p), options{}).demand(t, true)
	s.conclusions(t, p.HeadSHA, map[string]string{"web": "success", "api": "success", "db": "success"})
	comments := s.comments(p.Number)
	if len(comments) != 1 || len(comments[0].Earlier) > 0 || !strings.Contains(comments[0].Body, "3 servers will be rebuilt") ||
		!strings.Contains(comments[0].Body, "wipes the disk") {
		t.Fatalf("comments: %+v", comments)
	}
	if after := s.look(ctx, t); after["web-1"] != before["web-1"] {
		t.Errorf("a plan changed web-1: %v", after)
	}
	if got := s.deployed(p.HeadSHA); len(got) > 0 {
		t.Errorf("a plan made deployments: %v", got)
	}
}

func pullRequestAgain(ctx context.Context, t *testing.T, s *stage) {
	s.project.release(ctx, t, 2, "db release 2", "db release 2, really")
	s.publish(ctx, t)
	p := s.pull(t, 1)
	if p.HeadSHA != s.head(ctx, t) {
		t.Fatalf("GitHub's head is %s", p.HeadSHA)
	}
	s.act.run(ctx, t, "preview.yml", "pull_request", s.pullEvent("synchronize", p), options{}).demand(t, true)
	s.conclusions(t, p.HeadSHA, map[string]string{"web": "success", "api": "success", "db": "success"})
	comments := s.comments(p.Number)
	if len(comments) != 1 || len(comments[0].Earlier) != 1 || !strings.Contains(comments[0].Body, p.HeadSHA[:7]) {
		t.Fatalf("comments: %+v", comments)
	}
}

func mergeDeploys(ctx context.Context, t *testing.T, s *stage) {
	s.project.git(ctx, t, "checkout", "-q", "main")
	s.project.git(ctx, t, "merge", "-q", "--no-ff", "-m", "Merge pull request #1", "change")
	s.publish(ctx, t)
	head := s.head(ctx, t)
	check(t, s.lab.GitHub().Merge(1, head))
	before := s.look(ctx, t)
	s.act.run(ctx, t, "deploy.yml", "push", s.pushEvent(ctx, t), options{}).demand(t, true)
	after := s.look(ctx, t)
	for _, name := range droplets() {
		if before[name].boot == after[name].boot || before[name].system == after[name].system {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
	}
	s.conclusions(t, head, map[string]string{"web": "success", "api": "success", "db": "success"})
	if got := s.deployed(head); len(got) != 3 || got["web"] != "success" {
		t.Errorf("deployments: %v", got)
	}
	comments := s.comments(1)
	if len(comments) != 2 || !strings.Contains(comments[1].Body, "3 servers verified") {
		t.Fatalf("comments: %+v", comments)
	}
	for _, d := range s.lab.GitHub().State().Deployments {
		if d.Environment == "production/web" && d.Latest().State == "success" && d.Latest().EnvironmentURL != "https://www.example.com" {
			t.Errorf("web is at %q", d.Latest().EnvironmentURL)
		}
	}
}

func dispatchRebuilds(ctx context.Context, t *testing.T, s *stage) {
	before := s.look(ctx, t)
	event := map[string]any{"repository": repository(s.world), "inputs": map[string]any{"servers": "api", "command": "rebuild", "dry-run": "false"}}
	s.act.run(ctx, t, "rebuild.yml", "workflow_dispatch", event, options{}).demand(t, true)
	after := s.look(ctx, t)
	for _, name := range droplets() {
		if changed := before[name].boot != after[name].boot; changed != (name == "api-1") || before[name].system != after[name].system {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
	}
}

// scheduleDeploys has a branch that the checkout has never heard of, with a release
// that main does not have.
func scheduleDeploys(ctx context.Context, t *testing.T, s *stage) {
	revision := s.releaseElsewhere(ctx, t, "release", 3)
	before, head := s.look(ctx, t), s.head(ctx, t)
	event := map[string]any{"schedule": "0 3 * * *", "repository": repository(s.world)}
	s.act.run(ctx, t, "cycle.yml", "schedule", event, options{}).demand(t, true)
	after := s.look(ctx, t)
	for _, name := range droplets() {
		if changed := before[name].system != after[name].system; changed != (name == "db-1") {
			t.Errorf("%s: %+v, before: %+v", name, after[name], before[name])
		}
	}
	s.conclusions(t, revision, map[string]string{"db": "success"})
	if got := s.deployed(revision); len(got) != 1 || got["db"] != "success" {
		t.Errorf("deployments: %v", got)
	}
	if now, status := s.head(ctx, t), s.project.git(ctx, t, "status", "--short"); now != head || status != "" {
		t.Errorf("the checkout is at %s, before at %s; %s", now, head, status)
	}
	// The same again finds nothing to do.
	again := s.act.run(ctx, t, "cycle.yml", "schedule", event, options{})
	again.demand(t, true)
	if now := s.look(ctx, t); now["db-1"] != after["db-1"] || !strings.Contains(again.log, "nothing to do") {
		t.Errorf("%+v, before %+v\n%s", now["db-1"], after["db-1"], tail(again.log, 40))
	}
}

// releaseElsewhere commits a release to a new branch of the repository that the
// checkout was cloned from, which is reached by the address of GitHub's.
func (w *world) releaseElsewhere(ctx context.Context, t *testing.T, branch string, n int) string {
	t.Helper()
	// What lies below the checkout is there in the action's container.
	origin, work := filepath.Join(w.project.dir, ".git", "origin.git"), filepath.Join(w.dir, "elsewhere")
	w.project.git(ctx, t, "clone", "-q", "--bare", w.project.dir, origin)
	w.project.git(ctx, t, "config", "url.file://"+origin+".insteadOf", "https://github.com/acme/fleet")
	w.project.git(ctx, t, "clone", "-q", origin, work)
	elsewhere := *w.project
	elsewhere.dir = work
	elsewhere.git(ctx, t, "config", "user.name", "e2e")
	elsewhere.git(ctx, t, "config", "user.email", "e2e@example.com")
	elsewhere.git(ctx, t, "checkout", "-q", "-b", branch)
	revision := elsewhere.release(ctx, t, n)
	elsewhere.git(ctx, t, "push", "-q", "origin", branch)
	w.project.commits, w.project.revisions = elsewhere.commits, elsewhere.revisions
	check(t, w.lab.GitHub().AddCommit(hub.Commit{SHA: revision, Parents: []string{w.head(ctx, t)}, Message: "elsewhere", Author: "mona"}))
	return revision
}

func brokenDeploy(ctx context.Context, t *testing.T, s *stage) {
	broken := strings.Replace(brokenUnit, "listn", "listn::error::from the journal", 1)
	s.project.release(ctx, t, 3, strings.Replace(goodUnit, "release 2", "release 3", 1), broken)
	s.publish(ctx, t)
	before := s.look(ctx, t)
	r := s.act.run(ctx, t, "deploy.yml", "push", s.pushEvent(ctx, t), options{})
	r.demand(t, false)
	after := s.look(ctx, t)
	if before["web-1"].system != after["web-1"].system || before["web-1"].boot == after["web-1"].boot || before["web-2"] != after["web-2"] {
		t.Errorf("web was not rolled back: %v, before %v", after, before)
	}
	head := s.head(ctx, t)
	s.conclusions(t, head, map[string]string{"web": "failure", "api": "success", "db": "success"})
	web := s.checks(head)["web"]
	if !strings.Contains(web.Text, "web.conf:14: unknown directive listn") || !strings.Contains(web.Title, "rolled back") {
		t.Errorf("the check does not say why: %s\n%s", web.Title, web.Text)
	}
	if got := s.deployed(head)["web"]; got != "failure" {
		t.Errorf("web's deployment ended as %s", got)
	}
}

func nixError(ctx context.Context, t *testing.T, s *stage) {
	s.project.git(ctx, t, "checkout", "-q", "-b", "typo")
	s.project.release(ctx, t, 3, `ExecStart=${httpd}/bin/httpd 8080`, `ExecStart=${htpd}/bin/httpd 8080`)
	s.publish(ctx, t)
	p, err := s.lab.GitHub().AddPull(hub.Pull{Title: "A typing error", Author: "mona", HeadSHA: s.head(ctx, t), HeadRef: "typo"})
	check(t, err)
	s.act.run(ctx, t, "preview.yml", "pull_request", s.pullEvent("opened", p), options{}).demand(t, false)
	line := 0
	text, err := os.ReadFile(filepath.Join(s.project.dir, "release.nix"))
	check(t, err)
	for i, l := range strings.Split(string(text), "\n") {
		if strings.Contains(l, "${htpd}") {
			line = i + 1
		}
	}
	var found []hub.Annotation
	for _, c := range s.checks(p.HeadSHA) {
		found = append(found, c.Annotations...)
	}
	if !slices.ContainsFunc(found, func(a hub.Annotation) bool {
		return a.Path == "release.nix" && a.StartLine == line && strings.Contains(a.Message, "undefined variable 'htpd'")
	}) {
		t.Errorf("no annotation at release.nix:%d: %+v", line, found)
	}
	s.project.git(ctx, t, "checkout", "-q", "main")
}

func forkEvaluated(ctx context.Context, t *testing.T, s *stage) {
	s.project.git(ctx, t, "checkout", "-q", "-b", "from-a-fork")
	s.project.release(ctx, t, 4)
	s.publish(ctx, t)
	p, err := s.lab.GitHub().AddPull(hub.Pull{Title: "From a fork", Author: "octocat", HeadSHA: s.head(ctx, t), HeadRef: "change", HeadRepository: "octocat/fleet"})
	check(t, err)
	before := s.look(ctx, t)
	s.lab.ResetRequests()
	s.spy.take()
	r := s.act.run(ctx, t, "preview.yml", "pull_request", s.pullEvent("opened", p), options{
		token: readToken,
		without: []string{
			"DIGITALOCEAN_ACCESS_TOKEN", "SPACES_ACCESS_KEY_ID", "SPACES_SECRET_ACCESS_KEY", "SSH_PRIVATE_KEY", "GREETER_TOKEN",
		},
	})
	r.demand(t, true)
	for _, want := range []string{"evaluated", "cannot be written", "≈"} { // an estimate, from the derivations of base and head
		if !strings.Contains(r.log, want) {
			t.Errorf("the log does not say %q:\n%s", want, tail(r.log, 60))
		}
	}
	for _, request := range s.lab.Requests() {
		if request.Service == "api" || request.Method != "GET" && request.Status < 400 {
			t.Errorf("it asked for %s %s", request.Method, request.Path)
		}
	}
	if seen := s.spy.take(); len(seen) > 0 {
		t.Errorf("it spoke to the Space: %+v", seen)
	}
	if after := s.look(ctx, t); after["web-1"] != before["web-1"] {
		t.Error("web-1 changed")
	}
	s.project.git(ctx, t, "checkout", "-q", "main")
}

// cancelled cancels as GitHub does: SIGINT to the container's first process.
func cancelled(ctx context.Context, t *testing.T, s *stage) {
	s.project.release(ctx, t, 5)
	s.publish(ctx, t)
	head := s.head(ctx, t)
	s.lab.ResetRequests()
	var sent, concluded time.Time
	s.act.run(ctx, t, "deploy.yml", "push", s.pushEvent(ctx, t), options{during: func(container string) bool {
		switch {
		case sent.IsZero() && s.rebuilding():
			if exec.CommandContext(ctx, "docker", "kill", "--signal", "INT", container).Run() == nil {
				sent = time.Now()
			}
		case !sent.IsZero() && s.allConcluded(head):
			concluded = time.Now()
			return true
		}
		return false
	}}).demand(t, false)
	if sent.IsZero() {
		t.Fatal("it was not cancelled")
	}
	if concluded.IsZero() && s.allConcluded(head) {
		concluded = time.Now()
	}
	t.Logf("the checks were concluded %s after the signal", concluded.Sub(sent).Round(100*time.Millisecond))
	if concluded.IsZero() || concluded.Sub(sent) > 7*time.Second {
		t.Errorf("the checks were concluded at %v, the signal was sent at %v", concluded, sent)
	}
	web := s.checks(head)["web"]
	if web.Conclusion != "cancelled" || !strings.Contains(web.Summary+web.Text, "web-1") {
		t.Errorf("the check of web: %s %q\n%s\n%s", web.Conclusion, web.Title, web.Summary, web.Text)
	}
	s.nothingLeft(ctx, t)
}

// rebuilding says whether a rebuild was asked for: the checks are too slow to be
// watched for it.
func (s *stage) rebuilding() bool {
	return slices.ContainsFunc(s.lab.Requests(), func(r lab.Request) bool {
		return r.Method == "POST" && strings.HasPrefix(r.Path, "/v2/droplets/") && strings.HasSuffix(r.Path, "/actions")
	})
}

func (s *stage) allConcluded(head string) bool {
	all := s.checks(head)
	for _, c := range all {
		if c.Status != "completed" {
			return false
		}
	}
	return len(all) == 3
}

// noCanary looks for the secrets, in all their forms, in all that the runs left:
// their logs, GitHub, the Space, the workspace.
func (s *stage) noCanary(t *testing.T) {
	t.Helper()
	forms := canaryForms(s.act.secrets)
	look := func(where, text string) {
		text = strings.ReplaceAll(text, "X-Amz-Signature=***", "")
		for form, name := range forms {
			if strings.Contains(text, form) {
				t.Errorf("%s holds %s", where, name)
			}
		}
	}
	look("GitHub", fmt.Sprintf("%+v", s.lab.GitHub().State()))
	for _, request := range s.lab.Requests() {
		if request.Service == "github" { // DigitalOcean has to be told where the image lies
			look("a request to "+request.Path, request.Body)
		}
	}
	for _, dir := range []string{s.act.dir, s.gateway.dir, s.project.dir} {
		check(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if info, err := entry.Info(); err != nil || info.Size() > 16<<20 {
				return err
			}
			data, err := os.ReadFile(name)
			look(name, string(data))
			return err
		}))
	}
}
