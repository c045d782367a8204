package deploy_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/release"
	"github.com/versatus/snowdrop/internal/remote"
)

// oneDroplet is the server web on one droplet.
func oneDroplet(onFailure string) set {
	with := oneWeb(onFailure)
	with.servers = strings.ReplaceAll(with.servers, "[web-1, web-2]", "[web-1]")
	with.droplets = with.droplets[:1]
	return with
}

// rewrite changes the record of web behind snowdrop's back.
func (s *scene) rewrite(change func(*release.Record)) {
	s.t.Helper()
	rec := s.record("web")
	change(rec)
	data, err := json.Marshal(rec)
	check(s.t, err)
	check(s.t, s.space.Put(s.t.Context(), "releases/web/current.json", data, "application/json"))
}

// rebuildByOthers rebuilds a droplet as somebody in the control panel would.
func (s *scene) rebuildByOthers(droplet, image string) {
	s.t.Helper()
	state := s.State()
	action, err := s.ocean.Rebuild(s.t.Context(), state.Droplet(droplet).ID, state.Image(image).ID)
	check(s.t, err)
	_, err = s.ocean.WaitForAction(s.t.Context(), action, 0, func(string) {})
	check(s.t, err)
}

func (s *scene) verify() error {
	s.t.Helper()
	d := s.deployer()
	plan, err := d.PlanVerify(s.t.Context(), deploy.Request{})
	check(s.t, err)
	_, err = d.Verify(s.t.Context(), plan)
	return s.failed(err)
}

func TestHostKeyThatChangedWithoutOurRebuildIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	known := s.record("web").Droplets[0].HostKeys
	s.rebuildByOthers("web-1", s.imageName("web"))
	err := s.verify()
	var key *remote.HostKeyError
	if !errors.As(err, &key) {
		t.Fatalf("verify = %v%s; want a refused host key", err, causes(err))
	}
	if rec := s.record("web"); !slices.Equal(rec.Droplets[0].HostKeys, known) {
		t.Error("the foreign keys were recorded")
	}
}

func TestPendingRebuildAllowsOneNewSetOfHostKeys(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	s.rewrite(func(rec *release.Record) {
		d := &rec.Droplets[0]
		d.Rebuild = &release.Rebuild{ImageID: d.ImageID, StartedAt: s.clock.Now()}
	})
	s.rebuildByOthers("web-1", s.imageName("web")) // it is the pending one
	if err := s.verify(); err != nil {
		t.Fatalf("verify = %v%s", err, causes(err))
	}
	if d := s.record("web").Droplets[0]; d.Rebuild != nil || !slices.Equal(plain(d.HostKeys), plain(s.State().Droplet("web-1").Machine.HostKeys)) {
		t.Errorf("the new keys were not recorded: %+v", d)
	}
	// Once, and not again.
	s.rebuildByOthers("web-1", s.imageName("web"))
	var key *remote.HostKeyError
	if err := s.verify(); !errors.As(err, &key) {
		t.Errorf("a second new set of keys: %v%s", err, causes(err))
	}
}

// TestRebuildThatWasNeverDoneAllowsNoNewHostKeys: a record that says that one was
// about to be sent is no reason to trust whoever answers.
func TestRebuildThatWasNeverDoneAllowsNoNewHostKeys(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	s.rewrite(func(rec *release.Record) {
		d := &rec.Droplets[0]
		d.Rebuild = &release.Rebuild{ImageID: d.ImageID + 1000, StartedAt: s.clock.Now()}
	})
	s.rebuildByOthers("web-1", s.imageName("web"))
	var key *remote.HostKeyError
	if err := s.verify(); !errors.As(err, &key) {
		t.Errorf("verify = %v%s; want a refused host key", err, causes(err))
	}
}

func TestStrictPolicyTakesOnlyThePinnedHostKey(t *testing.T) {
	t.Parallel()
	with := oneDroplet("stop")
	with.servers += "    ssh: {host-key-policy: strict, host-keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1MlIBWYT9fpZqCTkBfBPkEmQeLSl8zOvZ2vR8mFqYv\"]}\n"
	s := open(t, with)
	_, err := s.run(t.Context())
	var key *remote.HostKeyError
	if !errors.As(err, &key) {
		t.Fatalf("deploy = %v%s; want a refused host key", err, causes(err))
	}
}
