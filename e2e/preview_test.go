//go:build linux && e2e

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

const (
	previewLabel = "snowdrop:preview"
	previewFleet = actionFleet + "preview: {max: 1, servers: [web], ttl: 1h}\n"
)

// TestActionPreview takes a pull request's preview through its life, with
// examples/workflows/preview-droplet.yml as it is: opened, a new commit, closed; and
// one that was missed is swept.
func TestActionPreview(t *testing.T) {
	ctx := testContext(t)
	w := newWorld(ctx, t, previewFleet, "act", "docker")
	check(t, os.CopyFS(filepath.Join(w.project.dir, ".github", "workflows"), os.DirFS("../examples/workflows")))
	s := &stage{world: w, act: newActor(t, w)}
	w.project.release(ctx, t, 1)
	w.publish(ctx, t)
	before := w.look(ctx, t)
	for number, part := range []struct {
		name string
		run  func(context.Context, *testing.T, *stage)
	}{
		{"a label makes a droplet, a new commit rebuilds it, closing deletes it", previewLives},
		{"a preview that was missed is swept", previewSwept},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(ctx, t, s); s.noCanary(t) }) {
			t.Fatalf("part %d ends it all", number+1)
		}
	}
	for name, was := range before {
		if now := w.look(ctx, t)[name]; now != was {
			t.Errorf("%s was touched: %+v, before: %+v", name, now, was)
		}
	}
}

// labelled is an event of a pull request that carries the label.
func (s *stage) labelled(action string, p hub.Pull) map[string]any {
	event := s.pullEvent(action, p)
	event["pull_request"].(map[string]any)["labels"] = []any{map[string]any{"name": previewLabel}}
	return event
}

// previewDroplet is the droplet of the preview; nil if there is none.
func (s *stage) previewDroplet() *lab.DropletState {
	return s.lab.State().Droplet("preview-pr-1-web")
}

// previewStates are the states of the deployments to the preview, the newest last.
func (s *stage) previewStates() string {
	var states []string
	for _, d := range s.lab.GitHub().State().Deployments {
		if d.Environment == "preview/pr-1/web" && d.Transient {
			states = append(states, d.Latest().State)
		}
	}
	return strings.Join(states, " ")
}

func previewLives(ctx context.Context, t *testing.T, s *stage) {
	s.project.git(ctx, t, "checkout", "-q", "-b", "change")
	s.project.release(ctx, t, 2)
	s.publish(ctx, t)
	p, err := s.lab.GitHub().AddPull(hub.Pull{Title: "Release 2", Author: "mona", HeadSHA: s.head(ctx, t), HeadRef: "change"})
	check(t, err)
	s.act.run(ctx, t, "preview-droplet.yml", "pull_request", s.labelled("labeled", p), options{}).demand(t, true)
	droplet := s.previewDroplet()
	if droplet == nil {
		t.Fatal("there is no droplet")
	}
	system, _ := s.on(ctx, t, droplet.Name, "readlink -f /run/current-system")
	if !strings.HasSuffix(system, "-nixos-system-web-25.05") {
		t.Errorf("it runs %s", system)
	}
	comments := s.comments(p.Number)
	if len(comments) != 1 || !strings.Contains(comments[0].Body, droplet.IPv4()) || !strings.Contains(comments[0].Body, "USD an hour") ||
		!strings.Contains(comments[0].Body, "web.service") {
		t.Fatalf("comments: %+v", comments)
	}
	if got := s.previewStates(); got != "success" {
		t.Errorf("deployments: %s", got)
	}

	s.project.release(ctx, t, 3)
	s.publish(ctx, t)
	p = s.pull(t, 1)
	s.act.run(ctx, t, "preview-droplet.yml", "pull_request", s.labelled("synchronize", p), options{}).demand(t, true)
	again, _ := s.on(ctx, t, droplet.Name, "readlink -f /run/current-system")
	if now := s.previewDroplet(); now == nil || now.ID != droplet.ID || again == system {
		t.Errorf("after a new commit: droplet %+v runs %s, before %d ran %s", now, again, droplet.ID, system)
	}

	check(t, s.lab.GitHub().Close(1))
	s.act.run(ctx, t, "preview-droplet.yml", "pull_request", s.labelled("closed", s.pull(t, 1)), options{}).demand(t, true)
	if now := s.previewDroplet(); now != nil {
		t.Errorf("it is still there: %+v", now)
	}
	if got := s.previewStates(); strings.Contains(got, "success") {
		t.Errorf("deployments: %s", got)
	}
	s.noPreviewLeft(t)
}

func previewSwept(ctx context.Context, t *testing.T, s *stage) {
	up := s.snowdrop(ctx, t, "preview", "up", "1")
	if up.exit != 0 || s.previewDroplet() == nil {
		t.Fatalf("preview up: exit %d\n%s", up.exit, up.text)
	}
	s.project.git(ctx, t, "checkout", "-q", "main") // a schedule runs there
	event := map[string]any{"schedule": "17 * * * *", "repository": repository(s.world)}
	s.act.run(ctx, t, "preview-droplet.yml", "schedule", event, options{}).demand(t, true)
	if now := s.previewDroplet(); now != nil {
		t.Errorf("that of a closed pull request is still there: %+v", now)
	}
	s.noPreviewLeft(t)
}

// noPreviewLeft looks for what previews leave in the account and in the Space.
func (s *stage) noPreviewLeft(t *testing.T) {
	t.Helper()
	for _, i := range s.lab.State().Images {
		if strings.HasPrefix(i.Name, "snowdrop-preview-") {
			t.Errorf("image %s is still there", i.Name)
		}
	}
	check(t, filepath.WalkDir(s.gateway.dir, func(name string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && strings.Contains(name, "/previews/") {
			t.Errorf("%s is still in the Space", name)
		}
		return err
	}))
}
