package github_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const (
	pulls  = "GET " + repo + "/commits/" + sha + "/pulls?per_page=100"
	pulls2 = "GET " + repo + "/commits/" + sha + "/pulls?page=2&per_page=100"
)

func TestThePullRequestsOfACommitAreReadToTheEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t).
		on(pulls, ok([]object{pullRequest(7, true), pullRequest(8, false)}).more(repo+"/commits/x/pulls?page=2")).
		on(pulls2, ok([]object{pullRequest(8, false)}))
	got, err := s.client().PullsOfCommit(t.Context(), sha)
	check(t, err)
	want := []github.Pull{
		{
			Number: 7, Title: "web: nginx 1.29", URL: web + "/pull/7", State: "closed", HeadSHA: "beef", HeadRepository: "fork/fleet",
			BaseRef: "main", MergeCommit: "f00d", Merged: true,
		},
		{
			Number: 8, Title: "web: nginx 1.29", URL: web + "/pull/8", State: "open", HeadSHA: "beef", HeadRepository: "fork/fleet",
			BaseRef: "main",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPullRequestOfADeletedForkHasNoHeadRepository(t *testing.T) {
	t.Parallel()
	gone := pullRequest(9, true)
	gone["head"].(object)["repo"] = nil
	s := newServer(t).on(pulls, ok([]object{gone}))
	s.undescribed = true // which holds that there is always one
	got, err := s.client().PullsOfCommit(t.Context(), sha)
	check(t, err)
	if len(got) != 1 || got[0].HeadRepository != "" || got[0].HeadSHA != "beef" {
		t.Errorf("got %+v", got)
	}
}

func TestAComparisonAsksForOneCommitOnly(t *testing.T) {
	t.Parallel()
	for _, want := range []github.Relation{github.Identical, github.Ahead, github.Behind, github.Diverged} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(compare, ok(comparison(string(want))))
			got, err := s.client().Compare(t.Context(), "a", "b")
			check(t, err)
			if got != want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestABranchWithASlashIsCompared(t *testing.T) {
	t.Parallel()
	s := newServer(t).on("GET "+repo+"/compare/"+sha+"...feature%2Fx?per_page=1", ok(comparison("ahead")))
	s.undescribed = true // the validator's router takes the slash for a part of the path
	_, err := s.client().Compare(t.Context(), sha, "feature/x")
	check(t, err)
}

func TestARelationThatThereIsNotIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []object{{}, {"status": "sideways"}} { // Forgejo says none
		s := newServer(t).on(compare, ok(body))
		s.undescribed = true
		if got, err := s.client().Compare(t.Context(), "a", "b"); err == nil {
			t.Errorf("%v is taken for %q", body, got)
		}
	}
}
