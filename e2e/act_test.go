//go:build linux && e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// canary is a secret that is given to a workflow and must be found nowhere after.
type canary struct{ name, value string }

// actor runs workflows of the project with act, as GitHub's runner would: the
// action's container is built from the Dockerfile and started with the event.
type actor struct {
	w *world
	// dir holds what the runs left: logs and events.
	dir     string
	secrets []canary
	env     []string
	runs    int
}

// ran is how a workflow ended.
type ran struct {
	exit int
	log  string
	took time.Duration
}

// newActor prepares the runs. The variables lead the action to the lab; everything
// else it gets as the example workflows give it.
func newActor(t *testing.T, w *world) *actor {
	t.Helper()
	a := &actor{w: w, dir: filepath.Join(w.dir, "runs")}
	check(t, os.Mkdir(a.dir, 0o700))
	leads := []string{"DIGITALOCEAN_API_URL", "SPACES_ENDPOINT_URL", "SNOWDROP_SSH_JUMP", "SNOWDROP_SSH_JUMP_HOST_KEY", "SNOWDROP_POLL"}
	for _, line := range w.env {
		name, value, _ := strings.Cut(line, "=")
		switch {
		case slices.Contains(leads, name):
			a.env = append(a.env, line)
		case name == "DIGITALOCEAN_ACCESS_TOKEN" || name == "SSH_PRIVATE_KEY" || strings.HasPrefix(name, "SPACES_"):
			a.secrets = append(a.secrets, canary{name, value})
		}
	}
	a.secrets = append(a.secrets, canary{"GREETER_TOKEN", apiKey}, canary{"GITHUB_TOKEN", githubToken})
	for _, line := range w.lab.GitHubEnv() {
		if !strings.HasPrefix(line, "GITHUB_TOKEN=") {
			a.env = append(a.env, line)
		}
	}
	return a
}

// options change one run.
type options struct {
	// without are secrets that the workflow does not get.
	without []string
	// token is another one of GitHub's.
	token string
	// during is called while the workflow runs, until it returns true.
	during func(container string) bool
}

// run runs a workflow of examples/workflows on an event.
func (a *actor) run(ctx context.Context, t *testing.T, workflow, event string, payload any, o options) ran {
	t.Helper()
	a.runs++
	data, err := json.MarshalIndent(payload, "", "  ")
	check(t, err)
	eventFile := filepath.Join(a.dir, fmt.Sprintf("%d-event.json", a.runs))
	check(t, os.WriteFile(eventFile, data, 0o600))
	repository, err := filepath.Abs("..")
	check(t, err)
	args := []string{
		event, "-W", filepath.Join(".github/workflows", workflow), "-e", eventFile,
		"-P", "ubuntu-latest=debian:trixie-slim", "--pull=false", "--action-offline-mode", "--network", "host", "--rm", "--bind", "--insecure-secrets",
		"--container-options", fmt.Sprintf("-v %[1]s:%[1]s:ro -v %[2]s:%[2]s:ro", tree(), toolsDir()),
		"--local-repository", "versatus/snowdrop@v1=" + repository,
		"--env", fmt.Sprintf("GITHUB_RUN_ID=%d", 9000+a.runs),
	}
	for _, line := range a.env {
		args = append(args, "--env", line)
	}
	cmd := exec.CommandContext(ctx, "act", args...)
	cmd.Dir = a.w.project.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(a.w.dir, "cache"), "XDG_CACHE_HOME=" + filepath.Join(a.w.dir, "cache")}
	for _, s := range a.secrets {
		if slices.Contains(o.without, s.name) {
			continue
		}
		if s.name == "GITHUB_TOKEN" && o.token != "" {
			s.value = o.token
		}
		// act takes the value from its environment, where lines may end in it.
		cmd.Args = append(cmd.Args, "-s", s.name)
		cmd.Env = append(cmd.Env, s.name+"="+s.value)
	}
	var log bytes.Buffer
	cmd.Stdout = &lockedWriter{to: &log}
	cmd.Stderr = cmd.Stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	began := time.Now()
	check(t, cmd.Start())
	stop := make(chan struct{})
	if o.during != nil {
		go a.watch(ctx, stop, o.during)
	}
	err = cmd.Wait()
	close(stop)
	r := ran{log: log.String(), took: time.Since(began)}
	check(t, os.WriteFile(filepath.Join(a.dir, fmt.Sprintf("%d-%s.log", a.runs, workflow)), log.Bytes(), 0o600))
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		r.exit = exit.ExitCode()
	case err != nil:
		t.Fatalf("act: %v\n%s", err, r.log)
	}
	t.Logf("act %s with %s: exit %d after %s", event, workflow, r.exit, r.took.Round(100*time.Millisecond))
	return r
}

// watch calls during with the action's container, again and again until it returns
// true or the run has ended.
func (a *actor) watch(ctx context.Context, stop <-chan struct{}, during func(container string) bool) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		out, err := exec.CommandContext(ctx, "docker", "ps", "--no-trunc", "--format", "{{.ID}} {{.Command}}").Output()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(out)) {
			id, command, _ := strings.Cut(strings.TrimSpace(line), " ")
			if strings.Contains(command, "snowdrop action") && during(id) {
				return
			}
		}
	}
}

// demand fails the test unless the workflow ended well, or did not, as wanted.
func (r ran) demand(t *testing.T, well bool) {
	t.Helper()
	if (r.exit == 0) != well {
		t.Fatalf("act ended with %d:\n%s", r.exit, tail(r.log, 120))
	}
}

// toolsDir is what e2e/images makes: programs for builds in a container.
func toolsDir() string {
	cache := os.Getenv("SNOWDROP_E2E_CACHE")
	if cache == "" {
		cache = "/var/cache/snowdrop-e2e"
	}
	return filepath.Join(cache, "tools")
}
