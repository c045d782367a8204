package github_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const (
	sha     = "009b8a3a9ccbb128af87f9b1c0f4c62e8a304f6d"
	runs    = "POST " + repo + "/check-runs"
	update  = "PATCH " + repo + "/check-runs/42"
	look    = "GET " + repo + "/check-runs/42"
	ofRef   = "GET " + repo + "/commits/" + sha + "/check-runs?check_name=snowdrop+%2F+web&filter=all&per_page=100"
	name    = "snowdrop / web"
	runID   = "12/1/web"
	another = "11/1/web"
)

func webCheck(annotations int) github.Check {
	k := github.Check{
		Name: name, HeadSHA: sha, ExternalID: runID, DetailsURL: web + "/actions/runs/12", Status: "in_progress",
		Title: "Building", Summary: "**web** is built", StartedAt: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC),
	}
	for i := range annotations {
		k.Annotations = append(k.Annotations, github.Annotation{Path: "web.nix", StartLine: i + 1, Level: "warning", Message: "m"})
	}
	return k
}

// startLines are the lines that all requests annotated, in order.
func startLines(s *server) []int {
	var all []int
	for _, r := range s.got {
		list, _ := dig(r.body, "output", "annotations").([]any)
		for _, a := range list {
			all = append(all, int(a.(object)["start_line"].(float64)))
		}
	}
	return all
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

func TestACheckRunIsCreatedAndUpdatedAsAsked(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(runs, created(checkRun(42, name, runID, 0))).
		on(update, ok(checkRun(42, name, runID, 0)))
	c := s.client()
	id, err := c.CreateCheck(t.Context(), webCheck(0))
	check(t, err)
	done := webCheck(0)
	done.Status, done.Conclusion, done.Title, done.Summary, done.Text = "completed", "success", "Runs 2 of 2", "", "| droplet |"
	done.CompletedAt = done.StartedAt.Add(time.Minute)
	check(t, c.UpdateCheck(t.Context(), id, done))
	golden(t, "check-run", pretty(s.request(0).body)+"\n"+pretty(s.request(1).body))
}

func TestAnEarlierTextDoesNotStay(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(update, ok(checkRun(42, name, runID, 0)))
	check(t, s.client().UpdateCheck(t.Context(), 42, webCheck(0)))
	if text := dig(s.request(0).body, "output", "text"); text != "" {
		t.Errorf("the text is %v", text)
	}
}

func TestAPageIsLeftAloneWhereNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(update, ok(checkRun(42, name, runID, 0)))
	check(t, s.client().UpdateCheck(t.Context(), 42, github.Check{Name: name, Status: "in_progress"}))
	if diff := cmp.Diff(object{"name": name, "status": "in_progress"}, s.request(0).body); diff != "" {
		t.Error(diff)
	}
}

func TestAPageWithoutATitleHasTheNameAsGitHubWantsOne(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(runs, created(checkRun(42, name, runID, 0)))
	k := webCheck(0)
	k.Title, k.Summary, k.Text = "", "", "| droplet |"
	_, err := s.client().CreateCheck(t.Context(), k)
	check(t, err)
	want := object{"title": name, "summary": name, "text": "| droplet |"}
	if diff := cmp.Diff(any(want), s.request(0).body["output"]); diff != "" {
		t.Error(diff)
	}
}

func TestAnnotationsAreSentInBatchesOf50(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ annotations, requests int }{{1, 1}, {50, 1}, {51, 2}, {100, 2}, {101, 3}} {
		t.Run(fmt.Sprint(tt.annotations), func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(runs, created(checkRun(42, name, runID, min(50, tt.annotations))))
			for i := 2; i <= tt.requests; i++ {
				s.on(update, ok(checkRun(42, name, runID, min(50*i, tt.annotations))))
			}
			_, err := s.client().CreateCheck(t.Context(), webCheck(tt.annotations))
			check(t, err)
			if diff := cmp.Diff(upTo(tt.annotations), startLines(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFurtherBatchesDoNotRepeatTheConclusionButThePage(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(look, ok(checkRun(42, name, runID, 3))).
		on(update, ok(checkRun(42, name, runID, 53))).
		on(update, ok(checkRun(42, name, runID, 54)))
	k := webCheck(51)
	k.Status, k.Conclusion = "completed", "failure"
	check(t, s.client().UpdateCheck(t.Context(), 42, k))
	if got := s.request(1).body["conclusion"]; got != "failure" {
		t.Errorf("the first update concludes %v", got)
	}
	second := s.request(2).body
	if _, sent := second["conclusion"]; sent || dig(second, "output", "summary") != k.Summary {
		t.Errorf("the second update is %s", pretty(second))
	}
}

func TestAnnotationsAreNotAddedTwiceWhenAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		bad  answer
		// seen is how many annotations are there when one looks.
		seen, sends int
	}{
		{"acted on, answer lost", lost(), 51, 1},
		{"acted on, answer cut off", answer{status: 200, body: checkRun(42, name, runID, 51), cut: true}, 51, 1},
		{"acted on, server failed", fails(502, "Server Error"), 51, 1},
		{"not acted on, answer lost", lost(), 50, 2},
		{"not acted on, server failed", fails(500, "Server Error"), 50, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t).
				on(runs, created(checkRun(42, name, runID, 50))).
				on(update, tt.bad).
				on(look, ok(checkRun(42, name, runID, tt.seen)))
			if tt.sends == 2 {
				s.on(update, ok(checkRun(42, name, runID, 51)))
			}
			_, err := s.client().CreateCheck(t.Context(), webCheck(51))
			check(t, err)
		})
	}
}

func TestALaggingCountDoesNotHideALostBatch(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(runs, created(checkRun(42, name, runID, 0))). // says 0, has 50
		on(update, lost()).
		on(look, ok(checkRun(42, name, runID, 50))).
		on(update, ok(checkRun(42, name, runID, 50))). // says 50, has 100
		on(update, lost()).
		on(look, ok(checkRun(42, name, runID, 100))).
		on(update, ok(checkRun(42, name, runID, 101)))
	_, err := s.client().CreateCheck(t.Context(), webCheck(101))
	check(t, err)
}

func TestAnUpdateWithoutAnnotationsIsSimplyRepeated(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(update, fails(502, "Server Error")).
		on(update, lost()).
		on(update, ok(checkRun(42, name, runID, 0)))
	check(t, s.client().UpdateCheck(t.Context(), 42, webCheck(0)))
}

func TestACheckRunIsNotMadeTwiceWhenAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	t.Run("it was made, and is on the second page", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).
			on(runs, lost()).
			on(ofRef, ok(checkRuns(checkRun(41, name, another, 0))).more(repo+"/commits/x/check-runs?page=2")).
			on(strings.Replace(ofRef, "&per_page", "&page=2&per_page", 1), ok(checkRuns(checkRun(42, name, runID, 0))))
		id, err := s.client().CreateCheck(t.Context(), webCheck(0))
		check(t, err)
		if id != 42 {
			t.Errorf("id is %d", id)
		}
	})
	t.Run("it was not made: sent again", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).
			on(runs, fails(502, "Server Error")).
			on(ofRef, ok(checkRuns(checkRun(41, name, another, 0)))).
			on(runs, created(checkRun(42, name, runID, 0)))
		id, err := s.client().CreateCheck(t.Context(), webCheck(0))
		check(t, err)
		if id != 42 {
			t.Errorf("id is %d", id)
		}
	})
	t.Run("it is sent three times at most", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		for range 3 {
			s.on(runs, fails(502, "Server Error")).on(ofRef, ok(checkRuns()))
		}
		_, err := s.client().CreateCheck(t.Context(), webCheck(0))
		var answer *github.APIError
		if !errors.As(err, &answer) || answer.Status != 502 {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("nobody can tell: not sent again", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).on(runs, lost()).on(ofRef, fails(403, "Resource not accessible by integration"))
		_, err := s.client().CreateCheck(t.Context(), webCheck(0))
		if err == nil || !strings.Contains(err.Error(), "not known") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestACheckRunWithoutAnExternalIDIsRefused(t *testing.T) {
	t.Parallel()
	k := webCheck(0)
	k.ExternalID = ""
	if _, err := newServer(t).client().CreateCheck(t.Context(), k); err == nil {
		t.Error("it could not be told from another one")
	}
}

func TestACheckRunThatIsThereIsToldWhenItsAnnotationsFail(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(runs, created(checkRun(42, name, runID, 50))).
		on(update, fails(422, "Invalid request."))
	id, err := s.client().CreateCheck(t.Context(), webCheck(51))
	if id != 42 || err == nil || !strings.Contains(err.Error(), "50 of 51 annotations") {
		t.Errorf("id %d, error: %v", id, err)
	}
}

func TestColumnsAreSentForASingleLineOnly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   github.Annotation
		want object // of lines and columns
	}{
		{"one line", github.Annotation{StartLine: 3, EndLine: 3, StartColumn: 4, EndColumn: 9}, object{"start_line": 3., "end_line": 3., "start_column": 4., "end_column": 9.}},
		{"no end", github.Annotation{StartLine: 3, StartColumn: 4}, object{"start_line": 3., "end_line": 3., "start_column": 4., "end_column": 4.}},
		{"several lines", github.Annotation{StartLine: 3, EndLine: 5, StartColumn: 4, EndColumn: 9}, object{"start_line": 3., "end_line": 5.}},
		{"no column", github.Annotation{StartLine: 3, EndColumn: 9}, object{"start_line": 3., "end_line": 3.}},
		{"no line", github.Annotation{}, object{"start_line": 1., "end_line": 1.}},
		{"end before the start", github.Annotation{StartLine: 7, EndLine: 2}, object{"start_line": 7., "end_line": 7.}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.in.Path, tt.in.Level, tt.in.Message = "a.nix", "notice", "m"
			s := newServer(t).on(runs, created(checkRun(42, name, runID, 1)))
			k := webCheck(0)
			k.Annotations = []github.Annotation{tt.in}
			_, err := s.client().CreateCheck(t.Context(), k)
			check(t, err)
			got := dig(s.request(0).body, "output", "annotations").([]any)[0].(object)
			for _, key := range []string{"path", "annotation_level", "message"} {
				delete(got, key)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnAnnotationIsNeverWithoutAMessage(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(runs, created(checkRun(42, name, runID, 1)))
	k := webCheck(0)
	k.Annotations = []github.Annotation{{Path: "a.nix", StartLine: 1, Level: "failure", Title: "Nix cannot evaluate .#web"}}
	_, err := s.client().CreateCheck(t.Context(), k)
	check(t, err)
	if got := dig(s.request(0).body, "output", "annotations").([]any)[0].(object)["message"]; got != "Nix cannot evaluate .#web" {
		t.Errorf("the message is %q, and GitHub refuses an empty one", got)
	}
}

func TestWhatIsTooLongIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(runs, created(checkRun(42, name, runID, 1)))
	k := webCheck(0)
	k.Summary = strings.Repeat("ä", 40000)
	k.Text = "x" + strings.Repeat("🦀", 20000)
	k.Annotations = []github.Annotation{{
		Path: "a.nix", Level: "failure", Title: strings.Repeat("é", 300) + "\n", Message: strings.Repeat("a\xff", 30000), RawDetails: strings.Repeat("ö", 40000),
	}}
	_, err := s.client().CreateCheck(t.Context(), k)
	check(t, err)
	out := dig(s.request(0).body, "output").(object)
	note := out["annotations"].([]any)[0].(object)
	for what, text := range map[string]any{
		"summary": out["summary"], "text": out["text"], "message": note["message"], "details": note["raw_details"],
	} {
		s := text.(string)
		if len(s) > 65536 || len(s) < 65000 || !utf8.ValidString(s) || !strings.HasSuffix(s, "too long for GitHub.") {
			t.Errorf("%s has %d bytes and ends in %q", what, len(s), s[len(s)-30:])
		}
	}
	if len(out["summary"].(string)) > 65535 || len(out["text"].(string)) > 65535 {
		t.Error("summary or text have more than 65,535 bytes")
	}
	if n := utf8.RuneCountInString(note["title"].(string)); n != 255 {
		t.Errorf("the title has %d characters", n)
	}
}
