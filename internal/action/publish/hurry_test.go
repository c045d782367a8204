package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/versatus/snowdrop/internal/action/publish"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// slowly is a GitHub that takes its time for each request.
type slowly struct {
	takes time.Duration

	mu    sync.Mutex
	made  int
	ended map[string]string // by the check run's name
}

// RoundTrip implements http.RoundTripper.
func (s *slowly) RoundTrip(r *http.Request) (*http.Response, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	var asked struct{ Name, Status, Conclusion string }
	if err := json.Unmarshal(data, &asked); err != nil {
		return nil, fmt.Errorf("understand: %w", err)
	}
	time.Sleep(s.takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	if asked.Status == "completed" {
		s.ended[asked.Name] = asked.Conclusion
	}
	body := fmt.Sprintf(`{"id": %d, "name": %q}`, s.made, asked.Name)
	return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body))), Request: r}, nil
}

// TestAllChecksAreConcludedInSecondsWhenTheRunIsCancelled is cancelled while the
// checks of a large fleet are still being made, one a second.
func TestAllChecksAreConcludedInSecondsWhenTheRunIsCancelled(t *testing.T) {
	for _, after := range []time.Duration{0, 400 * time.Millisecond, 5500 * time.Millisecond, 50 * time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub := &slowly{takes: 300 * time.Millisecond, ended: map[string]string{}}
				client, err := github.New(github.Config{Token: "x", Repository: "acme/fleet", Transport: hub})
				if err != nil {
					t.Fatal(err)
				}
				var servers []string
				for i := range 30 {
					servers = append(servers, fmt.Sprintf("server-%d", i))
				}
				r := publish.NewChecks(publish.ChecksConfig{
					GitHub: client, Story: markdown.NewStory(time.Now), HeadSHA: "head", Run: "1.1",
					Warn:        func(text string) { t.Error(text) },
					Annotations: func(error) []github.Annotation { return nil },
				}, servers)
				done := make(chan struct{})
				go func() { r.Run(t.Context()); close(done) }()
				time.Sleep(after)
				client.Hurry()
				began := time.Now()
				r.Finish(publish.Ending{Err: context.Canceled, Cancelled: true})
				<-done
				if took := time.Since(began); took > 1500*time.Millisecond {
					t.Errorf("it took %s", took)
				}
				for _, server := range servers {
					if got := hub.ended["snowdrop / "+server]; got != "cancelled" {
						t.Errorf("%s: %q", strings.TrimSpace(server), got)
					}
				}
			})
		})
	}
}
