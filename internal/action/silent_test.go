package action

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/versatus/snowdrop/internal/github"
)

// silent takes requests and answers none.
type silent struct{}

// RoundTrip implements http.RoundTripper.
func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

// TestAGitHubThatIsSilentHoldsUpNoEnd: all is done, and only the reports are missing.
func TestAGitHubThatIsSilentHoldsUpNoEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, atMost time.Duration }{
		"since long before": {5 * time.Minute, 2 * time.Second},
		"from then on":      {0, 32 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, err := github.New(github.Config{Token: "x", Repository: "acme/fleet", Transport: silent{}})
				if err != nil {
					t.Fatal(err)
				}
				tell, stop := context.WithCancel(t.Context())
				s := &stage{runner: &runner{}, github: client, stopTell: stop}
				s.telling.Go(func() {
					for tell.Err() == nil {
						err := client.UpdateCheck(tell, 1, github.Check{Name: "snowdrop / web", Status: "in_progress"})
						if err == nil || errors.Is(err, context.Canceled) != (tell.Err() != nil) {
							t.Errorf("it ended with %v", err)
						}
					}
				})
				time.Sleep(tt.before)
				began := time.Now()
				if s.toldInTime(t.Context()) {
					t.Error("it says that all was told")
				}
				if took := time.Since(began); took > tt.atMost {
					t.Errorf("the end was held up for %s", took)
				}
				stop()
				s.telling.Wait()
			})
		})
	}
}
