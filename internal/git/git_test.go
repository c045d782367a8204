package git_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/git"
)

// server is a repository that others clone, and one in which people work on it.
type server struct {
	t *testing.T
	// address is where it is cloned from; work is where people commit.
	address, work string
}

func newServer(t *testing.T) *server {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("there is no git here")
	}
	dir := t.TempDir()
	s := &server{t: t, address: "file://" + filepath.ToSlash(filepath.Join(dir, "bare")), work: filepath.Join(dir, "work")}
	run(t, dir, "init", "--quiet", "--bare", "--initial-branch=main", "bare")
	run(t, dir, "-C", "bare", "config", "uploadpack.allowAnySHA1InWant", "true")
	run(t, dir, "clone", "--quiet", s.address, "work")
	run(t, s.work, "checkout", "--quiet", "-B", "main")
	return s
}

// commit commits a file, pushes the branch that is checked out, and returns the commit.
func (s *server) commit(text string) string {
	s.t.Helper()
	write(s.t, filepath.Join(s.work, "file"), text)
	run(s.t, s.work, "add", ".")
	run(s.t, s.work, "commit", "--quiet", "-m", text)
	run(s.t, s.work, "push", "--quiet", "origin", "HEAD")
	return run(s.t, s.work, "rev-parse", "HEAD")
}

func (s *server) tag(args ...string) {
	s.t.Helper()
	run(s.t, s.work, append([]string{"tag"}, args...)...)
	run(s.t, s.work, "push", "--quiet", "origin", "--tags")
}

// clone is a new clone.
func (s *server) clone(args ...string) *git.Repository {
	s.t.Helper()
	dir := s.t.TempDir()
	run(s.t, dir, append(append([]string{"clone", "--quiet"}, args...), s.address, "clone")...)
	r, err := client().Open(s.t.Context(), filepath.Join(dir, "clone"))
	check(s.t, err)
	return r
}

// client knows nobody: as in a container.
func client() *git.Client {
	return git.New(git.Config{Env: []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1"}})
}

func run(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=mona", "GIT_AUTHOR_EMAIL=mona@example.com", "GIT_COMMITTER_NAME=mona", "GIT_COMMITTER_EMAIL=mona@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o600))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestABranchAndATagAreFoundWhereTheRemoteHasThem(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	s.tag("-a", "v1.0.0", "-m", "one")
	two := s.commit("two")
	run(t, s.work, "push", "--quiet", "origin", "HEAD:refs/heads/x/refs/heads/main", "HEAD:refs/heads/feature/main")
	r := s.clone()
	three := s.commit("three") // the clone does not know of it
	for ref, want := range map[string]git.Ref{
		"main":            {Name: "main", Full: "refs/heads/main", Revision: three},
		"refs/heads/main": {Name: "main", Full: "refs/heads/main", Revision: three},
		"feature/main":    {Name: "feature/main", Full: "refs/heads/feature/main", Revision: two},
		"v1.0.0":          {Name: "v1.0.0", Full: "refs/tags/v1.0.0", Revision: one}, // not the tag's own object
	} {
		got, err := r.Resolve(t.Context(), ref)
		check(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", ref, diff)
		}
	}
	if _, err := r.Resolve(t.Context(), "mian"); !errors.Is(err, git.ErrNoSuchRef) || !strings.Contains(err.Error(), `"mian"`) {
		t.Errorf("a branch that is not there: %v", err)
	}
}

func TestABranchAndATagOfOneNameAreNotGuessedAt(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.commit("one")
	s.tag("stable")
	run(t, s.work, "push", "--quiet", "origin", "HEAD:refs/heads/stable")
	r := s.clone()
	if _, err := r.Resolve(t.Context(), "stable"); err != nil {
		t.Errorf("both are one commit: %v", err)
	}
	s.commit("two")
	run(t, s.work, "push", "--quiet", "origin", "HEAD:refs/heads/stable")
	if _, err := r.Resolve(t.Context(), "stable"); err == nil || !strings.Contains(err.Error(), "refs/heads/stable or refs/tags/stable") {
		t.Errorf("they differ: %v", err)
	}
	if ref, err := r.Resolve(t.Context(), "refs/tags/stable"); err != nil || ref.Branch() {
		t.Errorf("the tag: %+v, %v", ref, err)
	}
}

func TestTheLatestTagIsTheNewestRelease(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	r := s.clone()
	s.commit("zero")
	for _, none := range []string{"nightly", "v2.0.0-rc.1", "v1", "v01.2.3"} {
		s.tag(none)
	}
	if ref, err := r.LatestTag(t.Context()); !errors.Is(err, git.ErrNoSuchRef) || !strings.Contains(err.Error(), "v2.0.0-rc.1") {
		t.Errorf("no release yet: %+v, %v", ref, err)
	}
	want := map[string]string{}
	for _, tag := range []string{"v1.9.0", "v1.10.0", "1.10.1+build.5", "v1.2.30", "v20261124093000123456789.0.0"} {
		want[tag] = s.commit(tag)
		s.tag("-a", tag, "-m", tag)
		ref, err := r.LatestTag(t.Context())
		check(t, err)
		newest := tag
		if tag == "v1.2.30" { // made later, but older
			newest = "1.10.1+build.5"
		}
		if ref.Name != newest || ref.Revision != want[newest] || ref.Branch() {
			t.Errorf("after %s: %+v", tag, ref)
		}
	}
}

func TestACommitIsBroughtAndTheCloneStaysAsItWas(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.commit("one")
	two := s.commit("two")
	s.commit("three")
	shallow, whole := s.clone("--depth=1"), s.clone()
	run(t, s.work, "checkout", "--quiet", "-b", "stable", two)
	four := s.commit("four")
	run(t, s.work, "checkout", "--quiet", "main")
	five := s.commit("five")
	six := s.commit("six")
	for name, r := range map[string]*git.Repository{"shallow": shallow, "whole": whole} {
		look := func() string {
			ends, _ := os.ReadFile(filepath.Join(r.Root, ".git", "shallow")) // where history is cut off
			return run(t, r.Root, "for-each-ref") + run(t, r.Root, "status", "--short", "--branch") + string(ends)
		}
		before := look()
		for _, ref := range []git.Ref{{Name: "main", Full: "refs/heads/main", Revision: two}, {Name: "stable", Full: "refs/heads/stable", Revision: four}, {Name: "main", Full: "refs/heads/main", Revision: five}} {
			check(t, r.Bring(t.Context(), ref))
			run(t, r.Root, "cat-file", "-e", ref.Revision+"^{tree}")
		}
		if after := look(); before != after {
			t.Errorf("%s: before:\n%s\nafter:\n%s", name, before, after)
		}
		if _, err := os.Stat(filepath.Join(r.Root, ".git", "FETCH_HEAD")); err == nil {
			t.Errorf("%s has a FETCH_HEAD", name)
		}
		run(t, r.Root, "pull", "--quiet", "--ff-only")
		if head := run(t, r.Root, "rev-parse", "HEAD"); head != six {
			t.Errorf("%s is pulled to %s", name, head)
		}
	}
}

func TestSubmodulesOfTheCloneStayAsTheyAre(t *testing.T) {
	t.Parallel()
	s, module := newServer(t), newServer(t)
	module.commit("one")
	file := []string{"-c", "protocol.file.allow=always"}
	run(t, s.work, append(file, "submodule", "--quiet", "add", module.address, "module")...)
	one := s.commit("one")
	r := s.clone()
	run(t, r.Root, append(file, "submodule", "--quiet", "update", "--init")...)
	run(t, r.Root, "config", "push.recurseSubmodules", "on-demand")
	run(t, r.Root, "config", "fetch.recurseSubmodules", "true")
	inside := filepath.Join(r.Root, "module")
	before := run(t, inside, "for-each-ref")
	module.commit("two")
	run(t, filepath.Join(s.work, "module"), append(file, "pull", "--quiet", "origin", "main")...)
	two := s.commit("two")
	// What a submodule is fetched from may not even be there for whoever deploys.
	check(t, os.Rename(strings.TrimPrefix(module.address, "file://"), strings.TrimPrefix(module.address, "file://")+".gone"))
	check(t, r.Bring(t.Context(), git.Ref{Name: "main", Full: "refs/heads/main", Revision: two}))
	check(t, r.Push(t.Context(), commitOn(t, r, one, "mine"), "other"))
	if after := run(t, inside, "for-each-ref"); before != after {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestAChangeIsCommittedBesideWhatIsCheckedOut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	s.commit("two")
	r := s.clone("--depth=1")
	write(t, filepath.Join(r.Root, "file"), "somebody is at work")
	write(t, filepath.Join(r.Root, ".git", "hooks", "pre-commit"), "#!/bin/sh\nexit 1\n")
	check(t, os.Chmod(filepath.Join(r.Root, ".git", "hooks", "pre-commit"), 0o700)) //nolint:gosec // a hook is a program
	ref := git.Ref{Name: "main", Full: "refs/heads/main", Revision: one}
	check(t, r.Bring(t.Context(), ref))
	tree, err := r.Tree(t.Context(), one)
	check(t, err)
	write(t, filepath.Join(tree.Dir, "file"), "changed")
	write(t, filepath.Join(tree.Dir, "new file"), "new")
	changed, err := tree.Changed(t.Context())
	check(t, err)
	if diff := cmp.Diff([]string{"file", "new file"}, changed); diff != "" {
		t.Error(diff)
	}
	if got := string(tree.Former(t.Context(), "file")) + string(tree.Former(t.Context(), "new file")); got != "one" {
		t.Errorf("before: %q", got)
	}
	commit, err := tree.Commit(t.Context(), git.Identity{Name: "snowdrop", Email: "snowdrop@example.com"}, func(files string) string { return "a change\n\nFiles: " + files }, changed...)
	check(t, err)
	check(t, tree.Close())
	got, err := r.Commit(t.Context(), commit)
	check(t, err)
	if len(got.Parents) != 1 || got.Parents[0] != one || got.Message != "a change\n\nFiles: "+got.Tree {
		t.Errorf("commit %+v", got)
	}
	if who := run(t, r.Root, "show", "-s", "--format=%an <%ae> %cn", commit); who != "snowdrop <snowdrop@example.com> snowdrop" {
		t.Errorf("committed by %s", who)
	}
	if _, err := os.Stat(tree.Dir); err == nil {
		t.Error("the tree is still there")
	}
	if status := run(t, r.Root, "status", "--short"); status != "M file" {
		t.Errorf("what is checked out: %s", status)
	}
}

func TestFiltersOfTheCloneAreNotRun(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	write(t, filepath.Join(s.work, ".gitattributes"), "file filter=crypt\n")
	one := s.commit("encrypted")
	r := s.clone()
	write(t, filepath.Join(r.Root, "..", "decrypt"), "#!/bin/sh\nsed s/encrypted/secret/\n")
	check(t, os.Chmod(filepath.Join(r.Root, "..", "decrypt"), 0o700)) //nolint:gosec // a filter is a program
	run(t, r.Root, "config", "filter.crypt.smudge", filepath.Join(r.Root, "..", "decrypt"))
	run(t, r.Root, "config", "filter.crypt.required", "true")
	tree, err := r.Tree(t.Context(), one)
	check(t, err)
	text, err := os.ReadFile(filepath.Join(tree.Dir, "file"))
	check(t, err)
	if string(text) != "encrypted" {
		t.Errorf("in the tree it is %s", text)
	}
	if changed, err := tree.Changed(t.Context()); err != nil || len(changed) > 0 {
		t.Errorf("changed: %v, %v", changed, err)
	}
	check(t, tree.Close())
}

func TestARepositoryOfSHA256IsCloned(t *testing.T) {
	t.Parallel()
	dir := newServer(t).t.TempDir()
	run(t, dir, "init", "--quiet", "--object-format=sha256", "--initial-branch=main", "long")
	run(t, dir, "-C", "long", "commit", "--quiet", "--allow-empty", "-m", "one")
	address := "file://" + filepath.ToSlash(filepath.Join(dir, "long"))
	ref, err := client().Resolve(t.Context(), "", address, "main")
	check(t, err)
	r, err := client().Clone(t.Context(), address, ref)
	check(t, err)
	check(t, r.Push(t.Context(), commitOn(t, r, ref.Revision, "mine"), "other"))
	check(t, r.Close())
}

func TestAPushLosesNothingThatSomebodyPushed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	r := s.clone("--depth=1")
	mine := commitOn(t, r, one, "mine")
	theirs := s.commit("theirs")
	if err := r.Push(t.Context(), mine, "main"); !errors.Is(err, git.ErrMoved) {
		t.Errorf("a push onto what moved: %v", err)
	}
	if err := r.Replace(t.Context(), mine, "main", one); !errors.Is(err, git.ErrMoved) {
		t.Errorf("a replacement of what moved: %v", err)
	}
	if err := r.Replace(t.Context(), mine, "main", ""); !errors.Is(err, git.ErrMoved) {
		t.Errorf("a replacement of what was thought not to be there: %v", err)
	}
	ref, err := r.Resolve(t.Context(), "main")
	check(t, err)
	if ref.Revision != theirs {
		t.Fatalf("main is %s", ref.Revision)
	}
	check(t, r.Bring(t.Context(), ref))
	check(t, r.Push(t.Context(), commitOn(t, r, theirs, "mine again"), "main"))
	check(t, r.Replace(t.Context(), mine, "snowdrop/update-nightly", ""))
	again := commitOn(t, r, theirs, "another")
	check(t, r.Replace(t.Context(), again, "snowdrop/update-nightly", mine))
	if ref, err := r.Resolve(t.Context(), "snowdrop/update-nightly"); err != nil || ref.Revision != again {
		t.Errorf("the branch: %+v, %v", ref, err)
	}
}

func TestABranchIsDeletedIfItIsWhereItWasSeen(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	r := s.clone("--depth=1")
	const branch = "snowdrop/update-nightly"
	check(t, r.Replace(t.Context(), one, branch, ""))
	theirs := commitOn(t, r, one, "theirs")
	check(t, r.Push(t.Context(), theirs, branch))
	if err := r.Delete(t.Context(), branch, one); !errors.Is(err, git.ErrMoved) || !strings.Contains(err.Error(), "delete the branch "+branch) {
		t.Errorf("what somebody pushed to: %v", err)
	}
	if ref, err := r.Resolve(t.Context(), branch); err != nil || ref.Revision != theirs {
		t.Errorf("the branch: %+v, %v", ref, err)
	}
	check(t, r.Delete(t.Context(), branch, theirs))
	if _, err := r.Resolve(t.Context(), branch); !errors.Is(err, git.ErrNoSuchRef) {
		t.Errorf("it is there yet: %v", err)
	}
	check(t, r.Delete(t.Context(), branch, theirs)) // somebody was quicker
}

func commitOn(t *testing.T, r *git.Repository, base, text string) string {
	t.Helper()
	tree, err := r.Tree(t.Context(), base)
	check(t, err)
	write(t, filepath.Join(tree.Dir, "file"), text)
	commit, err := tree.Commit(t.Context(), git.Identity{Name: "snowdrop", Email: "snowdrop@example.com"}, func(string) string { return text }, "file")
	check(t, err)
	check(t, tree.Close())
	return commit
}

func TestARefusalOfTheServerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	r := s.clone()
	bare := strings.TrimPrefix(s.address, "file://")
	write(t, filepath.Join(bare, "hooks", "pre-receive"), "#!/bin/sh\necho protected >&2\nexit 1\n")
	check(t, os.Chmod(filepath.Join(bare, "hooks", "pre-receive"), 0o700)) //nolint:gosec // a hook is a program
	err := r.Push(t.Context(), commitOn(t, r, one, "mine"), "main")
	if err == nil || errors.Is(err, git.ErrMoved) || !strings.Contains(err.Error(), "via: pull-request") ||
		!strings.Contains(err.Error(), "(pre-receive hook declined)") {
		t.Errorf("a protected branch: %v", err)
	}
}

func TestARepositoryElsewhereIsClonedAndRemoved(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	ref, err := client().Resolve(t.Context(), "", s.address, "main")
	check(t, err)
	r, err := client().Clone(t.Context(), s.address, ref)
	check(t, err)
	check(t, r.Push(t.Context(), commitOn(t, r, one, "mine"), "main"))
	check(t, r.Close())
	if _, err := os.Stat(r.Root); err == nil {
		t.Error("the clone is still there")
	}
}

func TestErrorsOfGitNameNoPassword(t *testing.T) {
	t.Parallel()
	newServer(t)
	_, err := client().Resolve(t.Context(), t.TempDir(), "https://mona:hunter2@127.0.0.1:1/acme/fleet", "main")
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

// sent is what a server got as Authorization.
type sent struct {
	mu     sync.Mutex
	values []string
}

func (s *sent) see(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, r.Header.Values("Authorization")...)
}

// serve gives out the server's repository by HTTP, as OWNER/bare. Whoever asks has to
// say who they are, if private is set; moved, if set, is where it went.
func (s *server) serve(private bool, moved string) (string, *sent) {
	s.t.Helper()
	bin, err := exec.LookPath("git")
	check(s.t, err)
	got := &sent{}
	backend := &cgi.Handler{Path: bin, Args: []string{"http-backend"}, Root: "/acme", Env: []string{
		"GIT_PROJECT_ROOT=" + filepath.Dir(strings.TrimPrefix(s.address, "file://")), "GIT_HTTP_EXPORT_ALL=1",
	}}
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.see(r)
		switch {
		case private && r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
			w.WriteHeader(http.StatusUnauthorized)
		case moved != "":
			http.Redirect(w, r, moved+r.URL.String(), http.StatusMovedPermanently)
		default:
			backend.ServeHTTP(w, r)
		}
	}))
	s.t.Cleanup(h.Close)
	return h.URL, got
}

func TestATokenIsSentToItsServerAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	one := s.commit("one")
	r := s.clone()
	elsewhere, away := s.serve(false, "")
	private, refused := s.serve(true, "")
	const basic = "basic eC1hY2Nlc3MtdG9rZW46c2VjcmV0"
	for name, test := range map[string]struct {
		private bool
		moved   string
		found   bool
	}{
		"its own":                     {private: true, found: true},
		"moved":                       {moved: elsewhere, found: true},
		"moved to where it is asked":  {moved: private},
		"moved, as is said to us":     {private: true, moved: elsewhere},
		"moved there, as is said too": {private: true, moved: private},
	} {
		github, got := s.serve(test.private, test.moved)
		run(t, r.Root, "config", "http."+github+"/.extraheader", "AUTHORIZATION: basic left") // as actions/checkout does
		run(t, r.Root, "config", "credential.helper", "!echo password=left; echo username=left; :")
		c := git.New(git.Config{Token: "secret", Server: github + "/", Env: []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "no_proxy=127.0.0.1"}})
		ref, err := c.Resolve(t.Context(), r.Root, github+"/acme/bare", "main")
		if test.found && (err != nil || ref.Revision != one) {
			t.Errorf("%s: %+v, %v", name, ref, err)
		}
		if test.private && len(got.values) == 0 {
			t.Errorf("%s: nothing was sent", name)
		}
		for _, value := range got.values {
			if !strings.EqualFold(value, basic) {
				t.Errorf("%s: sent %q", name, value)
			}
		}
	}
	for _, value := range append(away.values, refused.values...) {
		if strings.EqualFold(value, basic) {
			t.Error("it was sent elsewhere")
		}
	}
}

func TestATokenLeavesWhatTheEnvironmentConfigures(t *testing.T) {
	s := newServer(t)
	one := s.commit("one")
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "url."+s.address+".insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", "https://github.com/acme/fleet")
	c := git.New(git.Config{Token: "secret", Server: "https://github.com", Env: []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ALLOW_PROTOCOL=file"}})
	ref, err := c.Resolve(t.Context(), t.TempDir(), "https://github.com/acme/fleet", "main")
	check(t, err)
	if ref.Revision != one {
		t.Errorf("main is %+v", ref)
	}
}

func TestGitHubsRepositoriesAreKnownByTheirAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://github.com/acme/fleet":               "acme/fleet",
		"https://github.com/acme/fleet.git":           "acme/fleet",
		"https://x-access-token:t@github.com/acme/fl": "acme/fl",
		"git@github.com:acme/fleet.git":               "acme/fleet",
		"ssh://git@github.com:22/acme/fleet.git":      "acme/fleet",
		"https://github.com.evil.example/acme/fleet":  "",
		"https://gitlab.com/acme/fleet":               "",
		"/srv/github.com/acme/fleet":                  "",
		"https://github.com/acme":                     "",
		"":                                            "",
	} {
		got, ok := git.GitHubRepository(address, "https://github.com")
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", address, got, ok)
		}
	}
}

func TestWithoutGitItIsSaid(t *testing.T) {
	t.Parallel()
	c := git.New(git.Config{Bin: "no-such-git"})
	if _, err := c.Resolve(t.Context(), "", "origin", "main"); !errors.Is(err, git.ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
}
