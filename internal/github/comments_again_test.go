package github_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/versatus/snowdrop/internal/github"
)

func TestALongPullRequestIsReadOnce(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(1, "octocat", "a"), issueComment(2, bot, marked(11, 1, "old"))}).more(repo+"/issues/7/comments?page=2")).
		on(list2, ok([]object{issueComment(3, "octocat", "b")})).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "a")))).
		on(get(2), ok(issueComment(2, bot, marked(12, 1, "a")))).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "b"))))
	c := s.client()
	for _, body := range []string{"a", "b"} {
		_, err := c.SetComment(t.Context(), 7, sticky(12, 1), body)
		check(t, err)
	}
}

func TestOfSeveralTheNewestCountsAndTheOthersPointToIt(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{
			issueComment(2, bot, marked(10, 1, "oldest")), issueComment(3, bot, marked(11, 2, "newest")),
		}).more(repo+"/issues/7/comments?page=2")).
		on(list2, ok([]object{issueComment(3, bot, marked(11, 2, "newest")), issueComment(4, bot, marked(11, 1, "older"))})).
		on(patch(3), ok(issueComment(3, bot, marked(12, 1, "mine")))).
		on(patch(2), ok(issueComment(2, bot, "folded"))).
		on(patch(4), ok(issueComment(4, bot, "folded")))
	got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
	check(t, err)
	if got.ID != 3 {
		t.Errorf("got %+v", got)
	}
	folded := s.request(4).body["body"].(string)
	golden(t, "folded", folded)
	// The next run does not fold it again.
	again := asWorkflow(t).on(list, ok([]object{issueComment(2, bot, folded), issueComment(3, bot, marked(12, 1, "mine"))}))
	if _, err := again.client().SetComment(t.Context(), 7, sticky(12, 1), "mine"); err != nil {
		t.Error(err)
	}
}

func TestOfTwoByOneRunTheFirstCounts(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(2, bot, marked(11, 1, "a")), issueComment(3, bot, marked(11, 1, "b"))})).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "mine")))).
		on(patch(3), ok(issueComment(3, bot, "folded")))
	got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
	check(t, err)
	if got.ID != 2 {
		t.Errorf("got %+v", got)
	}
}

func TestANewerRunsCommentKeepsTheOthersToo(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).on(list, ok([]object{issueComment(2, bot, marked(10, 1, "old")), issueComment(3, bot, marked(13, 1, "newer"))}))
	got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
	check(t, err)
	if got.ID != 3 || got.Outcome != github.Kept {
		t.Errorf("got %+v", got)
	}
}

func TestACommentIsWrittenEvenIfFoldingFails(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(2, bot, marked(10, 1, "old")), issueComment(3, bot, marked(11, 1, "newer"))})).
		on(patch(3), ok(issueComment(3, bot, marked(12, 1, "mine")))).
		on(patch(2), fails(403, notPerm))
	got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
	if got.ID != 3 || got.Outcome != github.Updated || err == nil || !strings.Contains(err.Error(), "fold comment 2") {
		t.Errorf("got %+v, error: %v", got, err)
	}
}

func TestACommentIsNotMadeTwiceWhenAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	mine := issueComment(2, bot, marked(12, 1, "mine"))
	tests := []struct {
		name string
		plan func(s *server)
	}{
		{"it was made", func(s *server) {
			s.on(list, ok([]object{})).on(post, lost()).on(list, ok([]object{mine}))
		}},
		{"it was made, the server failed", func(s *server) {
			s.on(list, ok([]object{})).on(post, fails(502, "Server Error")).on(list, ok([]object{mine}))
		}},
		{"it was not made", func(s *server) {
			s.on(list, ok([]object{})).on(post, lost()).on(list, ok([]object{})).on(post, created(mine))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := asWorkflow(t)
			tt.plan(s)
			got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
			check(t, err)
			if got.ID != 2 || got.Outcome != github.Created {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAChangeIsNotRepeatedOverANewerRunsComment(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(2, bot, marked(11, 1, "old"))})).
		on(patch(2), fails(502, "Server Error")).
		on(get(2), ok(issueComment(2, bot, marked(13, 1, "newer"))))
	got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
	check(t, err)
	if got.Outcome != github.Kept {
		t.Errorf("outcome %s", got.Outcome)
	}
}

func TestAChangeIsSentThreeTimesAtMost(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).on(list, ok([]object{issueComment(2, bot, marked(11, 1, "old"))})).on(patch(2), lost())
	for range 2 {
		s.on(get(2), ok(issueComment(2, bot, marked(11, 1, "old")))).on(patch(2), lost())
	}
	if _, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine"); err == nil {
		t.Error("no error")
	}
}

func TestACommentThatWasDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	t.Run("before the look", func(t *testing.T) {
		t.Parallel()
		s := asWorkflow(t).
			on(list, ok([]object{})).
			on(post, created(issueComment(2, bot, marked(12, 1, "a")))).
			on(get(2), fails(404, "Not Found")).
			on(list, ok([]object{})).
			on(post, created(issueComment(3, bot, marked(12, 1, "b"))))
		c := s.client()
		for _, body := range []string{"a", "b"} {
			_, err := c.SetComment(t.Context(), 7, sticky(12, 1), body)
			check(t, err)
		}
	})
	t.Run("between the look and the change", func(t *testing.T) {
		t.Parallel()
		s := asWorkflow(t).
			on(list, ok([]object{issueComment(2, bot, marked(11, 1, "old"))})).
			on(patch(2), fails(404, "Not Found")).
			on(list, ok([]object{})).
			on(post, created(issueComment(3, bot, marked(12, 1, "mine"))))
		got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
		check(t, err)
		if got.ID != 3 || got.Outcome != github.Created {
			t.Errorf("got %+v", got)
		}
	})
}

func TestThereIsNoWaitBetweenTheLookAndTheChange(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(2, bot, marked(11, 1, "old"))})).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "a")))).
		on(get(2), ok(issueComment(2, bot, marked(12, 1, "a")))).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "b"))))
	c := s.client()
	for _, body := range []string{"a", "b"} {
		_, err := c.SetComment(t.Context(), 7, sticky(12, 1), body)
		check(t, err)
	}
	if pause := s.request(4).at.Sub(s.request(3).at); pause != 0 {
		t.Errorf("between them are %s", pause)
	}
	if pause := s.request(4).at.Sub(s.request(2).at); pause < time.Second {
		t.Errorf("between two changes are %s", pause)
	}
}

func TestACancelledCommentDoesNotBlockTheNext(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.on(list, answer{status: 200, body: []object{}, meanwhile: cancel})
	c := s.client()
	if _, err := c.SetComment(ctx, 7, sticky(12, 1), "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	s.on(list, ok([]object{})).on(post, created(issueComment(2, bot, marked(12, 1, "a"))))
	_, err := c.SetComment(t.Context(), 7, sticky(12, 1), "a")
	check(t, err)
}

func TestACommentWaitsForTheOneBeforeAndCanBeCancelled(t *testing.T) {
	t.Parallel()
	arrived, finish := make(chan struct{}), make(chan struct{})
	s := asWorkflow(t).
		on(list, answer{status: 200, body: []object{}, meanwhile: func() { close(arrived); <-finish }}).
		on(post, created(issueComment(2, bot, marked(12, 1, "a"))))
	c := s.client()
	first := make(chan error)
	go func() {
		_, err := c.SetComment(t.Context(), 7, sticky(12, 1), "a")
		first <- err
	}()
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.SetComment(ctx, 7, sticky(12, 1), "b"); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	close(finish)
	check(t, <-first)
}
