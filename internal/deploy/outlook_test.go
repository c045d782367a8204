package deploy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
)

// previewed are the events of a plan that is shown, by server, and the fleet's.
func (s *scene) previewed(req deploy.Request) (map[string]event.ServerPlanned, event.FleetPlanned) {
	s.t.Helper()
	s.forget()
	req.Preview = true
	_, err := s.deployer().Preview(s.t.Context(), s.plan(req))
	check(s.t, err)
	servers := map[string]event.ServerPlanned{}
	var all event.FleetPlanned
	finished := false
	for _, e := range s.events {
		switch e := e.(type) {
		case event.ServerPlanned:
			servers[e.Server] = e
			if finished {
				s.t.Errorf("%s is planned after a server finished", e.Server)
			}
		case event.FleetPlanned:
			all = e
		case event.ServerFinished:
			finished = true
		}
	}
	for _, r := range s.Requests() {
		if r.Method != "GET" && r.Method != "HEAD" {
			s.t.Errorf("a plan sent %s %s", r.Method, r.Path)
		}
	}
	return servers, all
}

func TestAPlanSaysWhatIsDoneInWhichBatches(t *testing.T) {
	t.Parallel()
	with := oneWeb("stop")
	with.servers += dbServer
	with.droplets = append(with.droplets, lab.DropletSpec{Name: "db-1"})
	with.images["db"] = lab.ImageSpec{SizeMiB: 2, Units: map[string]string{"postgresql.service": "active"}}
	s := open(t, with)
	planned, _ := s.previewed(deploy.Request{})
	if got := planned["web"]; got.Action != event.BuildAndRebuild || cmp.Diff([][]string{{"web-1"}, {"web-2"}}, got.Batches) != "" {
		t.Errorf("before the first release: %+v", got)
	}
	// What was never released drifts from nothing.
	if d := planned["web"].Drift; d != nil {
		t.Errorf("drift before the first release: %q", d)
	}
	s.mustRun()
	planned, _ = s.previewed(deploy.Request{})
	for name, p := range planned {
		if p.Action != event.DoNothing || p.Batches != nil || p.Drift != nil || p.Downtime != 0 {
			t.Errorf("%s, released: %+v", name, p)
		}
	}
	one := s.imageName("web")
	s.release(second, "web", web("b"))
	planned, _ = s.previewed(deploy.Request{})
	if got := planned["web"]; got.Action != event.BuildAndRebuild || got.Downtime <= 0 {
		t.Errorf("a new release: %+v", got)
	}
	if got := planned["db"]; got.Action != event.DoNothing {
		t.Errorf("the other server: %+v", got)
	}
	s.mustRun()
	s.rebuildByOthers("web-2", one)
	planned, _ = s.previewed(deploy.Request{})
	if got := planned["web"]; got.Action != event.RebuildOnly || cmp.Diff([][]string{{"web-2"}}, got.Batches) != "" ||
		len(got.Drift) != 1 || !strings.Contains(got.Drift[0], "the record says image") {
		t.Errorf("a foreign rebuild: %+v", got)
	}
}

func TestAPlanNamesTheImagesThatADeployThenPrunes(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(*scene){
		"after two releases": func(s *scene) {
			s.release(second, "web", web("b"))
			s.mustRun()
		},
		"after one that failed": func(s *scene) {
			s.release(second, "web", webBroken())
			_, err := s.run(s.t.Context())
			if s.failed(err) == nil {
				s.t.Fatal("it did not fail")
			}
		},
		"after somebody went back by hand": func(s *scene) {
			one := s.imageName("web")
			s.release(second, "web", web("b"))
			s.mustRun()
			s.rebuildByOthers("web-1", one)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneDroplet("stop"))
			s.mustRun()
			second(s)
			s.release(third, "web", web("c"))
			planned, all := s.previewed(deploy.Request{})
			result := s.mustRun()

			var want, got []string
			for _, gone := range result.Servers[0].Pruned.Deleted {
				want = append(want, gone.Image.Name)
			}
			for _, gone := range planned["web"].Prune {
				got = append(got, gone.Name)
			}
			if len(want) == 0 || cmp.Diff(want, got) != "" {
				t.Errorf("planned to prune %q, pruned %q", got, want)
			}
			if all.Before.Images != 2 || all.After.Images != 2 {
				t.Errorf("stored: %+v", all)
			}
			planned, _ = s.previewed(deploy.Request{})
			if p := planned["web"]; len(p.Prune) != 0 || len(p.Keep) != 2 {
				t.Errorf("with nothing to do: %+v", p)
			}
		})
	}
}

func TestAPlanSaysThatNoImageBacksARecord(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	check(t, s.ocean.DeleteImage(t.Context(), s.record("web").CustomImage.ID))
	s.release(second, "web", web("b"))
	planned, _ := s.previewed(deploy.Request{})
	if d := planned["web"].Drift; len(d) == 0 || !strings.Contains(d[0], "gone from the account") {
		t.Errorf("drift: %q", d)
	}
}

func TestADeployTellsNothingOfAPlan(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	s.mustRun()
	for _, e := range s.events {
		switch e.(type) {
		case event.ServerPlanned, event.FleetPlanned:
			t.Errorf("a deploy told %s", e.Kind())
		}
	}
}

func TestTheTimeBetweenTwoRunsIsNoDowntime(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	_, _ = s.cutOff(stepStarts("boot")) // after the rebuild
	s.mustRun()
	if away := s.record("web").Droplets[0].Downtime; s.rebuilds("web-1") != 1 || away != 0 {
		t.Errorf("rebuilt %d times, away for %v", s.rebuilds("web-1"), away)
	}
}
