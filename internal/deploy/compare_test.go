package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/closure"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/nix"
	"github.com/versatus/snowdrop/internal/toplevel"
)

// snapshots are the keys of what is kept of systems.
func (s *scene) snapshots() []string {
	s.t.Helper()
	var keys []string
	for _, o := range s.State().Objects {
		if strings.HasPrefix(o.Key, "closures/") {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// withWorker is a release of web that has another unit and another user.
func withWorker() lab.ImageSpec {
	spec := web("b")
	spec.Units = map[string]string{"nginx.service": "active", "worker.service": "active"}
	return spec
}

func names(d *closure.Diff) []string {
	var all []string
	for _, c := range d.Changes {
		all = append(all, string(c.Kind)+" "+c.Name)
	}
	return all
}

func units(d *toplevel.Diff) []string {
	var all []string
	for _, u := range d.Units {
		all = append(all, u.Kind+" "+u.Name)
	}
	return all
}

// elsewhere makes the scene's next deploys happen on another machine, whose Nix store
// is empty: paths are named by content, so the flake says the same there.
func (s *scene) elsewhere() *emptyStore {
	empty := &emptyStore{Nix: s.nix, built: map[string]bool{}}
	s.nix = empty
	return empty
}

// emptyStore is a Nix that has only what it built itself.
type emptyStore struct {
	deploy.Nix
	built map[string]bool
	asked []string
	fail  error
}

func (e *emptyStore) Valid(_ context.Context, path string) (bool, error) { return e.built[path], nil }

func (e *emptyStore) Realise(ctx context.Context, outputs []nix.Output, p nix.Progress) error {
	for _, o := range outputs {
		e.asked = append(e.asked, o.Installable)
	}
	if e.fail != nil {
		return e.fail
	}
	if err := e.Nix.Realise(ctx, outputs, p); err != nil {
		return err //nolint:wrapcheck // a Nix in between
	}
	for _, o := range outputs {
		e.built[o.Path] = true
	}
	return nil
}

func (e *emptyStore) Closure(ctx context.Context, path string) ([]closure.Path, error) {
	if !e.built[path] {
		return nil, errors.New(path + " is not valid")
	}
	return e.Nix.Closure(ctx, path) //nolint:wrapcheck // a Nix in between
}

func TestAPlanNamesThePackagesAndUnitsThatChange(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	if len(s.snapshots()) != 2 {
		t.Errorf("a deploy left %q", s.snapshots())
	}
	s.release(second, "web", withWorker())
	machine := s.elsewhere()
	planned, _ := s.previewed(deploy.Request{})
	got := planned["web"]
	if got.Packages == nil || got.System == nil {
		t.Fatalf("not compared: %q", got.Unknown)
	}
	if diff := cmp.Diff([]string{"rebuilt etc", "rebuilt nixos-system-web", "rebuilt units"}, names(got.Packages)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"added worker.service"}, units(got.System)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{".#web-toplevel"}, machine.asked); diff != "" {
		t.Errorf("a plan has built:\n%s", diff)
	}
}

func TestAPlanOfWhatWasBuiltBeforeBuildsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	s.release(second, "web", withWorker())
	_, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	machine := s.elsewhere()
	planned, _ := s.previewed(deploy.Request{})
	if got := planned["web"]; got.Packages == nil || got.System == nil || len(machine.asked) != 0 {
		t.Errorf("built %q, unknown: %q", machine.asked, got.Unknown)
	}
}

func TestAPlanSaysWhyNothingIsCompared(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		prepare func(*testing.T, *scene)
		want    string
	}{
		"never released": {func(*testing.T, *scene) {}, "snowdrop has not released this server before"},
		"released without a snapshot": {
			func(t *testing.T, s *scene) {
				t.Helper()
				s.builder.Revision = ""
				s.mustRun()
				check(t, s.space.Delete(t.Context(), s.snapshots()...))
				s.release(second, "web", web("b"))
				s.elsewhere()
			}, "what revision (not committed) is made of is not known: there is no snapshot of it in the Space",
		},
		"a damaged snapshot": {
			func(t *testing.T, s *scene) {
				t.Helper()
				s.builder.Revision = ""
				s.mustRun()
				for _, key := range s.snapshots() {
					check(t, s.space.Put(t.Context(), key, []byte("no gzip"), "application/gzip"))
				}
				s.release(second, "web", web("b"))
			}, "read closures/web/",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			tc.prepare(t, s)
			planned, _ := s.previewed(deploy.Request{})
			got := planned["web"]
			if got.Action != event.BuildAndRebuild || got.Packages != nil || len(got.Unknown) != 1 || !strings.Contains(got.Unknown[0], tc.want) {
				t.Errorf("planned: %+v", got)
			}
		})
	}
}

func TestOnlyTheMachineThatBuiltLeavesASnapshot(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	_, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	left := s.snapshots()
	machine := s.elsewhere()
	s.mustRun()
	if len(machine.asked) != 0 {
		t.Errorf("built again: %q", machine.asked)
	}
	if diff := cmp.Diff(left, s.snapshots()); diff != "" || len(left) != 2 {
		t.Errorf("left by the build and after the deploy:\n%s", diff)
	}
	for _, e := range s.events {
		if w, ok := e.(event.Warning); ok && strings.Contains(w.Text, "snapshot") {
			t.Errorf("warned: %s", w.Text)
		}
	}
}

// noSnapshots is a Space that takes none.
type noSnapshots struct{ deploy.Space }

func (n noSnapshots) Put(ctx context.Context, key string, data []byte, contentType string) error {
	if strings.HasPrefix(key, "closures/") {
		return errors.New("403 AccessDenied")
	}
	return n.Space.Put(ctx, key, data, contentType) //nolint:wrapcheck // a Space in between
}

func TestASnapshotThatCannotBeKeptIsAWarning(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.store = noSnapshots{s.space}
	s.mustRun()
	warned := false
	for _, e := range s.events {
		if w, ok := e.(event.Warning); ok && strings.Contains(w.Text, "403 AccessDenied") {
			warned = true
		}
	}
	if !warned {
		t.Error("nothing was said of it")
	}
}

// twoRevisions is a Nix whose flake says something else at a former revision. It
// refuses others.
type twoRevisions struct {
	*emptyStore
	former *lab.Builder
}

// at takes the revision off installables, and says who knows what they were then.
func (n twoRevisions) at(installables []string) (deploy.Nix, []string) {
	plain := make([]string, len(installables))
	var of deploy.Nix = n.emptyStore
	for i, text := range installables {
		plain[i] = strings.Replace(text, "?rev="+n.former.Revision, "", 1)
		if plain[i] != text {
			of = n.former
		}
	}
	return of, plain
}

func (n twoRevisions) Evaluate(ctx context.Context, installables []string) ([]nix.Output, error) {
	of, plain := n.at(installables)
	return of.Evaluate(ctx, plain) //nolint:wrapcheck // a Nix in between
}

func (n twoRevisions) Derivations(ctx context.Context, installables []string) ([]closure.Derivation, error) {
	of, plain := n.at(installables)
	if found, err := of.Derivations(ctx, plain); err == nil {
		return found, nil
	}
	return n.former.Derivations(ctx, plain) //nolint:wrapcheck // derivations are named by their content, whatever the revision
}

func (n twoRevisions) Metadata(ctx context.Context, flake string) (nix.Metadata, error) {
	of, plain := n.at([]string{flake})
	return of.Metadata(ctx, plain[0]) //nolint:wrapcheck // a Nix in between
}

// afterFirst is a second release of web, on a machine that has built nothing.
func (s *scene) afterFirst() *emptyStore {
	was := *s.builder
	s.release(second, "web", withWorker())
	empty := s.elsewhere()
	s.nix = twoRevisions{empty, &was}
	return empty
}

func TestWithoutABuildAPlanEstimates(t *testing.T) {
	t.Parallel()
	kvm := &nix.BuildError{Drv: "/nix/store/x.drv", Reason: "cannot be built: a 'x86_64-linux' with features {kvm} is required to build it, but I am none"}
	for name, tc := range map[string]struct {
		request deploy.Request
		lost    bool // the snapshots are
		fail    error
		asked   []string
		why     string
	}{
		"nothing is to be built":       {request: deploy.Request{NoBuild: true}, why: "nothing was built"},
		"this machine cannot build it": {fail: kvm, asked: []string{".#web-toplevel"}, why: "the new system was not built"},
		"there is no snapshot of old":  {lost: true, why: "there is no snapshot of it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			if tc.lost {
				check(t, s.space.Delete(t.Context(), s.snapshots()...))
			}
			machine := s.afterFirst()
			machine.fail = tc.fail
			planned, _ := s.previewed(tc.request)
			got := planned["web"]
			if got.Packages == nil || !got.Packages.Estimate || got.System != nil || len(got.Unknown) != 1 || !strings.Contains(got.Unknown[0], tc.why) {
				t.Fatalf("planned: %+v", got)
			}
			if diff := cmp.Diff([]string{"rebuilt etc", "rebuilt nixos-system-web", "rebuilt units"}, names(got.Packages)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.asked, machine.asked); diff != "" {
				t.Errorf("built:\n%s", diff)
			}
		})
	}
}

// evaluated are the servers that an evaluation against the first revision tells of.
func (s *scene) evaluated() map[string]event.ServerPlanned {
	s.t.Helper()
	_, err := s.deployer().Evaluate(s.t.Context(), deploy.Request{Preview: true, Base: first})
	check(s.t, s.failed(err))
	servers := map[string]event.ServerPlanned{}
	for _, e := range s.events {
		if e, ok := e.(event.ServerPlanned); ok {
			servers[e.Server] = e
		}
	}
	return servers
}

func TestAnEvaluationComparesWithTheBase(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers += dbServer + strings.ReplaceAll(dbServer, "db", "new")
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	s.afterFirst()
	s.builder.Servers["new"] = web("n")
	got := s.evaluated()
	if p := got["web"].Packages; p == nil || !p.Estimate || cmp.Diff([]string{"rebuilt etc", "rebuilt nixos-system-web", "rebuilt units"}, names(p)) != "" {
		t.Errorf("web: %+v", got["web"])
	}
	if p := got["db"].Packages; p == nil || len(p.Changes) != 0 || got["db"].Unknown != nil {
		t.Errorf("db: %+v", got["db"])
	}
	if p := got["new"]; p.Packages != nil || len(p.Unknown) != 1 || !strings.Contains(p.Unknown[0], "evaluate revision 1111111") {
		t.Errorf("new: %+v", p)
	}
	for _, p := range got {
		if p.Action != event.OnlyEvaluated {
			t.Errorf("%s: %s", p.Server, p.Action)
		}
	}
	if len(s.Requests()) != 0 {
		t.Errorf("an evaluation asked for %v", s.Requests())
	}
}

func TestAPlanOfASystemThatCannotBeBuiltFails(t *testing.T) {
	t.Parallel()
	with := oneDroplet("stop")
	with.servers += dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	s.mustRun()
	machine := s.afterFirst()
	s.builder.Servers["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}, Users: []string{"b"}}
	s.nix = oneFails{twoRevisions{machine, s.nix.(twoRevisions).former}, "web"}
	s.forget()
	result, err := s.deployer().Preview(t.Context(), s.plan(deploy.Request{Preview: true}))
	var build *nix.BuildError
	if s.failed(err); !errors.As(err, &build) || !strings.Contains(causes(err), "the new system cannot be built") {
		t.Fatalf("preview = %v%s", err, causes(err))
	}
	if got := outcomes(result); got["web"] != event.Failed || got["db"] != event.WouldDo {
		t.Errorf("outcomes: %v", got)
	}
	for _, e := range s.events {
		if p, ok := e.(event.ServerPlanned); ok && (p.Packages == nil || p.Packages.Estimate != (p.Server == "web")) {
			t.Errorf("planned: %+v", p)
		}
	}
}

func TestAPlanDoesNotFailForTheBuildOfAnotherServer(t *testing.T) {
	t.Parallel()
	with := oneDroplet("stop")
	with.servers += dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	s.mustRun()
	s.release(second, "web", web("b"))
	s.release(second, "db", lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}, Users: []string{"b"}})
	plain, err := s.deployer().Plan(t.Context(), deploy.Request{})
	check(t, err)
	var faults []error
	for _, server := range plain.Servers {
		fault := &nix.BuildError{Drv: "/nix/store/a.drv", Installables: []string{server.Server.System}, Reason: "failed with exit code 1"}
		if server.Server.Name == "db" {
			fault.Reason = "a 'aarch64-linux' is required to build it, but I am a 'x86_64-linux'"
		}
		faults = append(faults, fault)
	}
	s.elsewhere().fail = errors.Join(faults...)
	result, err := s.deployer().Preview(t.Context(), s.plan(deploy.Request{Preview: true}))
	if s.failed(err) == nil {
		t.Fatal("the plan does not fail")
	}
	if got := outcomes(result); got["web"] != event.Failed || got["db"] != event.WouldDo {
		t.Errorf("outcomes: %v", got)
	}
}
