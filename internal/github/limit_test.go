package github_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

// reset is a header of a used-up hour that ends d after the test's begin.
func reset(d time.Duration) map[string]string {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC).Add(d)
	return map[string]string{"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(at.Unix())}
}

func TestAShortRateLimitIsWaitedForAndThePOSTSentAgain(t *testing.T) {
	t.Parallel()
	after := func(s string) map[string]string { return map[string]string{"Retry-After": s} }
	secondary := "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
	tests := []struct {
		name string
		bad  answer
		want time.Duration
	}{
		{"secondary, 403", fails(403, secondary).with(after("60")), time.Minute},
		{"secondary, 429", fails(429, secondary).with(after("30")), 30 * time.Second},
		{"secondary, until a date", fails(429, secondary).with(after("Wed, 04 Mar 2026 05:06:27 GMT")), 21 * time.Second},
		{"secondary, without a word of when", fails(403, secondary), time.Minute},
		{"secondary, by its documentation alone", answer{status: 403, body: object{
			"message": "Slow down.", "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits",
		}}, time.Minute},
		{"429 without a word of when", fails(429, "Too many requests"), time.Minute},
		{"secondary, of an hour that is not used up", fails(403, secondary).with(map[string]string{
			"X-RateLimit-Remaining": "900", "X-RateLimit-Reset": "1772600000",
		}), time.Minute},
		{"primary, 403", fails(403, "API rate limit exceeded").with(reset(40 * time.Second)), 41 * time.Second},
		{"primary, 429", fails(429, "API rate limit exceeded").with(reset(40 * time.Second)), 41 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(deploy, tt.bad).on(deploy, created(deployment(9, object{})))
			_, err := s.client().CreateDeployment(t.Context(), production())
			check(t, err)
			if pause := s.request(1).at.Sub(s.request(0).at); pause != tt.want {
				t.Errorf("sent again after %s, want %s", pause, tt.want)
			}
		})
	}
}

func TestALongRateLimitIsAnErrorAndStopsWhatFollows(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(deploy, fails(403, "API rate limit exceeded for installation.").with(reset(25*time.Minute)))
	c := s.client()
	_, first := c.CreateDeployment(t.Context(), production())
	_, second := c.Compare(t.Context(), "a", "b") // not sent
	golden(t, "rate-limit", fmt.Sprintf("%v\n\n%v", first, second))
	var answer *github.APIError
	if !errors.As(second, &answer) || answer.Denied() {
		t.Error("a rate limit is taken for a lack of permission")
	}
	if len(s.clock.slept) != 0 {
		t.Errorf("waited %v", s.clock.slept)
	}
	// Once it is over, all goes on.
	check(t, s.clock.Sleep(t.Context(), 26*time.Minute))
	s.on(compare, ok(comparison("behind")))
	_, err := c.Compare(t.Context(), "a", "b")
	check(t, err)
	// Until the next.
	s.on(compare, fails(403, "API rate limit exceeded for installation.").with(reset(80*time.Minute)))
	for range 2 {
		if _, err := c.Compare(t.Context(), "a", "b"); err == nil || !strings.Contains(err.Error(), "06:26:08 UTC") {
			t.Errorf("error: %v", err)
		}
	}
}

func TestPatienceIsForTheWholeRequest(t *testing.T) {
	t.Parallel()
	limited := fails(429, "secondary rate limit").with(map[string]string{"Retry-After": "60"})
	s := newServer(t).on(compare, limited).on(compare, limited)
	if _, err := s.client().Compare(t.Context(), "a", "b"); err == nil || !strings.Contains(err.Error(), "05:08:07 UTC") {
		t.Errorf("error: %v", err)
	}
	if diff := cmp.Diff(seconds(60), s.clock.slept); diff != "" {
		t.Error(diff)
	}
}

func TestTheLastAllowedRequestSucceedsAndTheNextIsAsked(t *testing.T) {
	t.Parallel()
	// go-github itself would refuse the second one, by a clock of its own.
	late := map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(time.Now().Add(time.Hour).Unix())}
	s := newServer(t).on(compare, ok(comparison("ahead")).with(late)).on(compare, ok(comparison("ahead")))
	c := s.client()
	for range 2 {
		_, err := c.Compare(t.Context(), "a", "b")
		check(t, err)
	}
}
