package deploy_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/space"
)

// staging is another fleet of the same account, with a server of the same name on a
// droplet of its own, and its records below a prefix of the same bucket.
func (s *scene) staging() *scene {
	s.t.Helper()
	f := *s.fleet
	f.Space.Prefix = "staging/"
	f.Servers = maps.Clone(f.Servers)
	server := f.Servers["web"]
	server.Droplets.Names = []string{"staging-1"}
	f.Servers["web"] = server
	builder := *s.builder
	other := &scene{
		Lab: s.Lab, t: s.t, fleet: &f, builder: &builder, nix: &builder, ocean: s.ocean, dialer: s.dialer, clock: s.clock, env: s.env,
	}
	access, secret := s.Keys()
	var err error
	other.space, err = space.New(space.Config{
		Bucket: s.Bucket(), Prefix: "staging/", Region: "nyc3", Endpoint: s.SpaceURL(), AccessKey: access, SecretKey: secret,
	})
	check(s.t, err)
	other.store = other.space
	_, err = s.AddDroplet(s.t.Context(), lab.DropletSpec{Name: "staging-1"})
	check(s.t, err)
	return other
}

func TestTwoFleetsOfOneAccountLeaveEachOthersImagesAlone(t *testing.T) {
	t.Parallel()
	production := open(t, oneWeb("stop"))
	staging := production.staging()
	production.mustRun()
	production.release(second, "web", web("b"))
	production.mustRun()
	wayBack := production.record("web").Previous.CustomImage.ID
	for _, change := range []string{"s", "t", "u"} {
		staging.release(third, "web", web(change))
		staging.mustRun()
	}
	status, err := staging.deployer().Status(t.Context(), deploy.Request{})
	check(t, err)
	if n := len(status[0].Images); n != 2 {
		t.Errorf("staging has %d images, and should have what runs and the way back", n)
	}
	// What was built for the one is not the other's release of that revision.
	d := production.deployer()
	if _, err := d.PlanRebuild(t.Context(), deploy.Request{Revision: third}, 0); err == nil || !strings.Contains(err.Error(), "has no custom image of revision") {
		t.Errorf("production is rebuilt with staging's image: %v", err)
	}
	if _, err := d.PlanRebuild(t.Context(), deploy.Request{}, staging.record("web").CustomImage.ID); err == nil {
		t.Error("production is rebuilt with staging's image, by its id")
	}
	if _, err := production.again("rollback", 0); err != nil {
		t.Fatalf("the way back is gone: %v%s", err, causes(err))
	}
	if got := production.record("web").CustomImage.ID; got != wayBack {
		t.Errorf("went back to image %d, not %d", got, wayBack)
	}
}

func TestAnImageOfAnotherFleetIsUsedIfItIsTheSame(t *testing.T) {
	t.Parallel()
	production := open(t, oneWeb("stop"))
	staging := production.staging()
	production.mustRun()
	production.forget()
	staging.mustRun()
	if production.posts("/v2/images") != 0 {
		t.Error("it was imported once more")
	}
}
