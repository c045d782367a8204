package action_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/action"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/lab/nixplay"
	"github.com/versatus/snowdrop/internal/release"
)

// TestMain makes this test program the nix of the action.
func TestMain(m *testing.M) {
	if nixplay.IsNix() {
		os.Exit(nixplay.Run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(withNix(m))
}

func withNix(m *testing.M) int {
	remove, err := nixplay.Link()
	if err != nil {
		panic(err)
	}
	defer remove()
	return m.Run()
}

// What nothing that leaves may ever hold.
const (
	secretToken  = "canary-token-5f1e9b2c77"
	secretSpace  = "canary-space-secret-83ad01ce55"
	secretFile   = "canary-content-of-a-file-b7d2"
	secretGitHub = "canary-github-token-77ab02c9"
)

const fleetFile = `space: {bucket: acme, region: nyc3}
defaults:
  rollout: {on-failure: rollback}
  verify: {soak: 100ms, timeout: 2m}
servers:
  web:
    image: .#web-image
    system: .#web-toplevel
    droplets: {names: [web-1]}
    url: https://www.example.com
    cycle: nightly
    files: [{path: /var/lib/key, from: {env: API_KEY}}]
    verify: {units: [nginx.service]}
  api:
    image: .#api-image
    system: .#api-toplevel
    droplets: {names: [api-1]}
    verify: {units: [nginx.service]}
cycles:
  nightly: {cron: "0 3 * * *"}
`

// project is a repository on GitHub, checked out, with a lab behind it.
type project struct {
	t      *testing.T
	dir    string
	lab    *lab.Lab
	hub    *hub.Hub
	hubURL string
	env    map[string]string
	run    int64
	image  map[string]lab.ImageSpec
}

func sha(digit string) string { return strings.Repeat(digit, 40) }

func newProject(t *testing.T, tokens ...hub.Token) *project {
	t.Helper()
	l, err := lab.Start(context.WithoutCancel(t.Context()), lab.Config{
		Token: secretToken, SecretKey: secretSpace, Bucket: "acme", StateDir: t.TempDir(), Timings: lab.Instant(),
		Droplets: []lab.DropletSpec{{Name: "web-1"}, {Name: "api-1"}},
	})
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	if len(tokens) == 0 {
		tokens = []hub.Token{{Value: secretGitHub}}
	}
	p := &project{t: t, dir: t.TempDir(), lab: l, hub: hub.New(hub.Config{Tokens: tokens}), env: map[string]string{}, run: 1000}
	server := httptest.NewServer(p.hub)
	t.Cleanup(server.Close)
	p.hubURL = server.URL
	for _, line := range l.Env() {
		name, value, _ := strings.Cut(line, "=")
		p.env[name] = value
	}
	for name, value := range map[string]string{
		"SNOWDROP_POLL": "20ms", "API_KEY": secretFile, "GITHUB_API_URL": p.hubURL, "GITHUB_SERVER_URL": p.hubURL,
		"GITHUB_REPOSITORY": "acme/fleet", "GITHUB_WORKSPACE": p.dir, "GITHUB_ACTOR": "mona", "GITHUB_RUN_ATTEMPT": "1",
		"GITHUB_OUTPUT": filepath.Join(p.dir, ".output"), "GITHUB_STEP_SUMMARY": filepath.Join(p.dir, ".summary"),
		"INPUT_GITHUB-TOKEN": secretGitHub, "INPUT_CONFIG": "snowdrop.yaml",
	} {
		p.env[name] = value
	}
	p.write("snowdrop.yaml", fleetFile)
	p.image = map[string]lab.ImageSpec{"web": web("a"), "api": web("a")}
	check(t, p.hub.AddCommit(hub.Commit{SHA: sha("1"), Message: "The first"}))
	check(t, p.hub.SetBranch("main", sha("1")))
	p.checkOut("1", nil)
	return p
}

// impatient is a clock by which the pauses between writes to GitHub are short.
type impatient struct{}

func (impatient) Now() time.Time { return time.Now() }

func (impatient) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / 100)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func web(change string) lab.ImageSpec {
	s := lab.ImageSpec{SizeMiB: 2, Users: []string{change}, Units: map[string]string{"nginx.service": "active"}}
	if change == "broken" {
		s.Boot, s.Units = "failed-unit", map[string]string{"nginx.service": "failed"}
		s.Failed = []release.Unit{{
			Name: "nginx.service", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1,
			Journal: []string{`unknown directive "listn" in nginx.conf:14`, "::error::from the journal", "the key is " + secretFile},
		}}
	}
	return s
}

func (p *project) write(name, text string) {
	p.t.Helper()
	check(p.t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
}

// checkOut makes a commit the one that Nix sees.
func (p *project) checkOut(digit string, faults map[string]nixplay.Fault) {
	p.t.Helper()
	data, err := json.Marshal(nixplay.Project{
		Builder: lab.Builder{
			Servers: p.image, Revision: sha(digit), API: p.lab.APIURL(), At: time.Date(2026, 3, int(digit[0]-'0'), 9, 0, 0, 0, time.UTC),
		},
		Faults: faults,
	})
	check(p.t, err)
	p.write(nixplay.Name, string(data))
}

// ended is how a run of the action ended.
type ended struct {
	exit         int
	log, summary string
	outputs      map[string]string
}

// action runs the action on an event.
func (p *project) action(ctx context.Context, event, commit string, payload map[string]any, inputs ...string) ended {
	p.t.Helper()
	p.run++
	data, err := json.Marshal(payload)
	check(p.t, err)
	p.write(".event.json", string(data))
	for _, file := range []string{".output", ".summary"} {
		_ = os.Remove(filepath.Join(p.dir, file))
	}
	env := map[string]string{
		"GITHUB_EVENT_NAME": event, "GITHUB_SHA": sha(commit), "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": fmt.Sprint(p.run),
		"GITHUB_EVENT_PATH": filepath.Join(p.dir, ".event.json"),
	}
	for i := 0; i < len(inputs); i += 2 {
		env["INPUT_"+strings.ToUpper(inputs[i])] = inputs[i+1]
	}
	var log bytes.Buffer
	e := ended{outputs: map[string]string{}}
	e.exit = action.Run(ctx, action.IO{Out: &log, Clock: impatient{}, Getenv: func(name string) string {
		if value, ok := env[name]; ok {
			return value
		}
		return p.env[name]
	}})
	e.log = log.String()
	e.summary, _ = p.read(".summary")
	text, _ := p.read(".output")
	for text != "" {
		name, rest, _ := strings.Cut(text, "<<")
		delimiter, rest, _ := strings.Cut(rest, "\n")
		value, after, ok := strings.Cut(rest, "\n"+delimiter+"\n")
		if !ok {
			p.t.Fatalf("an output without its end: %q", text)
		}
		e.outputs[name], text = value, after
	}
	p.noSecretLeft(e)
	return e
}

func (p *project) read(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	return string(data), err
}

// noSecretLeft looks for secrets in all that left the action, the commands that
// have the runner hide them set aside.
func (p *project) noSecretLeft(e ended) {
	p.t.Helper()
	var log strings.Builder
	for line := range strings.Lines(e.log) {
		if !strings.HasPrefix(line, "::add-mask::") {
			log.WriteString(line)
		}
	}
	state, err := json.Marshal(p.hub.State())
	check(p.t, err)
	for where, text := range map[string]string{
		"the log": log.String(), "the summary": e.summary, "the outputs": fmt.Sprint(e.outputs), "GitHub": string(state),
	} {
		for _, secret := range []string{secretToken, secretSpace, secretFile, secretGitHub, "X-Amz-Signature=", "PRIVATE KEY-----\n"} {
			if at := strings.Index(strings.ReplaceAll(text, "X-Amz-Signature=***", ""), secret); at >= 0 {
				p.t.Errorf("%s holds %s", where, secret)
			}
		}
	}
}

func (e ended) demand(t *testing.T, exit int) {
	t.Helper()
	if e.exit != exit {
		t.Fatalf("exit %d instead of %d:\n%s", e.exit, exit, e.log)
	}
}

func pullRequest(number int, head string, fork bool) map[string]any {
	from := "acme/fleet"
	if fork {
		from = "mona/fleet"
	}
	return map[string]any{
		"action": "opened", "repository": map[string]any{"default_branch": "main", "full_name": "acme/fleet"},
		"pull_request": map[string]any{
			"number": number, "head": map[string]any{"sha": sha(head), "repo": map[string]any{"full_name": from}},
			"base": map[string]any{"sha": sha("1"), "repo": map[string]any{"full_name": "acme/fleet"}},
		},
	}
}

func push() map[string]any {
	return map[string]any{"repository": map[string]any{"default_branch": "main", "full_name": "acme/fleet"}}
}

func (p *project) checks(commit string) map[string]hub.Check {
	out := map[string]hub.Check{}
	for _, c := range p.hub.State().Checks {
		if c.HeadSHA == sha(commit) {
			out[c.Name] = c
		}
	}
	return out
}
