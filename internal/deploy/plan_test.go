package deploy_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/disk"
	"github.com/versatus/snowdrop/internal/nix"
)

// planFails plans a deploy that cannot work. Nothing may have been changed.
func (s *scene) planFails(req deploy.Request) error {
	s.t.Helper()
	s.ResetRequests()
	_, err := s.deployer().Plan(s.t.Context(), req)
	if s.failed(err) == nil {
		s.t.Fatal("the plan was made")
	}
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			s.t.Errorf("%s %s was sent", r.Method, r.Path)
		}
	}
	return err
}

func wantAll(t *testing.T, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in the error: %v", w, err)
		}
	}
}

func TestOlderRevisionIsRefusedUnlessForced(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.release(second, "web", web("b"))
	s.mustRun()
	s.release(first, "web", web("a"))
	err := s.planFails(deploy.Request{})
	var old *deploy.SupersededError
	if !errors.As(err, &old) || old.Running != second || old.Asked != first {
		t.Errorf("plan = %v", err)
	}
	wantAll(t, err, "snowdrop rollback web", "--force")
	_, err = s.deployer().Deploy(t.Context(), s.plan(deploy.Request{Force: true}))
	check(t, err)
	if s.runs("web-1") != s.imageName("web") || s.record("web").Revision != first {
		t.Error("forced, it was not deployed")
	}
}

const apiServer = `
  api:
    image: .#api-image
    system: .#api-toplevel
    droplets: {names: [%s]}
    files: [{path: /var/lib/api/key, from: {env: API_KEY}, owner: api, restart: [api.service]}, {path: /var/lib/api/other, from: {env: OTHER_KEY}}]
    rollout: {on-failure: stop}
    verify: {units: [api.service], soak: 1s}
`

func api() lab.ImageSpec {
	return lab.ImageSpec{
		SizeMiB: 2, Users: []string{"api"}, Units: map[string]string{"api.service": "active"},
		Needs: disk.Needs{{Unit: "api.service", Path: "/var/lib/api/key"}},
	}
}

func TestEveryFaultIsFoundBeforeAnythingIsChanged(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers = strings.ReplaceAll(with.servers, "web-2", "wbe-2") + strings.ReplaceAll(apiServer, "%s", "api-1, api-2, api-3")
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "api-1", IPv6: true}, lab.DropletSpec{Name: "api-2"})
	with.images["api"] = api()
	s := open(t, with)
	err := s.planFails(deploy.Request{})
	wantAll(t, err, "server web", "wbe-2", "did you mean web-2", "server api", "api-3")

	with = oneWeb("stop")
	with.servers += strings.ReplaceAll(apiServer, "%s", "api-1")
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "api-1", IPv6: true})
	with.images["api"] = api()
	s = open(t, with)
	delete(s.env, "API_KEY")
	wantAll(t, s.planFails(deploy.Request{}), "api-1", "IPv6", "API_KEY", "OTHER_KEY")
}

func TestFilesAreWrittenBeforeVerificationAndStaySecret(t *testing.T) {
	t.Parallel()
	with := set{
		servers: strings.ReplaceAll(apiServer, "%s", "api-1"), droplets: []lab.DropletSpec{{Name: "api-1"}},
		images: map[string]lab.ImageSpec{"api": api()},
	}
	s := open(t, with)
	s.env["OTHER_KEY"] = secretFile + "-2"
	s.mustRun()
	got, err := s.ReadFile("api-1", "/var/lib/api/key")
	check(t, err)
	if strings.TrimSpace(string(got)) != secretFile {
		t.Errorf("the file holds %q", got)
	}
}

func TestFlakeThatCannotBeEvaluatedIsToldAsSuch(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.images = map[string]lab.ImageSpec{"other": web("a")}
	err := open(t, with).planFails(deploy.Request{})
	var eval *nix.EvalError
	if !errors.As(err, &eval) {
		t.Errorf("plan = %v", err)
	}
}

func TestUncommittedTreeIsDeployedWithoutARevision(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.builder.Revision = ""
	s.mustRun()
	if rec := s.record("web"); rec.Revision != "" {
		t.Errorf("the record names revision %s", rec.Revision)
	}
}

// oneFails is a Nix that cannot build one of several images.
type oneFails struct {
	deploy.Nix
	server string
}

func (n oneFails) Realise(ctx context.Context, outputs []nix.Output, p nix.Progress) error {
	var good []nix.Output
	var bad *nix.BuildError
	for _, o := range outputs {
		if strings.Contains(o.Installable, n.server) {
			bad = &nix.BuildError{Drv: o.Drv, Installables: []string{o.Installable}, Reason: "failed with exit code 1", Tail: []string{"no such package: ngnix"}}
			continue
		}
		good = append(good, o)
	}
	if err := n.Nix.Realise(ctx, good, p); err != nil || bad == nil {
		return err //nolint:wrapcheck // a Nix in between
	}
	return bad
}

func TestOneServerThatCannotBeBuiltDoesNotStopTheOther(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers += dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	s.nix = oneFails{s.builder, "web"}
	result, err := s.run(t.Context())
	if err == nil || !strings.Contains(causes(err), "ngnix") {
		t.Fatalf("deploy = %v%s", err, causes(err))
	}
	want := map[string]event.Outcome{
		"web": event.Failed, "web-1": event.Untouched, "web-2": event.Untouched, "db": event.Verified, "db-1": event.Verified,
	}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	if s.record("web") != nil {
		t.Error("web has a record")
	}
	// And once it can be built, only web is.
	s.nix = s.builder
	s.forget()
	s.mustRun()
	if s.rebuilds("db-1") != 1 || s.rebuilds("web-1") != 1 {
		t.Errorf("rebuilt db-1 %d, web-1 %d times", s.rebuilds("db-1"), s.rebuilds("web-1"))
	}
}
