package github_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const compare = "GET " + repo + "/compare/a...b?per_page=1"

func TestAClientIsNotMadeOfWhatCanNotWork(t *testing.T) {
	t.Parallel()
	good := github.Config{Token: token, Repository: "acme/fleet.nix"}
	if _, err := github.New(good); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*github.Config){
		"GITHUB_TOKEN":      func(c *github.Config) { c.Token = " \n" },
		"GITHUB_API_URL":    func(c *github.Config) { c.BaseURL = "api.github.com" },
		"GITHUB_REPOSITORY": func(c *github.Config) { c.Repository = "acme" },
		"owner/name":        func(c *github.Config) { c.Repository = "acme/../fleet" },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := github.New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error: %v; it should name %s", err, name)
		}
	}
}

func TestEveryRequestSaysVersionMediaTypeAndAgent(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(compare, ok(comparison("ahead"))).
		on(runs, created(checkRun(42, name, runID, 0))).
		on(deploy, created(deployment(9, object{})))
	c := s.client()
	_, err := c.Compare(t.Context(), "a", "b")
	check(t, err)
	_, err = c.CreateCheck(t.Context(), webCheck(0))
	check(t, err)
	_, err = c.CreateDeployment(t.Context(), production())
	check(t, err)
	for _, r := range s.got {
		got := map[string]string{}
		for _, key := range []string{"Accept", "X-Github-Api-Version", "User-Agent", "Authorization"} {
			got[key] = strings.Join(r.header[key], ", ")
		}
		want := map[string]string{
			"Accept": "application/vnd.github+json", "X-Github-Api-Version": "2022-11-28", "User-Agent": "snowdrop/test",
			"Authorization": "Bearer " + token,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", r.line, diff)
		}
	}
}

func TestAnEnterpriseServersPathIsKept(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.prefix = "/api/v3"
	s.on(pulls, ok([]object{pullRequest(7, true)}).more("/api/v3"+repo+"/commits/x/pulls?page=2")).on(pulls2, ok([]object{})).
		on(update, ok(checkRun(42, name, runID, 0)))
	cfg := s.config()
	cfg.BaseURL += "/" // with it or without
	c, err := github.New(cfg)
	check(t, err)
	_, err = c.PullsOfCommit(t.Context(), sha)
	check(t, err)
	check(t, c.UpdateCheck(t.Context(), 42, webCheck(0)))
}

func TestARedirectIsFollowedOnTheSameHostOnly(t *testing.T) {
	t.Parallel()
	moved := func(status int, to string) answer {
		return fails(status, "Moved").with(map[string]string{"Location": to})
	}
	renamed := "/repos/acme/renamed/check-runs"
	t.Run("a renamed repository", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.undescribed = true
		s.on(runs, moved(307, s.url+renamed)).on("POST "+renamed, created(checkRun(42, name, runID, 0)))
		_, err := s.client().CreateCheck(t.Context(), webCheck(0))
		check(t, err)
		if diff := cmp.Diff(s.request(0).body, s.request(1).body); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("not where a POST would become a GET", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.undescribed = true
		s.on(runs, moved(301, s.url+renamed))
		if _, err := s.client().CreateCheck(t.Context(), webCheck(0)); err == nil {
			t.Error("no error")
		}
	})
	t.Run("not to another host", func(t *testing.T) {
		t.Parallel()
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			t.Errorf("another host got %s with %q", r.URL, r.Header.Get("Authorization"))
		}))
		t.Cleanup(other.Close)
		s := newServer(t).on(compare, moved(302, other.URL+"/"))
		s.undescribed = true
		_, err := s.client().Compare(t.Context(), "a", "b")
		var answer *github.APIError
		if !errors.As(err, &answer) || answer.Status != 302 {
			t.Errorf("error: %v", err)
		}
	})
}

func TestWhatIsRepeatedAndWhatIsNot(t *testing.T) {
	t.Parallel()
	read := func(ctx context.Context, c *github.Client) error { _, err := c.Compare(ctx, "a", "b"); return err }
	set := func(ctx context.Context, c *github.Client) error { return c.UpdateCheck(ctx, 42, webCheck(0)) }
	make1 := func(ctx context.Context, c *github.Client) error {
		return c.SetDeploymentStatus(ctx, 9, status())
	}
	good := ok(comparison("ahead"))
	done := created(deploymentStatus(3, started, droplets))
	half := good
	half.cut = true
	tests := []struct {
		name    string
		do      func(context.Context, *github.Client) error
		refused int
		script  []announced
		fails   bool
		slept   []time.Duration
	}{
		{"a GET after 502 and a lost answer", read, 0, []announced{{compare, fails(502, "x")}, {compare, lost()}, {compare, good}}, false, seconds(1, 2)},
		{"a GET that was cut off", read, 0, []announced{{compare, half}, {compare, good}}, false, seconds(1)},
		{"a GET is sent four times at most", read, 0, []announced{{compare, fails(503, "x")}, {compare, lost()}, {compare, lost()}, {compare, lost()}}, true, seconds(1, 2, 4)},
		{"a GET is not sent again after 404", read, 0, []announced{{compare, fails(404, "Not Found")}}, true, nil},
		{"a connection that was refused, for a GET", read, 1, []announced{{compare, good}}, false, seconds(1)},
		{"a connection that was refused, for a POST", make1, 2, []announced{{setStatus, done}}, false, seconds(1, 2)},
		{"a connection that is refused throughout is no doubt", make1, 4, nil, true, seconds(1, 2, 4)},
		{"a PATCH that sets values", set, 0, []announced{{update, fails(500, "x")}, {update, ok(checkRun(42, name, runID, 0))}}, false, seconds(1)},
		{"a POST is not sent again after 422", make1, 0, []announced{{setStatus, fails(422, "Validation Failed")}}, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.script, s.refused = tt.script, tt.refused
			if err := tt.do(t.Context(), s.client()); (err != nil) != tt.fails {
				t.Errorf("error: %v", err)
			}
			if diff := cmp.Diff(tt.slept, s.clock.slept); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
		})
	}
}

func seconds(n ...int) []time.Duration {
	var all []time.Duration
	for _, s := range n {
		all = append(all, time.Duration(s)*time.Second)
	}
	return all
}

func TestCancellingEndsAWait(t *testing.T) {
	t.Parallel()
	for name, plan := range map[string]func(*server){
		"between two attempts":    func(s *server) { s.on(compare, fails(502, "x")) },
		"for a rate limit":        func(s *server) { s.on(compare, fails(429, "slow").with(map[string]string{"Retry-After": "30"})) },
		"before anything is sent": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			ctx, cancel := context.WithCancel(t.Context())
			if plan == nil {
				cancel()
			} else {
				plan(s)
				s.clock.onSleep = cancel
			}
			if _, err := s.client().Compare(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
				t.Errorf("error: %v", err)
			}
			cancel()
		})
	}
}

func TestACancelledPOSTSaysThatItIsInDoubt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := newServer(t).on(setStatus, answer{lost: true, meanwhile: cancel})
	err := s.client().SetDeploymentStatus(ctx, 9, status())
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "before it was known") {
		t.Errorf("error: %v", err)
	}
}

func TestWritesFollowEachOtherByASecond(t *testing.T) {
	t.Parallel()
	const n = 8
	s := newServer(t)
	for range n {
		s.on(update, ok(checkRun(42, name, runID, 0)))
	}
	c := s.client()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := c.UpdateCheck(t.Context(), 42, webCheck(0)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := 1; i < n; i++ {
		if pause := s.request(i).at.Sub(s.request(i - 1).at); pause < time.Second {
			t.Errorf("write %d came %s after the one before", i, pause)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheRealClockWaitsAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		c, err := github.New(github.Config{Token: token, Repository: "acme/fleet", Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked++
			w := httptest.NewRecorder()
			w.WriteHeader(502)
			resp := w.Result()
			resp.Request = r
			return resp, nil
		})})
		check(t, err)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		_, err = c.Compare(ctx, "a", "b")
		if !errors.Is(err, context.DeadlineExceeded) || asked != 2 || time.Since(begin) != 1500*time.Millisecond {
			t.Errorf("asked %d times in %s, error: %v", asked, time.Since(begin), err)
		}
	})
}

func TestAServerThatGoesSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, err := github.New(github.Config{Token: token, Repository: "acme/fleet", Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})})
		check(t, err)
		begin := time.Now()
		_, err = c.Compare(t.Context(), "a", "b")
		if took := time.Since(begin); err == nil || took != 4*15*time.Second+7*time.Second || !c.Silent() {
			t.Errorf("took %s, error: %v", took, err)
		}
	})
}
