package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clone makes the place a clone with this cycle, and returns the commit that main is at
// where it was cloned from.
func (p *place) clone(cycle string) string {
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
	server := filepath.Join(p.t.TempDir(), "server")
	git(p.dir, "init", "--quiet", "--initial-branch=main")
	git(p.dir, "add", "flake.nix", "snowdrop.yaml")
	git(p.dir, "commit", "--quiet", "-m", "one")
	git(p.dir, "clone", "--quiet", "--bare", p.dir, server)
	git(p.dir, "remote", "add", "origin", "file://"+filepath.ToSlash(server))
	return git(p.dir, "rev-parse", "HEAD")
}

func TestACycleIsTakenAtItsRefByEveryCommandThatBuilds(t *testing.T) {
	t.Parallel()
	p := acme(t)
	said := "main is at " + p.clone(`{cron: "0 3 * * *", ref: main}`)[:7]
	hasAll(t, p.want(0, "plan", "--cycle", "nightly", "--no-build"), said, "web-1")
	hasAll(t, p.want(0, "build", "--cycle", "nightly"), said)
	hasAll(t, p.want(0, "deploy", "--cycle", "nightly", "--yes"), said, "1 server verified")
	hasAll(t, p.want(0, "deploy", "--cycle", "nightly", "--yes"), said, "nothing to do")
	if out := p.want(0, "status", "--cycle", "nightly"); strings.Contains(out, said) {
		t.Errorf("status looks for the ref:\n%s", out)
	}
}

// TestAFailedUpdateFailsADeployThatIsDoneAllTheSame is with a Nix that cannot update
// anything.
func TestAFailedUpdateFailsADeployThatIsDoneAllTheSame(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.clone(`{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	hasAll(t, p.want(0, "build", "--cycle", "nightly"), "main is at")
	hasAll(t, p.want(1, "plan", "--cycle", "nightly", "--no-build"), "web-1", "snowdrop: the flake's inputs were not brought up to date for cycle nightly")
	hasAll(t, p.want(1, "deploy", "--cycle", "nightly", "--yes"), "1 server verified", "snowdrop: the flake's inputs were not brought up to date for cycle nightly")
	hasAll(t, p.want(1, "deploy", "--cycle", "nightly", "--yes", "--json"), `"kind":"warning"`, "main is deployed as it is")
	// What is asked for by its commit needs no update.
	hasAll(t, p.want(0, "deploy", "--cycle", "nightly", "--yes", "--revision", strings.Repeat("1", 40)), "nothing to do")
}

func TestThatNoServerIsInTheCycleIsSaid(t *testing.T) {
	t.Parallel()
	p := acme(t)
	p.clone("{cron: \"0 3 * * *\", ref: main}\n  weekly: {cron: \"0 4 * * 1\", ref: main}")
	hasAll(t, p.want(0, "deploy", "--cycle", "weekly", "--yes"), "no server is in the cycle weekly, so there is nothing to do")
	hasAll(t, p.want(0, "plan", "--cycle", "weekly", "--server", "web"), "none of web is in the cycle weekly")
}
