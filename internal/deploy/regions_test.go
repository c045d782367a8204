package deploy_test

import (
	"slices"
	"testing"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
)

// apart is a server whose droplets are in two regions.
func apart() set {
	s := oneWeb("stop")
	s.droplets = []lab.DropletSpec{{Name: "web-1", Region: "nyc3"}, {Name: "web-2", Region: "ams3"}}
	return s
}

func TestImageIsImportedOnceAndTransferredToTheOtherRegions(t *testing.T) {
	t.Parallel()
	s := open(t, apart())
	s.mustRun()
	image := s.imageName("web")
	if s.runs("web-1") != image || s.runs("web-2") != image {
		t.Errorf("web-1 runs %s, web-2 runs %s; want %s on both", s.runs("web-1"), s.runs("web-2"), image)
	}
	// One import and one transfer, both below /v2/images.
	if n := s.posts("/v2/images"); n != 2 || s.imagesNamed(s.imageName("web")) != 1 {
		t.Errorf("%d POSTs for %d images; want an import and a transfer of one", n, s.imagesNamed(s.imageName("web")))
	}
	if regions := s.record("web").CustomImage.Regions; !slices.Contains(regions, "nyc3") || !slices.Contains(regions, "ams3") {
		t.Errorf("the record's image is in %v; want nyc3 and ams3", regions)
	}
}

func TestRebuildBringsTheImageToTheRegionOfADropletThatCameLater(t *testing.T) {
	t.Parallel()
	s := open(t, apart())
	d := s.deployer()
	web := d.Fleet.Servers["web"]
	web.Droplets.Names = []string{"web-1"}
	d.Fleet.Servers["web"] = web
	s.mustRun()

	web.Droplets.Names = []string{"web-1", "web-2"}
	d.Fleet.Servers["web"] = web
	plan, err := d.PlanRebuild(t.Context(), deploy.Request{Servers: []string{"web"}}, 0)
	check(t, err)
	result, err := d.Rebuild(t.Context(), "rebuild", plan)
	check(t, err)
	if got := result.Servers[0].Outcome; got != event.Verified || s.runs("web-2") != s.imageName("web") {
		t.Errorf("rebuild is %s, web-2 runs %s", got, s.runs("web-2"))
	}
	// One import and one transfer, both below /v2/images.
	if n := s.posts("/v2/images"); n != 2 || s.imagesNamed(s.imageName("web")) != 1 {
		t.Errorf("%d POSTs for %d images; want an import and a transfer of one", n, s.imagesNamed(s.imageName("web")))
	}
}
