package hub_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

func TestWhatDoesNotFitIntoTheRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	before := w.State()
	add := func(p hub.Pull) error {
		_, err := w.AddPull(p)
		return err
	}
	for what, tt := range map[string]struct {
		err  error
		want string
	}{
		"short SHA":      {w.AddCommit(hub.Commit{SHA: "abc"}), "has to be 40 hexadecimal digits"},
		"twice":          {w.AddCommit(hub.Commit{SHA: sha("1")}), "it is there already"},
		"orphan":         {w.AddCommit(hub.Commit{SHA: sha("a"), Parents: []string{sha("b")}}), "its parent " + sha("b") + " is not there"},
		"branch":         {w.SetBranch("main", sha("a")), "commit " + sha("a") + " is not there"},
		"pull twice":     {add(hub.Pull{Number: 2, HeadSHA: sha("4"), HeadRef: "x"}), "it is there already"},
		"pull's head":    {add(hub.Pull{HeadSHA: sha("a"), HeadRef: "x"}), "commit " + sha("a") + " is not there"},
		"pull's branch":  {add(hub.Pull{HeadSHA: sha("4")}), "it has no branch"},
		"pull's base":    {add(hub.Pull{HeadSHA: sha("4"), HeadRef: "x", BaseRef: "nowhere"}), "the base nowhere is no branch"},
		"push":           {w.Push(2, sha("a")), "commit " + sha("a") + " is not there"},
		"push to merged": {w.Push(1, sha("4")), "push to pull request 1: it is closed"},
		"merge":          {w.Merge(2, sha("a")), "commit " + sha("a") + " is not there"},
		"merge twice":    {w.Merge(1, sha("5")), "it is closed"},
		"close":          {w.Close(99), "close pull request 99: it is not there"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: %v; want %s", what, tt.err, tt.want)
		}
	}
	if diff := cmp.Diff(before, w.State(), cmp.AllowUnexported(hub.Commit{})); diff != "" {
		t.Error(diff)
	}
}

func TestAPushMovesTheBranchAndItsPullRequest(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	if err := w.AddCommit(hub.Commit{SHA: sha("8"), Parents: []string{sha("4")}}); err != nil {
		t.Fatal(err)
	}
	before := w.State().Pulls[1]
	if err := w.SetBranch("open", sha("8")); err != nil {
		t.Fatal(err)
	}
	after := w.State().Pulls[1]
	if after.HeadSHA != sha("8") || after.MergeCommit == before.MergeCommit || !after.UpdatedAt.After(before.UpdatedAt) {
		t.Errorf("%+v", after)
	}
	if err := w.Push(2, sha("4")); err != nil { // back
		t.Fatal(err)
	}
	if s := w.State(); s.Branches["open"] != sha("4") || s.Pulls[1].MergeCommit != before.MergeCommit {
		t.Errorf("%+v", s.Pulls[1])
	}
	// A fork's branch of the same name is another one.
	if err := w.Push(3, sha("8")); err != nil || w.State().Branches["main"] != sha("5") {
		t.Errorf("%v: main is %s", err, w.State().Branches["main"])
	}
}

func TestAnotherProcessFillsTheRepository(t *testing.T) {
	t.Parallel()
	h := hub.New(hub.Config{Now: (&clock{}).now})
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	send := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	for _, step := range []struct{ method, path, body string }{
		{"POST", "/lab/github/commits", `{"sha": "` + sha("1") + `", "message": "Begin", "author": "mona"}`},
		{"PUT", "/lab/github/branches/main", `{"sha": "` + sha("1") + `"}`},
		{"POST", "/lab/github/commits", `{"sha": "` + sha("2") + `", "parents": ["` + sha("1") + `"]}`},
		{"POST", "/lab/github/commits", `{"sha": "` + sha("3") + `", "parents": ["` + sha("1") + `", "` + sha("2") + `"]}`},
		{"POST", "/lab/github/pulls", `{"title": "A", "head_sha": "` + sha("1") + `", "head_ref": "topics/a", "author": "mona"}`},
		{"PUT", "/lab/github/branches/topics/a", `{"sha": "` + sha("2") + `"}`},
		{"POST", "/lab/github/pulls", `{"number": 7, "title": "B", "head_sha": "` + sha("1") + `", "head_ref": "b", "head_repository": "stranger/fleet"}`},
		{"POST", "/lab/github/pulls/7/push", `{"sha": "` + sha("2") + `"}`},
		{"POST", "/lab/github/pulls/7/close", ""},
		{"POST", "/lab/github/pulls/1/merge", `{"sha": "` + sha("3") + `"}`},
	} {
		if status, answer := send(step.method, step.path, step.body); status != http.StatusCreated {
			t.Fatalf("%s %s: %d %s", step.method, step.path, status, answer)
		}
	}
	for path, body := range map[string]string{
		"/lab/github/commits":       `{"sha": "abc"}`,
		"/lab/github/pulls":         `{"tilte": "A"}`,
		"/lab/github/pulls/1/merge": `{"sha": "` + sha("3") + `"}`,
		"/lab/github/pulls/x/close": ``,
	} {
		if status, answer := send("POST", path, body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	status, answer := send("GET", "/lab/github", "")
	var got hub.State
	if err := json.Unmarshal([]byte(answer), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	if diff := cmp.Diff(map[string]string{"main": sha("3"), "topics/a": sha("2")}, got.Branches); diff != "" {
		t.Error(diff)
	}
	if a, b := got.Pulls[0], got.Pulls[1]; !a.Merged() || a.MergeCommit != sha("3") || b.State != "closed" || b.Merged() || b.HeadSHA != sha("2") || b.Number != 7 {
		t.Errorf("%+v", got.Pulls)
	}
}

func TestAStateIsACopy(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	s := w.State()
	s.Branches["main"], s.Pulls[0].Title, s.Commits[1].Parents[0] = "", "", ""
	if again := w.State(); again.Branches["main"] == "" || again.Pulls[0].Title == "" || again.Commits[1].Parents[0] == "" {
		t.Errorf("%+v", again)
	}
}
