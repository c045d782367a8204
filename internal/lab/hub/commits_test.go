package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func TestCommitsAreComparedByTheirHistory(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	for _, tt := range []struct{ base, head, want string }{
		{sha("2"), sha("2"), "identical 0 0 from 2"},
		{sha("1"), sha("2"), "ahead 1 0 from 1"},
		{sha("1"), "main", "ahead 3 0 from 1"},
		{"main", sha("3"), "behind 0 2 from 3"},
		{"main", "open", "diverged 1 2 from 2"},
		{"open", "main", "diverged 2 1 from 2"},
		{sha("2"), "refs/pull/2/merge", "ahead 2 0 from 2"},
		{"acme:main", "acme:open", "diverged 1 2 from 2"},
		{"main", sha("4")[:7], "diverged 1 2 from 2"},
	} {
		got, _, err := c.Repositories.CompareCommits(t.Context(), owner, repo, tt.base, tt.head, nil)
		if err != nil {
			t.Errorf("%s...%s: %v", tt.base, tt.head, err)
			continue
		}
		text := fmt.Sprint(got.GetStatus(), " ", got.GetAheadBy(), " ", got.GetBehindBy(), " from ", got.GetMergeBaseCommit().GetSHA()[:1])
		if text != tt.want || got.GetTotalCommits() != got.GetAheadBy() || len(got.Commits) != got.GetAheadBy() {
			t.Errorf("%s...%s: %s, %d commits; want %s", tt.base, tt.head, text, len(got.Commits), tt.want)
		}
	}
	_, _, err := c.Repositories.CompareCommits(t.Context(), owner, repo, "main", sha("7"), nil)
	fails(t, err, "404 Not Found")
	_, _, err = c.Repositories.CompareCommits(t.Context(), owner, repo, "main", sha("9"), nil)
	fails(t, err, "404 No common ancestor between main and "+sha("9")+".")
}

func TestAComparisonListsCommitsInTheirOrderByPage(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	var got []string
	for o := (&gh.ListOptions{PerPage: 2}); ; {
		some, resp, err := c.Repositories.CompareCommits(t.Context(), owner, repo, sha("1"), "main", o)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range some.Commits {
			got = append(got, one.GetSHA()[:1])
		}
		if o.Page = resp.NextPage; o.Page == 0 {
			break
		}
	}
	if diff := cmp.Diff([]string{"2", "3", "5"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestACommitLeadsToThePullRequestsThatBroughtIt(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	for ref, want := range map[string][]int{
		sha("3"): {1}, // it came with the merge
		sha("5"): {1}, // it is the merge
		"open":   {2}, // it is in an open one
		sha("2"): nil, // it was there before
		sha("1"): nil, // as this one
		sha("6"): {3}, // it is in a fork
		"main":   {1},
	} {
		list, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, ref, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, p := range list {
			got = append(got, p.GetNumber())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v; want %v", ref, got, want)
		}
	}
	if err := w.Close(2); err != nil {
		t.Fatal(err)
	}
	list, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, "open", nil)
	if err != nil || len(list) != 0 {
		t.Errorf("one that was closed brings nothing: %v, %v", list, err)
	}
	_, _, err = c.PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, sha("7"), nil)
	fails(t, err, "422 No commit found for SHA: "+sha("7"))
}

func TestASquashedPullRequestBroughtTheSquashedCommitAlone(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	if err := w.AddCommit(hub.Commit{SHA: sha("8"), Parents: []string{sha("5")}, Message: "Another (#2)", Author: "hubot"}); err != nil {
		t.Fatal(err)
	}
	if err := w.Merge(2, sha("8")); err != nil {
		t.Fatal(err)
	}
	c := w.client(hub.DefaultToken)
	for _, ref := range []string{sha("8"), sha("4")} { // the latter is on no default branch, and was merged all the same
		list, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, ref, nil)
		if err != nil || len(list) != 1 || list[0].GetNumber() != 2 || list[0].GetMergedAt().IsZero() || list[0].GetMergeCommitSHA() != sha("8") {
			t.Errorf("%s: %v, %v", ref, list, err)
		}
	}
	list, _, err := c.PullRequests.ListPullRequestsWithCommit(t.Context(), owner, repo, sha("5"), nil)
	if err != nil || len(list) != 1 || list[0].GetNumber() != 1 {
		t.Errorf("the commit before: %v, %v", list, err)
	}
}

func TestPullRequestsAreListedByStateAndBranch(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	for _, tt := range []struct {
		o    gh.PullRequestListOptions
		want []int
	}{
		{gh.PullRequestListOptions{}, []int{3, 2}},
		{gh.PullRequestListOptions{State: "closed"}, []int{1}},
		{gh.PullRequestListOptions{State: "all"}, []int{3, 2, 1}},
		{gh.PullRequestListOptions{Head: "acme:open"}, []int{2}},
		{gh.PullRequestListOptions{Head: "stranger:main"}, []int{3}},
		{gh.PullRequestListOptions{Head: "acme:main"}, nil},
		{gh.PullRequestListOptions{Base: "release"}, nil},
	} {
		list, _, err := c.PullRequests.List(t.Context(), owner, repo, &tt.o)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, p := range list {
			got = append(got, p.GetNumber())
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v; want %v", tt.o, got, tt.want)
		}
	}
}

func TestAPullRequestSaysWhereItComesFromAndWhatBecameOfIt(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	merged, _, err := c.PullRequests.Get(t.Context(), owner, repo, 1)
	if err != nil || !merged.GetMerged() || merged.GetState() != "closed" || merged.GetMergeCommitSHA() != sha("5") || merged.GetBase().GetSHA() != sha("2") {
		t.Errorf("%v, %v", merged, err)
	}
	fork, _, err := c.PullRequests.Get(t.Context(), owner, repo, 3)
	if err != nil || fork.GetMerged() || !fork.GetHead().GetRepo().GetFork() || fork.GetHead().GetRepo().GetFullName() != "stranger/fleet" || fork.GetHTMLURL() != w.url+"/acme/fleet/pull/3" {
		t.Errorf("%v, %v", fork, err)
	}
	// Its commit that tries the merge is there, for what runs on it.
	w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: fork.GetMergeCommitSHA()})
	// A check run on a fork's head names no pull request; on one's own it does.
	if k := w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("6")}); len(k.PullRequests) != 0 {
		t.Errorf("%v", k.PullRequests)
	}
	if k := w.check(c, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")}); len(k.PullRequests) != 1 || k.PullRequests[0].GetNumber() != 2 {
		t.Errorf("%v", k.PullRequests)
	}
}
