package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/ocean"
)

// keep plans everything and keeps the plan, as a file would.
func (s *scene) keep() deploy.KeptPlan {
	s.t.Helper()
	data, err := json.Marshal(s.deployer().Keep(s.plan(deploy.Request{Preview: true})))
	check(s.t, err)
	s.clean("the kept plan", string(data))
	kept, err := deploy.ReadPlan(bytes.NewReader(data))
	check(s.t, err)
	return kept
}

// destroy deletes a droplet, as somebody would in the control panel.
func (s *scene) destroy(droplet string) {
	s.t.Helper()
	url := fmt.Sprintf("%s/v2/droplets/%d", strings.TrimSuffix(s.APIURL(), "/"), s.State().Droplet(droplet).ID)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodDelete, url, http.NoBody)
	check(s.t, err)
	req.Header.Set("Authorization", "Bearer "+s.Token())
	resp, err := http.DefaultClient.Do(req)
	check(s.t, err)
	check(s.t, resp.Body.Close())
	if resp.StatusCode != http.StatusNoContent {
		s.t.Fatalf("delete %s: %s", droplet, resp.Status)
	}
}

func TestAKeptPlanIsCarriedOutAsItStands(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	s.mustRun()
	s.release(second, "web", web("b"))
	kept := s.keep()
	d := s.deployer()
	plan, err := d.PlanFrom(t.Context(), kept, false)
	check(t, s.failed(err))
	_, err = d.Deploy(t.Context(), plan)
	check(t, s.failed(err))
	if rec := s.record("web"); rec.Revision != second || s.runs("web-1") != s.imageName("web") || s.runs("web-2") != s.imageName("web") {
		t.Errorf("the record names %s, the droplets run %s, %s", rec.Revision, s.runs("web-1"), s.runs("web-2"))
	}
	if _, err = d.PlanFrom(t.Context(), kept, false); s.failed(err) == nil {
		t.Error("the plan is carried out a second time")
	}
}

func TestAKeptPlanIsOfItsOwnRevisionWhateverIsCheckedOut(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	want := s.imageName("web")
	kept := s.keep()
	s.afterFirst()
	plan, err := s.deployer().PlanFrom(t.Context(), kept, false)
	check(t, s.failed(err))
	if got := ocean.ImageName("web", plan.Servers[0].Want.Hash); plan.Revision != first || got != want {
		t.Errorf("planned again: %s of %s; want %s of %s", got, plan.Revision, want, first)
	}
}

func TestAPlanIsRefusedWhenTheWorldHasChanged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(t *testing.T, s *scene, base string)
		want   []string
	}{
		"another deploy was quicker": {
			change: func(_ *testing.T, s *scene, _ string) {
				s.release(strings.Repeat("4", 40), "web", web("d"))
				s.mustRun()
				s.release(third, "web", web("c"))
			},
			want: []string{"its record says revision 4444444", "droplet web-1", "droplet web-2", "snowdrop rollback web"},
		},
		"the flake gives another image": {
			change: func(_ *testing.T, s *scene, _ string) { s.release(third, "web", web("other")) },
			want:   []string{"the flake gives", "the plan has"},
		},
		"a droplet runs something else": {
			change: func(_ *testing.T, s *scene, base string) { s.rebuildByOthers("web-2", base) },
			want:   []string{"droplet web-2", "runs", "when the plan was made, image "},
		},
		"a droplet is gone and another has its name": {
			change: func(t *testing.T, s *scene, _ string) {
				t.Helper()
				s.destroy("web-2")
				_, err := s.AddDroplet(t.Context(), lab.DropletSpec{Name: "web-2"})
				check(t, err)
			},
			want: []string{"droplet web-2", "is gone", "is new"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, oneWeb("stop"))
			s.mustRun()
			base := s.imageName("web")
			s.release(second, "web", web("b"))
			s.mustRun()
			s.release(third, "web", web("c"))
			kept := s.keep()
			tc.change(t, s, base)
			s.ResetRequests()
			_, err := s.deployer().PlanFrom(t.Context(), kept, false)
			var stale *deploy.StalePlanError
			if !errors.As(s.failed(err), &stale) {
				t.Fatalf("planned again: %v", err)
			}
			wantAll(t, err, tc.want...)
			if n := s.posts(""); n != 0 {
				t.Errorf("%d POSTs were sent", n)
			}
		})
	}
}

func TestAPlanIsRefusedWhenItsCustomImageIsGone(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	_, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	kept := s.keep()
	for _, i := range s.State().Images {
		if i.Name == s.imageName("web") {
			check(t, s.ocean.DeleteImage(t.Context(), i.ID))
		}
	}
	_, err = s.deployer().PlanFrom(t.Context(), kept, false)
	if s.failed(err) == nil || !strings.Contains(err.Error(), "gone from the account") {
		t.Errorf("planned again: %v", err)
	}
}

func TestAnImageThatWasBuiltMeanwhileDoesNotMakeAPlanStale(t *testing.T) {
	t.Parallel()
	s := open(t, oneDroplet("stop"))
	kept := s.keep()
	_, err := s.deployer().Build(t.Context(), s.plan(deploy.Request{}))
	check(t, err)
	_, err = s.deployer().PlanFrom(t.Context(), kept, false)
	check(t, s.failed(err))
}

func TestAKeptPlanSaysWhatEachDropletRunsAndNeeds(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	kept := s.keep()
	data, err := json.Marshal(kept)
	check(t, err)
	var got struct {
		Version  int
		MadeAt   time.Time
		Revision string
		Servers  []struct {
			Server, Image, Toplevel string
			Batches                 [][]string
			Droplets                []struct{ Name, Todo string }
		}
	}
	check(t, json.Unmarshal(data, &got))
	if got.Version != 1 || got.MadeAt.IsZero() || got.Revision != first || len(got.Servers) != 1 {
		t.Fatalf("kept: %s", data)
	}
	server := got.Servers[0]
	if diff := cmp.Diff([][]string{{"web-1"}, {"web-2"}}, server.Batches); diff != "" {
		t.Error(diff)
	}
	if !strings.HasSuffix(server.Image, "-web-image") || server.Toplevel == "" || server.Droplets[1].Name != "web-2" || server.Droplets[1].Todo != "rebuild" {
		t.Errorf("kept: %s", data)
	}
}

func TestWhatIsNotAPlanIsRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                "not a plan",
		"{}":                              "names no servers",
		`{"version": 1, "servers": []}`:   "names no servers",
		`{"version": 2, "servers": [{}]}`: "update snowdrop",
		`{"version": "one"}`:              "not a plan",
	} {
		_, err := deploy.ReadPlan(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

func TestAPlanIsRefusedWhenTheFleetFileSaysSomethingElse(t *testing.T) {
	t.Parallel()
	s := open(t, oneWeb("stop"))
	kept := s.keep()
	web := s.fleet.Servers["web"]
	web.Rollout.OnFailure = "rollback"
	s.fleet.Servers["web"] = web
	_, err := s.deployer().PlanFrom(t.Context(), kept, false)
	var stale *deploy.StalePlanError
	if s.failed(err) == nil || !errors.As(err, &stale) || !strings.Contains(err.Error(), "server web: the fleet file says something else") {
		t.Errorf("the plan: %v", err)
	}
}
