package deploy_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/git"
)

func TestAnUpdateThatDoesNotEvaluateIsNotPushedToTheBranch(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]deploy.Request{"deploy": nightly(), "dry run": {Cycle: "nightly", DryRun: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
			before := f.at("main")
			f.nix.broken = errors.New("attribute 'nginxx' missing")
			taken, err := f.take(req)
			check(t, err)
			if f.at("main") != before || taken.Revision != before {
				t.Errorf("main is at %s, deployed is %s, before %s", f.at("main"), taken.Revision, before)
			}
			want := "the flake does not evaluate with nixpkgs updated, so nothing was pushed, and main is as it was (" + before[:7] + "): attribute 'nginxx' missing"
			if taken.NotUpdated == nil || !strings.Contains(taken.NotUpdated.Error(), want) || !strings.Contains(f.heard(), "main is deployed as it is") {
				t.Errorf("not updated: %v\nsaid:\n%s", taken.NotUpdated, f.heard())
			}
		})
	}
}

func TestAnUpdateOfABranchIsEvaluatedAsItIsPushed(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	before := f.at("main")
	f.nix.looked = func() {
		if f.at("main") != before {
			t.Error("it was pushed before")
		}
	}
	taken, err := f.take(nightly())
	check(t, err)
	revision := f.at("main")
	if taken.NotUpdated != nil || revision == before {
		t.Fatalf("not updated: %v", taken.NotUpdated)
	}
	// The cycle's server, and no other.
	want := []string{
		".?rev=" + revision + "#nixosConfigurations.web.config.system.build.digitalOceanImage",
		".?rev=" + revision + "#nixosConfigurations.web.config.system.build.toplevel",
	}
	if diff := cmp.Diff(want, f.nix.evaluated); diff != "" {
		t.Error(diff)
	}
}

func TestAnUpdateIsOfferedWithoutBeingEvaluated(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
	f.nix.broken = errors.New("attribute 'nginxx' missing") // its own checks say so
	taken, err := f.take(nightly())
	check(t, err)
	if taken.NotUpdated != nil || len(f.hub.got) != 1 {
		t.Errorf("%+v, proposed %v", taken, f.hub.got)
	}
}

func TestEveryFleetFileOffersItsUpdatesOnABranchOfItsOwn(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
	for file, branch := range map[string]string{
		"snowdrop.yaml":             "snowdrop/update-nightly",
		"staging.yaml":              "snowdrop/staging.yaml/update-nightly",
		"nix/snowdrop.yaml":         "snowdrop/nix/snowdrop.yaml/update-nightly",
		".fleets/a..b/x: ~*^?@.yml": "snowdrop/%2Efleets/a%2E%2Eb/x%3A%20%7E%2A%5E%3F@.yml/update-nightly",
	} {
		f.write("snowdrop.yaml", "space: {bucket: acme, region: nyc3}\nservers:\n  web: {cycle: nightly}\ncycles:\n  nightly: {cron: \"0 3 * * *\", ref: main, update: {}}\n")
		loaded, err := fleet.Load(filepath.Join(f.work, "snowdrop.yaml"))
		check(t, err)
		f.mkdir(filepath.Dir(file))
		f.source.Fleet, loaded.Path = loaded, filepath.Join(f.clone, filepath.FromSlash(file))
		if strings.Contains(file, "/") {
			loaded.Flake = strings.Repeat("../", strings.Count(file, "/"))
			for name, s := range loaded.Servers {
				s.Image, s.System, s.VM = loaded.Flake+"#"+name, "", ""
				loaded.Servers[name] = s
			}
		}
		taken, err := f.take(nightly())
		check(t, err)
		if taken.NotUpdated != nil || f.at("refs/heads/"+branch) == "" {
			t.Errorf("%s: %v\nbranches: %s", file, taken.NotUpdated, f.at("*"))
		}
	}
	heads := map[string]bool{}
	for _, p := range f.hub.got {
		heads[p.Head] = true
	}
	if len(heads) != 4 {
		t.Errorf("offered on %v", heads)
	}
}

func TestWhatIsOfferedIsTakenBackOnceNothingIsLeftToUpdate(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
	_, err := f.take(nightly())
	check(t, err)
	// Somebody updates it by hand.
	f.write("flake.lock", strings.Replace(lockFile, strings.Repeat("1", 40), strings.Repeat("3", 40), 1))
	f.commit("nixpkgs by hand")
	_, err = f.take(deploy.Request{Cycle: "nightly", DryRun: true})
	check(t, err)
	if f.at(updateBranch) == "" || len(f.hub.withdrawn) > 0 || !strings.Contains(f.heard(), "would be deleted") {
		t.Errorf("a dry run took it back: %v, said:\n%s", f.hub.withdrawn, f.heard())
	}
	taken, err := f.take(nightly())
	check(t, err)
	want := []string{updateBranch + " into main: Nothing is left to update: the inputs are up to date in `main`. The next update is offered anew."}
	if diff := cmp.Diff(want, f.hub.withdrawn); diff != "" {
		t.Error(diff)
	}
	if taken.NotUpdated != nil || f.at(updateBranch) != "" || !strings.Contains(f.heard(), "pull request #8 is closed") {
		t.Errorf("%+v, the branch is at %q, said:\n%s", taken, f.at(updateBranch), f.heard())
	}
	_, err = f.take(nightly())
	check(t, err)
	if len(f.hub.withdrawn) != 1 {
		t.Errorf("it is taken back every time: %v", f.hub.withdrawn)
	}
}

func TestWhatCannotBeTakenBackIsAWarning(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set  func(*forge)
		want string
	}{
		"GitHub refuses": {func(f *forge) { f.hub.err = errors.New("not permitted") }, "could not be taken back: not permitted"},
		"somebody put a commit there": {func(f *forge) {
			f.git(f.work, "fetch", "--quiet", "origin")
			f.git(f.work, "checkout", "--quiet", updateBranch)
			f.commit("theirs")
		}, "has a commit that snowdrop did not make"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {}}`)
			_, err := f.take(nightly())
			check(t, err)
			test.set(f)
			there := f.at(updateBranch)
			f.nix.to = nil // nothing is newer
			taken, err := f.take(nightly())
			check(t, err)
			if taken.NotUpdated != nil || f.at(updateBranch) != there || !strings.Contains(f.heard(), test.want) {
				t.Errorf("%+v, the branch is at %q, said:\n%s", taken, f.at(updateBranch), f.heard())
			}
		})
	}
}

func TestAFlakeElsewhereIsEvaluatedInTheCloneBeforeThePush(t *testing.T) {
	t.Parallel()
	f := newForge(t, `{cron: "0 3 * * *", ref: main, update: {via: branch}}`)
	f.elsewhere()
	before := f.at("main")
	f.nix.broken = errors.New("attribute 'nginxx' missing")
	taken, err := f.take(nightly())
	check(t, err)
	if f.at("main") != before || taken.NotUpdated == nil || len(f.nix.evaluated) != 1 {
		t.Fatalf("main is at %s, before %s; %v; evaluated %v", f.at("main"), before, taken.NotUpdated, f.nix.evaluated)
	}
	got := f.nix.evaluated[0]
	if !strings.HasPrefix(got, "git+file:///") || !strings.Contains(got, "/clone?shallow=1&rev=") || !strings.HasSuffix(got, "#web") {
		t.Errorf("evaluated %s", got)
	}
}

// elsewhere makes the fleet's flake one of a repository that is not on this machine.
func (f *forge) elsewhere() {
	f.source.Fleet.Flake = "git+file+x:" + strings.TrimPrefix(f.server, "file:")
	for name, s := range f.source.Fleet.Servers {
		s.Image, s.System, s.VM = f.source.Fleet.Flake+"#"+name, "", ""
		f.source.Fleet.Servers[name] = s
	}
	f.source.Git = git.New(git.Config{Env: append(bare(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url.file://.insteadOf", "GIT_CONFIG_VALUE_0=file+x://")})
}
