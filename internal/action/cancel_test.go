package action_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/lab"
)

// TestARunIsCancelledWhereverItIs: no check stays open, no object is left, and it is said
// how far each server came. GitHub kills it after ten seconds.
func TestARunIsCancelledWhereverItIs(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		fault lab.Fault
		// at is what the check of web says when the run is cancelled; said is what it says
		// then.
		at, said string
	}{
		"while it is planned":                {lab.Fault{Kind: "api-slow", Target: "GET /v2/droplets", Delay: time.Minute}, "", "cancelled before anything was done"},
		"while an image is uploaded":         {lab.Fault{Kind: "s3-slow", Target: "PUT /acme/images/*", Delay: time.Minute}, "uploading", "cancelled"},
		"while DigitalOcean imports it":      {lab.Fault{Kind: "import-stuck", Target: "*"}, "waiting for custom image", "cancelled"},
		"while a droplet is rebuilt":         {lab.Fault{Kind: "action-stuck", Target: "web-1"}, "rebuild", "whether it completed is not known"},
		"while a droplet does not come back": {lab.Fault{Kind: "boot-never", Target: "web-1"}, "booting", "web-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			check(t, p.lab.Fault(tt.fault))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan ended, 1)
			go func() { done <- p.action(ctx, "push", "1", push(), "servers", "web") }()
			for over := time.After(time.Minute); ; {
				c, ok := p.checks("1")["snowdrop / web"]
				if ok && strings.Contains(c.Title, tt.at) {
					break
				}
				select {
				case e := <-done:
					t.Fatalf("it ended before:\n%s", e.log)
				case <-over:
					t.Fatalf("the check says %q", c.Title)
				case <-time.After(10 * time.Millisecond):
				}
			}
			began := time.Now()
			cancel()
			e := <-done
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			e.demand(t, 130)
			c := p.checks("1")["snowdrop / web"]
			if c.Conclusion != "cancelled" || !strings.Contains(c.Title+c.Summary+c.Text, tt.said) {
				t.Errorf("%s %q\n%s\n%s", c.Conclusion, c.Title, c.Summary, c.Text)
			}
			for _, d := range p.hub.State().Deployments {
				if got := d.Latest().State; got != "error" {
					t.Errorf("the deployment of %s ended as %s", d.Environment, got)
				}
			}
			for _, o := range p.lab.State().Objects {
				if strings.Contains(o.Key, "images/") {
					t.Errorf("%s was left", o.Key)
				}
			}
			if e.outputs["result"] == "" || e.summary == "" {
				t.Error("there is no output, or no summary")
			}
		})
	}
}
