package publish_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/action/publish"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// hub is a GitHub that writes down what it is asked, with the seconds since the
// start.
type hub struct {
	mu    sync.Mutex
	began time.Time
	calls []string
	// fail says what a call answers, by its number from 0.
	fail func(call int) error
	// pulls are those of every commit.
	pulls []github.Pull
	last  github.Check
}

func newHub() *hub { return &hub{began: time.Now()} }

func (h *hub) call(format string, args ...any) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.calls)
	h.calls = append(h.calls, fmt.Sprintf("%ds ", int(time.Since(h.began).Seconds()))+fmt.Sprintf(format, args...))
	if h.fail != nil {
		return h.fail(n)
	}
	return nil
}

func (h *hub) took() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls)
}

func (h *hub) CreateCheck(_ context.Context, c github.Check) (int64, error) {
	if err := h.call("create %s %s%s", c.Name, c.Status, c.Conclusion); err != nil {
		return 0, err
	}
	return 7, nil
}

func (h *hub) UpdateCheck(_ context.Context, _ int64, c github.Check) error {
	h.mu.Lock()
	h.last = c
	h.mu.Unlock()
	return h.call("update %s %s %s %d", c.Name, c.Status, c.Conclusion, len(c.Annotations))
}

func (h *hub) CreateDeployment(_ context.Context, d github.Deployment) (int64, error) {
	return 8, h.call("deployment %s of %s, production %v", d.Environment, d.Ref, d.Production)
}

func (h *hub) SetDeploymentStatus(_ context.Context, _ int64, s github.DeploymentStatus) error {
	return h.call("status %s %s %s", s.Environment, s.State, s.EnvironmentURL)
}

func (h *hub) SetComment(_ context.Context, pull int, s github.Sticky, body string) (github.Comment, error) {
	return github.Comment{URL: fmt.Sprintf("https://example.com/%d", pull)}, h.call("comment #%d %s: %s", pull, s.Kind, body)
}

func (h *hub) PullsOfCommit(_ context.Context, sha string) ([]github.Pull, error) {
	return h.pulls, h.call("pulls of %s", sha)
}

// run starts a reporter. What it returns ends it, waits until all is told, and
// returns the warnings.
func run(t *testing.T, newReporter func(warn func(string)) publish.Reporter) (publish.Reporter, func(publish.Ending) []string) {
	t.Helper()
	var mu sync.Mutex
	var warnings []string
	r := newReporter(func(text string) { mu.Lock(); defer mu.Unlock(); warnings = append(warnings, text) })
	done := make(chan struct{})
	go func() { r.Run(t.Context()); close(done) }()
	synctest.Wait()
	return r, func(e publish.Ending) []string {
		r.Finish(e)
		<-done
		mu.Lock()
		defer mu.Unlock()
		return warnings
	}
}

func checks(h *hub, servers ...string) func(func(string)) publish.Reporter {
	return func(warn func(string)) publish.Reporter {
		return publish.NewChecks(publish.ChecksConfig{
			GitHub: h, Story: markdown.NewStory(time.Now), HeadSHA: "head", Run: "1.1", Warn: warn,
			Annotations: func(err error) []github.Annotation {
				if err == nil {
					return nil
				}
				return []github.Annotation{{Path: "a.nix", Message: err.Error()}}
			},
		}, servers)
	}
}

func phase(server string) event.Event {
	return event.Phase{Subject: event.Subject{Server: server}, Step: "upload", Text: "x"}
}

func finished(server string, o event.Outcome, err error) event.Event {
	return event.ServerFinished{Subject: event.Subject{Server: server}, Outcome: o, Err: err}
}

func TestACheckIsThereFromTheStartAndUpdatedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		r, end := run(t, checks(h, "web", "api"))
		for range 30 { // three a second
			time.Sleep(333 * time.Millisecond)
			r.Emit(phase("web"))
		}
		time.Sleep(time.Second)
		r.Emit(finished("web", event.Verified, nil))
		synctest.Wait()
		r.Emit(finished("api", event.RolledBack, errors.New("nginx.service failed")))
		warnings := end(publish.Ending{})
		want := []string{
			"0s create snowdrop / web in_progress", "0s create snowdrop / api in_progress",
			"5s update snowdrop / web in_progress  0", "10s update snowdrop / web in_progress  0",
			"10s update snowdrop / web completed success 0", "10s update snowdrop / api completed failure 1",
		}
		if diff := cmp.Diff(want, h.took()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if len(warnings) > 0 {
			t.Errorf("warnings: %q", warnings)
		}
	})
}

func TestWhatATokenMayNotWriteIsOneWarningAndNoMoreIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fail = func(int) error { return fmt.Errorf("x: %w", &github.APIError{Status: 403}) }
		r, end := run(t, checks(h, "web", "api"))
		r.Emit(phase("web"))
		time.Sleep(time.Minute)
		warnings := end(publish.Ending{})
		if got := h.took(); len(got) != 1 {
			t.Errorf("it was tried again: %q", got)
		}
		if len(warnings) != 1 {
			t.Errorf("warnings: %q", warnings)
		}
		if r.(*publish.Checks).Written() {
			t.Error("it says that GitHub has them")
		}
	})
}

func TestAPassingFaultIsOvercome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fail = func(call int) error {
			if call < 2 {
				return &github.APIError{Status: 502}
			}
			return nil
		}
		r, end := run(t, checks(h, "web"))
		time.Sleep(time.Minute)
		r.Emit(finished("web", event.Verified, nil))
		warnings := end(publish.Ending{})
		want := []string{
			"0s create snowdrop / web in_progress", "5s create snowdrop / web in_progress", "10s create snowdrop / web in_progress",
			"60s update snowdrop / web completed success 0",
		}
		if diff := cmp.Diff(want, h.took()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if len(warnings) != 1 || !r.(*publish.Checks).Written() {
			t.Errorf("warnings: %q", warnings)
		}
	})
}

func TestEveryCheckIsConcludedHoweverTheRunEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  publish.Ending
		want []string
	}{
		"cancelled":                      {publish.Ending{Err: context.Canceled, Cancelled: true}, []string{"cancelled 0", "cancelled 0"}},
		"nothing can be planned":         {publish.Ending{Err: errors.New("no such bucket")}, []string{"failure 1", "failure 1"}},
		"one server cannot be evaluated": {publish.Ending{Err: errors.New("x"), Blamed: map[string]bool{"api": true}}, []string{"cancelled 0", "failure 1"}},
		"nobody told":                    {publish.Ending{}, []string{"skipped 0", "skipped 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub()
				_, end := run(t, checks(h, "web", "api"))
				end(tt.end)
				want := []string{"0s update snowdrop / api completed " + tt.want[1], "0s update snowdrop / web completed " + tt.want[0]}
				got := h.took()[2:]
				slices.Sort(got) // they may be written at once
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if h.last.Title == "" || h.last.Summary == "" || strings.Contains(h.last.Summary, "waiting") {
					t.Errorf("GitHub wants a title and a summary, and nothing is waited for: %+v", h.last)
				}
				if said := tt.end.Err; said != nil && tt.end.Blamed == nil && !tt.end.Cancelled && !strings.Contains(h.last.Summary, said.Error()) {
					t.Errorf("the check does not say why: %q", h.last.Summary)
				}
			})
		})
	}
}

// TestAServerThatWasBegunIsNotSaidToBeUntouched: the use case was still at work when the
// time was up.
func TestAServerThatWasBegunIsNotSaidToBeUntouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		story := markdown.NewStory(time.Now)
		r, end := run(t, func(warn func(string)) publish.Reporter {
			return publish.NewChecks(publish.ChecksConfig{GitHub: h, Story: story, HeadSHA: "head", Run: "1.1", Warn: warn}, []string{"web"})
		})
		for _, e := range []event.Event{
			event.RunStarted{Verb: "deploy", Servers: []event.Planned{{Server: "web", Droplets: []string{"web-1"}}}},
			event.StepStarted{Subject: event.Subject{Server: "web", Droplet: "web-1"}, Step: "rebuild"},
		} {
			story.Emit(e)
			r.Emit(e)
		}
		end(publish.Ending{Err: errors.New("still at work"), Cancelled: true})
		if c := h.last; c.Conclusion != "cancelled" || !strings.HasPrefix(c.Title, "not seen to its end: ") ||
			!strings.Contains(c.Title, "rebuilding") || !strings.Contains(c.Summary, "web-1") {
			t.Errorf("%s %q: %s", c.Conclusion, c.Title, c.Summary)
		}
	})
}

func TestACheckIsConcludedWithoutAnnotationsThatGitHubRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		h.fail = func(call int) error {
			if call == 1 {
				return &github.APIError{What: "update", Status: 422, Message: "Invalid request"}
			}
			return nil
		}
		r, end := run(t, checks(h, "web"))
		r.Emit(finished("web", event.Failed, errors.New("undefined variable")))
		warnings := end(publish.Ending{})
		want := []string{
			"0s create snowdrop / web in_progress", "0s update snowdrop / web completed failure 1", "0s update snowdrop / web completed failure 0",
		}
		if diff := cmp.Diff(want, h.took()); diff != "" || len(warnings) != 1 {
			t.Errorf("%d warnings; -want +got:\n%s", len(warnings), diff)
		}
	})
}

func TestAGitHubThatDoesNotAnswerHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		ctx, cancel := context.WithCancel(t.Context())
		silent := make(chan struct{})
		h.fail = func(int) error {
			select {
			case <-ctx.Done():
			case <-silent:
			}
			return ctx.Err()
		}
		r := checks(h, "web")(func(string) {})
		done := make(chan struct{})
		go func() { r.Run(ctx); close(done) }()
		for range 1000 {
			r.Emit(phase("web")) // would be a deadlock, which synctest finds
		}
		r.Finish(publish.Ending{})
		cancel()
		<-done
	})
}

func deployments(h *hub, environment string) func(func(string)) publish.Reporter {
	return func(warn func(string)) publish.Reporter {
		return publish.NewDeployments(publish.DeploymentsConfig{
			GitHub: h, Ref: "head", Environment: environment, Run: "1.1", Warn: warn,
			Describe: func(server string) string { return server }, URL: func(server, _ string) string { return "https://" + server },
		})
	}
}

func started(server, step string) event.Event {
	return event.StepStarted{Subject: event.Subject{Server: server}, Step: step}
}

func TestADeploymentIsThereForWhatIsChangedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub()
		r, end := run(t, deployments(h, "production"))
		r.Emit(started("", "build"))
		r.Emit(started("web", "upload"))
		r.Emit(started("web", "rebuild"))
		synctest.Wait()
		time.Sleep(time.Minute)
		r.Emit(started("db", "prune"))
		r.Emit(finished("db", event.Unchanged, nil))
		r.Emit(finished("web", event.Verified, nil))
		end(publish.Ending{})
		want := []string{
			"0s deployment production/web of head, production true", "0s status production/web in_progress https://web",
			"60s status production/web success https://web",
		}
		if diff := cmp.Diff(want, h.took()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestADeploymentEndsAsItsServerDid(t *testing.T) {
	for outcome, want := range map[event.Outcome]string{
		event.Verified: "success", event.Failed: "failure", event.RolledBack: "failure", event.Cancelled: "error", "": "error",
	} {
		t.Run(string(outcome), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub()
				r, end := run(t, deployments(h, "staging"))
				r.Emit(started("web", "upload"))
				synctest.Wait()
				if outcome != "" {
					r.Emit(finished("web", outcome, nil))
				}
				end(publish.Ending{})
				got := h.took()
				if got[0] != "0s deployment staging/web of head, production false" || got[len(got)-1] != "0s status staging/web "+want+" https://web" {
					t.Errorf("%q", got)
				}
			})
		})
	}
}

func TestTheCommentStandsOnThePullRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		pull int
		want []string
		url  string
	}{
		"of the event": {7, []string{"0s comment #7 plan: the story"}, "https://example.com/7"},
		"or on those that brought the commit": {
			0, []string{"0s pulls of head", "0s comment #5 plan: the story"}, "https://example.com/5",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub()
				h.pulls = []github.Pull{{Number: 4}, {Number: 5, Merged: true}}
				r, end := run(t, func(warn func(string)) publish.Reporter {
					return publish.NewComment(publish.CommentConfig{
						GitHub: h, Pull: tt.pull, Commit: "head", Sticky: github.Sticky{Kind: "plan"}, Body: func() string { return "the story" }, Warn: warn,
					})
				})
				r.Emit(phase("web"))
				end(publish.Ending{})
				if diff := cmp.Diff(tt.want, h.took()); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				if got := r.(*publish.Comment).URL(); got != tt.url {
					t.Errorf("it stands at %q", got)
				}
			})
		})
	}
}

func TestWhetherTheChecksAreWrittenCanBeAskedAtAnyTime(t *testing.T) {
	t.Parallel()
	c, ok := checks(newHub(), "web")(func(string) {}).(*publish.Checks)
	if !ok {
		t.Fatal("no checks")
	}
	done := make(chan struct{})
	go func() { c.Run(t.Context()); close(done) }()
	c.Finish(publish.Ending{})
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
			c.Written() // as after the time is up, when they are still being written
		}
	}
	if !c.Written() {
		t.Error("they are not written")
	}
}
