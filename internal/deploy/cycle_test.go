package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/nix"
)

// forge is a fleet's repository as a server has it, a clone of it that a cycle runs in,
// and the world around.
type forge struct {
	t *testing.T
	// server is its address, work is where people commit, clone is where the cycle runs.
	server, work, clone string
	source              deploy.CycleSource
	nix                 *updater
	hub                 *proposer

	mu   sync.Mutex
	said []string
}

// updater stands for Nix: it sets an input's revision in flake.lock.
type updater struct {
	// to is the revision, by input; all of them are set where none is asked for.
	to   map[string]string
	also string // another file that is written
	err  error
	dirs []string
	// meanwhile happens while Nix is at it.
	meanwhile func()
	// evaluated are the installables that were asked for; broken is why they do not
	// evaluate, and looked happens meanwhile.
	evaluated []string
	broken    error
	looked    func()
}

func (u *updater) Evaluate(_ context.Context, installables []string) ([]nix.Output, error) {
	u.evaluated = append(u.evaluated, installables...)
	if u.looked != nil {
		u.looked()
	}
	return make([]nix.Output, len(installables)), u.broken
}

func (u *updater) Update(_ context.Context, dir string, inputs []string, _ nix.Progress) error {
	u.dirs = append(u.dirs, filepath.Base(dir))
	if u.meanwhile != nil {
		u.meanwhile()
	}
	if u.err != nil {
		return u.err
	}
	if u.also != "" {
		if err := os.WriteFile(filepath.Join(dir, u.also), nil, 0o600); err != nil {
			return err
		}
	}
	for input, to := range u.to {
		data, err := os.ReadFile(filepath.Join(dir, "flake.lock"))
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(data), `"`+input+`": {"locked": {"rev": "`)
		from, _, _ := strings.Cut(rest, `"`)
		if len(inputs) > 0 && !strings.Contains(strings.Join(inputs, " "), input) || from == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, "flake.lock"), []byte(strings.Replace(string(data), from, to, 1)), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// proposer stands for GitHub.
type proposer struct {
	got []github.Proposal
	err error
	// withdrawn are the branches whose pull request was closed.
	withdrawn []string
}

func (p *proposer) Withdraw(_ context.Context, head, base, why string) (github.Pull, bool, error) {
	p.withdrawn = append(p.withdrawn, head+" into "+base+": "+why)
	return github.Pull{Number: 8, URL: "https://github.com/acme/fleet/pull/8"}, p.err == nil, p.err
}

func (p *proposer) Propose(_ context.Context, pull github.Proposal) (github.Pull, github.Outcome, error) {
	if p.err != nil {
		return github.Pull{}, "", p.err
	}
	p.got = append(p.got, pull)
	return github.Pull{Number: 8, URL: "https://github.com/acme/fleet/pull/8"}, github.Created, nil
}

// updateBranch is where the cycle's updates are offered: its fleet file is not the
// default one.
const updateBranch = "snowdrop/nix/snowdrop.yaml/update-nightly"

const lockFile = `{"nodes": {
  "nixpkgs": {"locked": {"rev": "1111111111111111111111111111111111111111", "type": "github", "owner": "NixOS", "repo": "nixpkgs"}},
  "home": {"locked": {"rev": "2222222222222222222222222222222222222222", "type": "github", "owner": "nix-community", "repo": "home-manager"}},
  "root": {"inputs": {"nixpkgs": "nixpkgs", "home": "home"}}},
  "root": "root"}
`

// newForge makes a fleet whose cycle "nightly" is as given, in a clone with one commit.
func newForge(t *testing.T, cycle string) *forge {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here")
	}
	dir := t.TempDir()
	f := &forge{
		t: t, server: "file://" + filepath.ToSlash(filepath.Join(dir, "server")), work: filepath.Join(dir, "work"), clone: filepath.Join(dir, "clone"),
		nix: &updater{to: map[string]string{"nixpkgs": strings.Repeat("3", 40)}}, hub: &proposer{},
	}
	f.git(dir, "init", "--quiet", "--bare", "--initial-branch=main", "server")
	f.git(dir, "clone", "--quiet", f.server, "work")
	f.git(f.work, "checkout", "--quiet", "-B", "main")
	check(t, os.Mkdir(filepath.Join(f.work, "nix"), 0o700))
	f.write("flake.nix", "{ }")
	f.write("flake.lock", lockFile)
	f.write("nix/snowdrop.yaml", "space: {bucket: acme, region: nyc3}\nservers:\n  web: {cycle: nightly}\n  db: {}\ncycles:\n  nightly: "+cycle+"\n  plain: {cron: \"0 4 * * *\"}\n")
	f.commit("one")
	f.git(dir, "clone", "--quiet", "--depth=1", f.server, "clone")
	loaded, err := fleet.Load(filepath.Join(f.clone, "nix", "snowdrop.yaml"))
	check(t, err)
	f.source = deploy.CycleSource{
		Fleet: loaded, Git: git.New(git.Config{Env: bare()}), Nix: f.nix, Author: git.Identity{Name: "snowdrop", Email: "snowdrop@example.com"},
		Server: "https://github.com", Repository: "acme/fleet",
		GitHub: func(repository string) (deploy.Proposer, error) {
			if repository != "acme/fleet" {
				t.Errorf("a pull request in %s", repository)
			}
			return f.hub, nil
		},
		Sink: event.SinkFunc(f.hear), Now: time.Now,
	}
	return f
}

// bare is git without the configuration of whoever runs the tests.
func bare() []string { return []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"} }

func (f *forge) hear(e event.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := e.(type) {
	case event.Phase:
		f.said = append(f.said, e.Text)
	case event.Warning:
		f.said = append(f.said, "warning: "+e.Text)
	case event.StepFinished:
		f.said = append(f.said, "result: "+e.Result)
	}
}

func (f *forge) heard() string { return strings.Join(f.said, "\n") }

func (f *forge) write(name, text string) {
	f.t.Helper()
	check(f.t, os.WriteFile(filepath.Join(f.work, name), []byte(text), 0o600))
}

// mkdir makes a folder in the clone.
func (f *forge) mkdir(name string) {
	f.t.Helper()
	check(f.t, os.MkdirAll(filepath.Join(f.clone, filepath.FromSlash(name)), 0o700))
}

func (f *forge) git(dir string, args ...string) string {
	f.t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(f.t.Context()), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), bare()...), "GIT_AUTHOR_NAME=mona", "GIT_AUTHOR_EMAIL=m@example.com", "GIT_COMMITTER_NAME=mona", "GIT_COMMITTER_EMAIL=m@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		f.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits what is in the work folder, pushes it, and returns the commit.
func (f *forge) commit(message string) string {
	f.t.Helper()
	f.git(f.work, "add", ".")
	f.git(f.work, "commit", "--quiet", "--allow-empty", "-m", message)
	f.git(f.work, "push", "--quiet", "origin", "HEAD")
	return f.git(f.work, "rev-parse", "HEAD")
}

// at is where the server has a ref; empty if it has none.
func (f *forge) at(ref string) string {
	f.t.Helper()
	revision, _, _ := strings.Cut(f.git(f.work, "ls-remote", "origin", ref), "\t")
	return revision
}

func (f *forge) take(req deploy.Request) (deploy.CycleTaken, error) {
	f.t.Helper()
	look := func() string { // what the remote has may be known better than before
		return f.git(f.clone, "for-each-ref", "refs/heads", "refs/tags") + f.git(f.clone, "status", "--short") + f.git(f.clone, "rev-parse", "HEAD")
	}
	before := look()
	taken, err := f.source.Take(f.t.Context(), req, true)
	if after := look(); before != after {
		f.t.Errorf("the clone was changed:\n%s\nbefore:\n%s", after, before)
	}
	if _, err := os.Stat(filepath.Join(f.clone, ".git", "index.lock")); err == nil {
		f.t.Error("a lock is left behind")
	}
	return taken, err
}

func nightly() deploy.Request { return deploy.Request{Cycle: "nightly"} }

func TestACycleDeploysItsRefAsTheRepositoryHasItNow(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main}`)
	two := f.commit("two") // the clone has never heard of it
	taken, err := f.take(nightly())
	check(t, err)
	if diff := cmp.Diff(deploy.Request{Cycle: "nightly", Revision: two, Ref: "refs/heads/main"}, taken.Request); diff != "" {
		t.Error(diff)
	}
	f.git(f.clone, "cat-file", "-e", two+"^{tree}") // Nix finds it there
	if !strings.HasSuffix(f.heard(), "result: main is at "+two[:7]) {
		t.Errorf("said:\n%s", f.heard())
	}
}

func TestACycleOfTheLatestTagDeploysTheNewestRelease(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: latest-tag}`)
	if _, err := f.take(nightly()); !errors.Is(err, git.ErrNoSuchRef) || !strings.Contains(err.Error(), "which cycle nightly deploys") {
		t.Errorf("without a tag: %v", err)
	}
	f.git(f.work, "tag", "-a", "v1.9.0", "-m", "v1.9.0")
	two := f.commit("two")
	f.git(f.work, "tag", "-a", "v1.10.0", "-m", "v1.10.0")
	f.commit("three")
	f.git(f.work, "tag", "v1.11.0-rc.1")
	f.git(f.work, "push", "--quiet", "origin", "--tags")
	taken, err := f.take(nightly())
	check(t, err)
	if taken.Revision != two || taken.String() != "v1.10.0 is at "+two[:7] {
		t.Errorf("%s: %+v", taken, taken.Request)
	}
}

func TestARevisionThatIsAskedForWinsOverTheRef(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: nowhere, update: {via: branch}}`)
	for name, req := range map[string]deploy.Request{
		"a revision":      {Cycle: "nightly", Revision: strings.Repeat("a", 40)},
		"no cycle":        {Servers: []string{"web"}},
		"a cycle without": {Cycle: "plain"},
	} {
		taken, err := f.take(req)
		check(t, err)
		if diff := cmp.Diff(req, taken.Request); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if len(f.said) > 0 {
		t.Errorf("said:\n%s", f.heard())
	}
}

func TestForNoServerNothingIsUpdated(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	before := f.at("main")
	taken, err := f.take(deploy.Request{Servers: []string{"db"}, Cycle: "nightly"}) // db is in no cycle
	check(t, err)
	if taken.Revision != "" || f.at("main") != before || f.heard() != "" {
		t.Errorf("%+v, main is at %s, said:\n%s", taken, f.at("main"), f.heard())
	}
}

func TestAnUpdateIsOfferedAndTheRefDeployedAsItIs(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {inputs: [nixpkgs]}}`)
	f.nix.to["home"] = strings.Repeat("4", 40) // moved too, and not asked for
	main := f.at("main")
	taken, err := f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || taken.Revision != main || f.at("main") != main {
		t.Errorf("%+v, main is at %s", taken, f.at("main"))
	}
	want := []github.Proposal{{
		Head: updateBranch, Base: "main", Title: "Update nixpkgs",
		Body: "- nixpkgs: 1111111 → 3333333 ([what is new](https://github.com/NixOS/nixpkgs/compare/" + strings.Repeat("1", 40) + "..." + strings.Repeat("3", 40) + "))\n\n" +
			"The release cycle `nightly` in `nix/snowdrop.yaml` of [snowdrop](https://github.com/versatus/snowdrop) keeps this branch up to date. " +
			"Once it is merged into `main`, the next run of the cycle deploys it.\n",
	}}
	if diff := cmp.Diff(want, f.hub.got); diff != "" {
		t.Error(diff)
	}
	f.git(f.work, "fetch", "--quiet", "origin")
	const branch = "origin/" + updateBranch
	if got := f.git(f.work, "show", "-s", "--format=%P|%an|%B", branch); got !=
		main+"|snowdrop|flake.lock: update nixpkgs\n\n- nixpkgs: 1111111 → 3333333\n\nSnowdrop-Cycle: nightly\nSnowdrop-Tree: "+f.git(f.work, "rev-parse", branch+"^{tree}") {
		t.Errorf("the commit: %s", got)
	}
	if got := f.git(f.work, "diff", "--numstat", main, branch); got != "1\t1\tflake.lock" {
		t.Errorf("changed: %s", got)
	}
	if diff := cmp.Diff([]string{"tree"}, f.nix.dirs); diff != "" {
		t.Errorf("the flake is in: %s", diff)
	}
	if !strings.Contains(f.heard(), "pull request #8 is opened: https://github.com/acme/fleet/pull/8") {
		t.Errorf("said:\n%s", f.heard())
	}
}

func TestAnUpdateThatIsOfferedAlreadyIsNotPushedAgain(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
	_, err := f.take(nightly())
	check(t, err)
	offered := f.at(updateBranch)
	_, err = f.take(nightly())
	check(t, err)
	if again := f.at(updateBranch); offered == "" || again != offered || len(f.hub.got) != 2 {
		t.Errorf("%s, before %s; proposed %d times", again, offered, len(f.hub.got))
	}
	// With a new commit in main, the branch is made anew on top of it.
	two := f.commit("two")
	_, err = f.take(nightly())
	check(t, err)
	f.git(f.work, "fetch", "--quiet", "origin")
	if parent := f.git(f.work, "rev-parse", "origin/"+updateBranch+"^"); parent != two {
		t.Errorf("it is made on %s", parent)
	}
	// Once it is merged, there is nothing to update.
	f.git(f.work, "merge", "--quiet", "origin/"+updateBranch)
	merged := f.commit("three")
	f.said = nil
	taken, err := f.take(nightly())
	check(t, err)
	if taken.Revision != merged || len(f.hub.got) != 3 || !strings.Contains(f.heard(), "nothing to update") {
		t.Errorf("%+v, proposed %d times, said:\n%s", taken, len(f.hub.got), f.heard())
	}
}

func TestWhatSomebodyPushedToTheOfferedBranchIsKept(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"a commit":           {"commit", "--quiet", "--all", "--message", "what the update needs"},
		"an amended one":     {"commit", "--quiet", "--all", "--amend", "--no-edit"},
		"below, and rebased": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
			_, err := f.take(nightly())
			check(t, err)
			main := f.at("main")
			f.git(f.work, "fetch", "--quiet", "origin")
			if change == nil {
				f.git(f.work, "checkout", "--quiet", "-b", updateBranch)
				f.write("flake.nix", "{ outputs = null; }")
				f.git(f.work, "commit", "--quiet", "--all", "--message", "what the update needs")
				f.git(f.work, "cherry-pick", "origin/"+updateBranch)
			} else {
				f.git(f.work, "checkout", "--quiet", updateBranch)
				f.write("flake.nix", "{ outputs = null; }")
				f.git(f.work, change...)
			}
			f.git(f.work, "push", "--quiet", "--force", "origin", "HEAD")
			theirs := f.at(updateBranch)
			f.nix.to["home"] = strings.Repeat("4", 40)
			taken, err := f.take(nightly())
			check(t, err)
			if taken.NotUpdated == nil || !strings.Contains(taken.NotUpdated.Error(), "merge it, or delete the branch") || taken.Revision != main {
				t.Errorf("%+v", taken)
			}
			if f.at(updateBranch) != theirs {
				t.Errorf("the branch is at %s, not at %s", f.at(updateBranch), theirs)
			}
		})
	}
}

func TestAnUpdateOfABranchIsDeployedAtOnce(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	before := f.at("main")
	taken, err := f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || taken.Revision != f.at("main") || taken.Revision == before {
		t.Errorf("%+v, main is at %s", taken, f.at("main"))
	}
	f.git(f.clone, "cat-file", "-e", taken.Revision+"^{tree}")
	if f.at(updateBranch) != "" || len(f.hub.got) > 0 {
		t.Error("it was offered too")
	}
}

func TestAPushThatLosesARaceIsMadeOnceMoreOnTopOfTheOther(t *testing.T) {
	t.Parallel()
	for races, well := range map[int]bool{1: true, 2: false} {
		t.Run(fmt.Sprint(races), func(t *testing.T) {
			t.Parallel()
			f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
			var theirs string
			f.nix.meanwhile = func() {
				if races > 0 {
					theirs = f.commit(fmt.Sprint("theirs ", races))
				}
				races--
			}
			taken, err := f.take(nightly())
			check(t, err)
			if well != (taken.NotUpdated == nil) {
				t.Fatalf("%+v\n%s", taken, f.heard())
			}
			f.git(f.work, "fetch", "--quiet", "origin")
			if well && f.git(f.work, "rev-parse", "origin/main^") != theirs || !well && f.at("main") != theirs {
				t.Errorf("main:\n%s", f.git(f.work, "log", "--oneline", "origin/main"))
			}
			if !well && !errors.Is(taken.NotUpdated, git.ErrMoved) {
				t.Errorf("said %v", taken.NotUpdated)
			}
		})
	}
}

func TestADryRunOfAnUpdateSaysWhatWouldMoveAndPushesNothing(t *testing.T) {
	t.Parallel()
	for via, would := range map[string]string{
		"branch":       "pushed to main and deployed",
		"pull-request": "offered as a pull request from " + updateBranch + " into main",
	} {
		for name, req := range map[string]deploy.Request{"dry": {Cycle: "nightly", DryRun: true}, "plan": {Cycle: "nightly", Preview: true}} {
			t.Run(via+" "+name, func(t *testing.T) {
				t.Parallel()
				f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: `+via+`}}`)
				before := f.at("*")
				taken, err := f.take(req)
				check(t, err)
				if f.at("*") != before || taken.Revision != f.at("main") || len(f.hub.got) > 0 {
					t.Errorf("%+v, at the server:\n%s", taken, f.at("*"))
				}
				if !strings.Contains(f.heard(), "nixpkgs: 1111111 → 3333333") || !strings.Contains(f.heard(), would) {
					t.Errorf("said:\n%s", f.heard())
				}
			})
		}
	}
}

func TestAFailedUpdateKeepsNothingFromBeingDeployedAndIsNotHidden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cycle string
		set   func(*forge)
		want  string
	}{
		"Nix fails":          {"update: {}", func(f *forge) { f.nix.err = errors.New("no route to host") }, "no route to host"},
		"no such input":      {"update: {inputs: [nixpkgz]}", func(*forge) {}, "the flake has no input nixpkgz: it has home, nixpkgs"},
		"more than the lock": {"update: {}", func(f *forge) { f.nix.also = "other" }, "nix changed more than flake.lock"},
		"GitHub refuses":     {"update: {}", func(f *forge) { f.hub.err = errors.New("not permitted") }, "the branch " + updateBranch + " is pushed: not permitted"},
		"there is no token": {"update: {}", func(f *forge) {
			f.source.GitHub = func(string) (deploy.Proposer, error) { return nil, errors.New("no token") }
		}, "no token"},
		"the branch is a tag": {"update: {via: branch}", func(f *forge) { f.git(f.work, "tag", "main-tag"); f.git(f.work, "push", "--quiet", "origin", "--tags") }, "is a tag"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ref := "main"
			if name == "the branch is a tag" {
				ref = "main-tag"
			}
			f := newForge(t, `{cron: "0 3 * * *", ref: `+ref+`, `+test.cycle+`}`)
			test.set(f)
			taken, err := f.take(nightly())
			check(t, err)
			if taken.NotUpdated == nil || !strings.Contains(taken.NotUpdated.Error(), test.want) || !strings.Contains(taken.NotUpdated.Error(), "cycle nightly") {
				t.Errorf("not updated: %v", taken.NotUpdated)
			}
			if taken.Revision != f.at("main") || !strings.Contains(f.heard(), "warning: the flake's inputs were not brought up to date") {
				t.Errorf("%+v, said:\n%s", taken, f.heard())
			}
		})
	}
}

func TestWithoutGitHubTheBranchIsPushedAndItIsSaidWhatToDo(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
	f.source.Repository = "" // and its address is not one of GitHub's
	f.source.GitHub = func(string) (deploy.Proposer, error) { panic("not GitHub") }
	taken, err := f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || f.at(updateBranch) == "" || !strings.Contains(f.heard(), "open a merge request from it into main") {
		t.Errorf("%+v, said:\n%s", taken, f.heard())
	}
	f.nix.to = nil // nothing is newer any more
	taken, err = f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || f.at(updateBranch) != "" || !strings.Contains(f.heard(), "close the merge request from it") {
		t.Errorf("%+v, said:\n%s", taken, f.heard())
	}
}

func TestAFlakeElsewhereIsUpdatedInACloneThatIsGoneAfterwards(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	f.source.Fleet.Flake = "git+" + f.server
	for name, s := range f.source.Fleet.Servers {
		s.Image, s.System, s.VM = f.source.Fleet.Flake+"#"+name, "", ""
		f.source.Fleet.Servers[name] = s
	}
	before := f.at("main")
	// Of this machine it is a clone, of "file" it is not said to be one.
	f.source.Fleet.Flake = strings.Replace(f.source.Fleet.Flake, "git+file:", "git+file+x:", 1)
	if _, err := f.take(nightly()); err == nil {
		t.Error("a server of another flake is deployed at this one's ref")
	}
	for name, s := range f.source.Fleet.Servers {
		s.Image = f.source.Fleet.Flake + "#" + name
		f.source.Fleet.Servers[name] = s
	}
	f.source.Git = git.New(git.Config{Env: append(bare(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://.insteadOf", "GIT_CONFIG_VALUE_0=file+x://")})
	taken, err := f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || taken.Revision != f.at("main") || taken.Revision == before {
		t.Errorf("%+v\n%s", taken, f.heard())
	}
	left, err := filepath.Glob(filepath.Join(temporary, "snowdrop-*"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestTheFlakeIsFoundWhereverTheFleetFileIsNamedFrom(t *testing.T) {
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	link := filepath.Join(t.TempDir(), "link")
	check(t, os.Symlink(f.clone, link))
	for i, from := range []struct{ dir, path string }{
		{filepath.Join(f.clone, "nix"), "snowdrop.yaml"}, {f.clone, "nix/snowdrop.yaml"}, {link, "nix/snowdrop.yaml"}, {f.work, "../clone/nix/snowdrop.yaml"},
	} {
		t.Chdir(from.dir)
		f.source.Fleet.Path = from.path
		f.nix.to["nixpkgs"] = strings.Repeat(fmt.Sprint(4+i), 40)
		taken, err := f.take(nightly())
		check(t, err)
		if taken.NotUpdated != nil {
			t.Errorf("%s from %s: %v", from.path, from.dir, taken.NotUpdated)
		}
	}
}

func TestACancelledUpdateDeploysNothing(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	ctx, cancel := context.WithCancelCause(t.Context())
	f.nix.meanwhile = func() { cancel(context.Canceled) }
	before := f.at("main")
	if _, err := f.source.Take(ctx, nightly(), true); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if f.at("main") != before {
		t.Error("something was pushed")
	}
}

func TestACloneWithoutARemoteSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main}`)
	f.git(f.clone, "remote", "remove", "origin")
	if _, err := f.take(nightly()); err == nil || !strings.Contains(err.Error(), "origin") {
		t.Errorf("got %v", err)
	}
}
