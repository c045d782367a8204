package github_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const (
	openPulls  = "GET " + repo + "/pulls?base=main&head=acme%3Asnowdrop%2Fupdate-nightly&state=open"
	makePull   = "POST " + repo + "/pulls"
	changePull = "PATCH " + repo + "/pulls/8"
)

func proposal() github.Proposal {
	return github.Proposal{Head: "snowdrop/update-nightly", Base: "main", Title: "Update nixpkgs", Body: "nixpkgs: a → b\n"}
}

// proposed is the pull request as GitHub has it once it is open.
func proposed(title, body string) object {
	p := pullRequest(8, false)
	p["title"], p["body"] = title, body
	head := p["head"].(object)
	head["label"], head["ref"], head["user"], head["repo"] = "acme:snowdrop/update-nightly", "snowdrop/update-nightly", user("acme"), repository("acme/fleet")
	return p
}

// whole is it as an answer about it alone.
func whole(p object) object {
	for _, count := range []string{"comments", "review_comments", "commits", "additions", "deletions", "changed_files"} {
		p[count] = 0
	}
	p["merged"], p["mergeable"], p["rebaseable"], p["mergeable_state"], p["merged_by"], p["maintainer_can_modify"] = false, nil, nil, "unknown", nil, false
	return p
}

func TestAPullRequestIsOpenedOnceAndThenKeptUpToDate(t *testing.T) {
	t.Parallel()
	p := proposal()
	fork := pullRequest(7, false)
	fork["head"].(object)["ref"] = p.Head // of a fork: not ours
	for name, test := range map[string]struct {
		server *server
		want   github.Outcome
	}{
		"none is there": {newServer(t).on(openPulls, ok([]object{fork})).on(makePull, answer{status: 201, body: whole(proposed(p.Title, p.Body))}), github.Created},
		"one is there, out of date": {newServer(t).on(openPulls, ok([]object{proposed("Update", "")})).
			on(changePull, ok(whole(proposed(p.Title, p.Body)))), github.Updated},
		"one is there as it should be": {newServer(t).on(openPulls, ok([]object{proposed(p.Title, "nixpkgs: a → b")})), github.Kept},
		"the answer is lost": {newServer(t).on(openPulls, ok([]object{})).on(makePull, answer{lost: true}).
			on(openPulls, ok([]object{proposed(p.Title, p.Body)})), github.Created},
		"somebody was quicker": {newServer(t).on(openPulls, ok([]object{})).
			on(makePull, answer{status: 422, body: object{
				"message": "Validation Failed", "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
				"errors": []object{{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for acme:snowdrop/update-nightly."}},
			}}).on(openPulls, ok([]object{proposed(p.Title, p.Body)})), github.Kept},
	} {
		t.Run(name, func(t *testing.T) {
			got, outcome, err := test.server.client().Propose(t.Context(), p)
			check(t, err)
			if got.Number != 8 || got.URL != web+"/pull/8" || outcome != test.want {
				t.Errorf("%s: %+v", outcome, got)
			}
			for i := range test.server.got {
				body := test.server.request(i).body
				if want := (object{"title": p.Title, "body": p.Body, "head": p.Head, "base": p.Base}); strings.HasPrefix(test.server.request(i).line, "POST") {
					if diff := cmp.Diff(want, body); diff != "" {
						t.Error(diff)
					}
				}
			}
		})
	}
}

func TestActionsThatMayNotOpenPullRequestsAreToldWhereThatIsSet(t *testing.T) {
	t.Parallel()
	s := newServer(t).on(openPulls, ok([]object{})).on(makePull, answer{status: 403, body: object{
		"message": "GitHub Actions is not permitted to create or approve pull requests.", "documentation_url": "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
	}})
	_, _, err := s.client().Propose(t.Context(), proposal())
	if err == nil || !strings.Contains(err.Error(), "Actions → General") || !strings.Contains(err.Error(), "from snowdrop/update-nightly into main") {
		t.Errorf("got %v", err)
	}
}

func TestAPullRequestIsClosedWithAWordWhy(t *testing.T) {
	t.Parallel()
	const (
		words  = "GET " + repo + "/issues/8/comments?per_page=100"
		answer = "POST " + repo + "/issues/8/comments"
	)
	p := proposal()
	open := proposed(p.Title, p.Body)
	closed := whole(proposed(p.Title, p.Body))
	closed["state"], closed["closed_at"] = "closed", "2026-03-04T05:06:07Z"
	text := `<!-- snowdrop {"kind":"withdrawn snowdrop/update-nightly","run":0,"attempt":0,"revision":"` + open["head"].(object)["sha"].(string) + `"} -->` + "\nNothing is left."
	word := issueComment(2, bot, text)
	withdraw := func(s *server) (github.Pull, bool, error) {
		return s.client().Withdraw(t.Context(), p.Head, p.Base, "Nothing is left.")
	}

	s := asWorkflow(t)
	s.script = append([]announced{{openPulls, ok([]object{open})}}, s.script...)
	s.on(words, ok([]object{})).on(answer, created(word)).on(changePull, ok(closed))
	got, found, err := withdraw(s)
	if err != nil || !found || got.Number != 8 || got.State != "closed" {
		t.Errorf("%+v, %v, %v", got, found, err)
	}
	if diff := cmp.Diff(object{"state": "closed"}, s.request(len(s.got)-1).body); diff != "" {
		t.Error(diff)
	}
	// Where closing failed, the word is there, and is not said twice.
	s = asWorkflow(t)
	s.script = append([]announced{{openPulls, ok([]object{open})}}, s.script...)
	s.on(words, ok([]object{word})).on(changePull, ok(closed))
	if _, found, err := withdraw(s); err != nil || !found {
		t.Errorf("the second time: %v, %v", found, err)
	}
	s = newServer(t).on(openPulls, ok([]object{}))
	if _, found, err := withdraw(s); err != nil || found {
		t.Errorf("without one: %v, %v", found, err)
	}
}
