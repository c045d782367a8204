package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/lab"
)

const previewName = "preview-pr-7-web"

// previewed is oneWeb whose fleet file lets pull requests have previews.
func previewed(preview string) set {
	with := oneWeb("stop")
	with.servers += "\npreview: {" + preview + "}\n"
	return with
}

func (s *scene) up(pull int) (*deploy.Result, error) {
	s.t.Helper()
	result, err := s.deployer().PreviewUp(s.t.Context(), deploy.PreviewRequest{Pull: pull})
	return result, s.failed(err)
}

func (s *scene) mustUp(pull int) *deploy.Result {
	s.t.Helper()
	result, err := s.up(pull)
	if err != nil {
		s.t.Fatalf("preview up: %v%s", err, causes(err))
	}
	return result
}

// names are those of all droplets, sorted.
func (s *scene) names() []string {
	var all []string
	for _, d := range s.State().Droplets {
		all = append(all, d.Name)
	}
	slices.Sort(all)
	return all
}

// below are the keys of the Space that begin with a prefix.
func (s *scene) below(prefix string) []string {
	var keys []string
	for _, o := range s.State().Objects {
		if strings.HasPrefix(o.Key, prefix) {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// previewImages are the names of the custom images of previews.
func (s *scene) previewImages() []string {
	var all []string
	for _, i := range s.State().Images {
		if strings.HasPrefix(i.Name, "snowdrop-preview-") {
			all = append(all, i.Name)
		}
	}
	return all
}

func TestAPreviewLivesFromTheFirstCommitUntilItsPullRequestIsClosed(t *testing.T) {
	t.Parallel()
	s := open(t, previewed(""))
	s.mustRun()
	real := s.State().Droplet("web-1").Machine.BootID
	s.forget()

	result := s.mustUp(7)
	want := map[string]event.Outcome{previewName: event.Verified}
	if diff := cmp.Diff(want, outcomes(result)); diff != "" {
		t.Error(diff)
	}
	s.onlyTheAnnexIsWritten()
	droplet := s.State().Droplet(previewName)
	if droplet == nil {
		t.Fatalf("there is no droplet %s: %v", previewName, s.names())
	}
	wantTags := []string{"snowdrop:preview:pr-7", "snowdrop:fleet:nyc3:acme"}
	if diff := cmp.Diff(wantTags, droplet.Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if now := s.bootNow(previewName); now.System == "" || droplet.Image.Name != s.previewImages()[0] {
		t.Errorf("it runs %s, system %q", droplet.Image.Name, now.System)
	}

	// The same commit again changes nothing.
	s.forget()
	if got := outcomes(s.mustUp(7)); got[previewName] != event.Unchanged {
		t.Errorf("again: %v", got)
	}
	if n := s.posts(""); n > 0 {
		t.Errorf("%d POSTs were sent again", n)
	}

	// A new commit comes to the same droplet.
	s.release(second, "web", web("b"))
	s.mustUp(7)
	if after := s.State().Droplet(previewName); after.ID != droplet.ID || s.rebuilds(previewName) != 1 {
		t.Errorf("droplet %d became %d after %d rebuilds", droplet.ID, after.ID, s.rebuilds(previewName))
	}

	// Nothing of this touched what is real.
	if s.State().Droplet("web-1").Machine.BootID != real || s.record("web").Revision != first {
		t.Error("the real server was touched")
	}

	closed, err := s.deployer().PreviewDown(t.Context(), 7)
	check(t, err)
	if got := outcomes(closed); got[previewName] != event.Pruned {
		t.Errorf("closed: %v", got)
	}
	if diff := cmp.Diff([]string{"web-1", "web-2"}, s.names()); diff != "" {
		t.Errorf("droplets left (-want +got):\n%s", diff)
	}
	if left := append(s.previewImages(), s.below("previews/")...); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if s.imagesNamed(s.imageName("web")) != 0 || s.State().Image(s.runs("web-1")) == nil {
		t.Error("the real server's image is gone")
	}
	s.forget()
	_, err = s.deployer().PreviewDown(t.Context(), 7)
	check(t, err)
	for _, r := range s.Requests() {
		if r.Method == "DELETE" {
			t.Errorf("deleted again: %s", r.Path)
		}
	}
}

// onlyTheAnnexIsWritten looks at all that was asked of the Space.
func (s *scene) onlyTheAnnexIsWritten() {
	s.t.Helper()
	written := 0
	for _, r := range s.Requests() {
		if r.Service == "api" || r.Method == "GET" || r.Method == "HEAD" {
			continue
		}
		written++
		if !strings.HasPrefix(r.Path, "/acme/previews/pr-7/") {
			s.t.Errorf("%s %s is not the preview's own", r.Method, r.Path)
		}
	}
	if written == 0 {
		s.t.Errorf("nothing was seen to be written: %+v", s.Requests())
	}
}

func TestAPreviewPassesAPublicSpaceAndLeavesNothingPublic(t *testing.T) {
	t.Parallel()
	with := previewed("")
	with.space = ", delivery: public-read"
	s := open(t, with)
	s.mustUp(7)
	s.onlyTheAnnexIsWritten()
	for _, key := range s.below("") {
		if strings.Contains(key, "/images/") {
			t.Errorf("left: %s", key)
		}
	}
}

func TestThePriceOfAPreviewIsSaid(t *testing.T) {
	t.Parallel()
	s := open(t, previewed("size: s-1vcpu-2gb"))
	s.mustUp(7)
	s.mu.Lock()
	defer s.mu.Unlock()
	said := map[string]string{}
	for _, e := range s.events {
		if e, ok := e.(event.StepFinished); ok {
			said[e.Step] = e.Result
		}
	}
	for _, step := range []string{"plan", "create"} {
		if !strings.Contains(said[step], "0.0179 USD an hour (12 USD a month)") {
			t.Errorf("%s says %q", step, said[step])
		}
	}
}

func TestNoMorePreviewsThanTheFleetAllows(t *testing.T) {
	t.Parallel()
	s := open(t, previewed("max: 2"))
	s.mustUp(1)
	s.mustUp(2)
	_, err := s.up(3)
	if err == nil || !strings.Contains(err.Error(), "there may be 2 preview droplets") || !strings.Contains(err.Error(), "preview-pr-1-web, preview-pr-2-web") {
		t.Fatalf("a third: %v", err)
	}
	if diff := cmp.Diff([]string{"preview-pr-1-web", "preview-pr-2-web", "web-1", "web-2"}, s.names()); diff != "" {
		t.Error(diff)
	}
	if keys := s.below("previews/pr-3/"); len(keys) > 0 {
		t.Errorf("a refused preview left %v", keys)
	}
	// Those that are there can be updated all the same.
	s.release(second, "web", web("b"))
	s.mustUp(2)
	_, err = s.deployer().PreviewDown(t.Context(), 1)
	check(t, err)
	s.mustUp(3)
}

func TestOfTwoRunsThatBeganAtOnceTheLaterOneGivesWay(t *testing.T) {
	t.Parallel()
	s := open(t, previewed("max: 1"))
	// Another run makes its droplet when this one has planned already.
	s.mu.Lock()
	s.on = func(e event.Event) {
		if started, ok := e.(event.StepStarted); ok && started.Step == "create" {
			s.alien("preview-pr-1-web", "snowdrop:preview:pr-1", "snowdrop:fleet:nyc3:acme")
		}
	}
	s.mu.Unlock()
	_, err := s.up(2)
	if err == nil || !strings.Contains(causes(err), "there may be 1 preview droplet ") {
		t.Fatalf("got %v%s", err, causes(err))
	}
	if diff := cmp.Diff([]string{"preview-pr-1-web", "web-1", "web-2"}, s.names()); diff != "" {
		t.Error(diff)
	}
}

// alien makes a droplet that no preview of this test's made.
func (s *scene) alien(name string, tags ...string) {
	s.t.Helper()
	_, err := s.AddDroplet(context.WithoutCancel(s.t.Context()), lab.DropletSpec{Name: name, Tags: tags})
	check(s.t, err)
}

func TestPreviewsGetNoSecretsUnlessTheFleetSaysSo(t *testing.T) {
	t.Parallel()
	const files = "\n    files: [{path: /run/key, from: {env: API_KEY}}]"
	for says, want := range map[string]bool{"": false, "files: false": false, "files: true": true} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			with := oneWeb("stop")
			with.servers = strings.TrimRight(with.servers, "\n ") + files + fmt.Sprintf("\npreview: {%s}\n", says)
			s := open(t, with)
			s.mustUp(7)
			if got := slices.Contains(s.steps(), "provision "+previewName+"/"+previewName); got != want {
				t.Errorf("its files were written: %v, want %v", got, want)
			}
		})
	}
}

func TestAPreviewAsksNothingOfTheRealServer(t *testing.T) {
	t.Parallel()
	with := previewed("")
	with.servers = strings.Replace(with.servers, "http: [", `http: [{url: "http://www.example.com/"}, `, 1)
	s := open(t, with)
	s.mustUp(7) // www.example.com does not answer in the lab
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if w, ok := e.(event.Warning); ok && strings.Contains(w.Text, "www.example.com") {
			return
		}
	}
	t.Error("that the check was left out is not said")
}

func TestWhatCannotBePreviewedIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		preview string
		request deploy.PreviewRequest
		want    string
	}{
		"no number":          {"", deploy.PreviewRequest{}, "0 is not the number of a pull request"},
		"no such server":     {"", deploy.PreviewRequest{Pull: 7, Servers: []string{"wbe"}}, `no server "wbe"`},
		"not a server of it": {"servers: [web]", deploy.PreviewRequest{Pull: 7, Servers: []string{"db"}}, "server db gets no previews"},
		"no such size":       {"size: s-huge", deploy.PreviewRequest{Pull: 7}, "no size s-huge"},
		"not in the region":  {"region: xyz9", deploy.PreviewRequest{Pull: 7}, "cannot be had in xyz9"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, previewed(tt.preview))
			_, err := s.deployer().PreviewUp(t.Context(), tt.request)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v", err)
			}
			if n := s.posts(""); n > 0 || len(s.below("previews/")) > 0 {
				t.Errorf("%d POSTs, %v", n, s.below("previews/"))
			}
		})
	}
	s := open(t, oneWeb("stop"))
	_, err := s.up(7)
	var usage deploy.UsageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "preview: {}") {
		t.Errorf("without a preview key: %v", err)
	}
}
