package github_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/versatus/snowdrop/internal/github"
)

const (
	kind    = "plan snowdrop.yaml production"
	bot     = "github-actions[bot]"
	whoAmI  = "GET /user"
	list    = "GET " + repo + "/issues/7/comments?per_page=100"
	list2   = "GET " + repo + "/issues/7/comments?page=2&per_page=100"
	post    = "POST " + repo + "/issues/7/comments"
	notPerm = "Resource not accessible by integration"
)

func get(id int) string   { return fmt.Sprintf("GET %s/issues/comments/%d", repo, id) }
func patch(id int) string { return fmt.Sprintf("PATCH %s/issues/comments/%d", repo, id) }

// marked is the text of a comment that a run wrote.
func marked(run int64, attempt int, body string) string {
	return fmt.Sprintf(`<!-- snowdrop {"kind":%q,"run":%d,"attempt":%d,"revision":"abc"} -->`, kind, run, attempt) + "\n" + body
}

func sticky(run int64, attempt int) github.Sticky {
	return github.Sticky{Kind: kind, Run: run, Attempt: attempt, Revision: "abc"}
}

// asWorkflow is a server that the workflow's token asks first who it is.
func asWorkflow(t *testing.T) *server {
	t.Helper()
	return newServer(t).on(whoAmI, fails(403, notPerm))
}

func TestACommentIsMadeOnceAndThenChangedInPlace(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{issueComment(1, "octocat", "Nice!")})).
		on(post, created(issueComment(2, bot, marked(12, 1, "planning")))).
		on(get(2), ok(issueComment(2, bot, marked(12, 1, "planning")))).
		on(patch(2), ok(issueComment(2, bot, marked(12, 1, "planned"))))
	c := s.client()
	first, err := c.SetComment(t.Context(), 7, sticky(12, 1), "planning")
	check(t, err)
	second, err := c.SetComment(t.Context(), 7, sticky(12, 1), "planned")
	check(t, err)
	url := web + "/pull/7#issuecomment-2"
	want := []github.Comment{{ID: 2, URL: url, Outcome: github.Created}, {ID: 2, URL: url, Outcome: github.Updated}}
	if diff := cmp.Diff(want, []github.Comment{first, second}); diff != "" {
		t.Error(diff)
	}
	if got := s.request(2).body["body"]; got != marked(12, 1, "planning") {
		t.Errorf("posted %q", got)
	}
	if got := s.request(4).body["body"]; got != marked(12, 1, "planned") {
		t.Errorf("changed to %q", got)
	}
}

func TestOnlyAnOlderOrTheSameRunsCommentIsOverwritten(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		run     int64
		attempt int // that wrote what is there; the test's is run 12, attempt 2
		want    github.Outcome
	}{
		{"an older run", 11, 9, github.Updated},
		{"an older attempt of this run", 12, 1, github.Updated},
		{"this attempt itself", 12, 2, github.Updated},
		{"a newer attempt of this run", 12, 3, github.Kept},
		{"a newer run", 13, 1, github.Kept},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := asWorkflow(t).on(list, ok([]object{issueComment(2, bot, marked(tt.run, tt.attempt, "theirs"))}))
			if tt.want == github.Updated {
				s.on(patch(2), ok(issueComment(2, bot, marked(12, 2, "mine"))))
			}
			got, err := s.client().SetComment(t.Context(), 7, sticky(12, 2), "mine")
			check(t, err)
			if got.Outcome != tt.want || got.ID != 2 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestARunThatWasOvertakenMeanwhileSeesIt(t *testing.T) {
	t.Parallel()
	s := asWorkflow(t).
		on(list, ok([]object{})).
		on(post, created(issueComment(2, bot, marked(12, 1, "planning")))).
		on(get(2), ok(issueComment(2, bot, marked(13, 1, "newer"))))
	c := s.client()
	_, err := c.SetComment(t.Context(), 7, sticky(12, 1), "planning")
	check(t, err)
	got, err := c.SetComment(t.Context(), 7, sticky(12, 1), "planned")
	check(t, err)
	if got.Outcome != github.Kept {
		t.Errorf("outcome %s", got.Outcome)
	}
}

func TestWhatOnlyLooksLikeOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	ours := marked(11, 1, "plan")
	for name, other := range map[string]object{
		"the hidden line by somebody else":     issueComment(2, "mallory", ours),
		"of a user who is no more":             func() object { c := issueComment(2, bot, ours); c["user"] = nil; return c }(),
		"quoted by a person":                   issueComment(2, "octocat", "> "+strings.ReplaceAll(ours, "\n", "\n> ")+"\n\nWhy?"),
		"quoted by another job of this token":  issueComment(2, bot, "They said:\n"+ours),
		"of another kind":                      issueComment(2, bot, strings.Replace(ours, "production", "staging", 1)),
		"of a kind that begins the same":       issueComment(2, bot, strings.Replace(ours, kind, kind+" eu", 1)),
		"broken JSON":                          issueComment(2, bot, strings.Replace(ours, "{", "{{", 1)),
		"text after the end of the line's end": issueComment(2, bot, strings.Replace(ours, " -->", " --> hi", 1)),
		"folded":                               issueComment(2, bot, strings.Replace(ours, `"run"`, `"folded":true,"run"`, 1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := asWorkflow(t).
				on(list, ok([]object{other})).
				on(post, created(issueComment(3, bot, marked(12, 1, "mine"))))
			got, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "mine")
			check(t, err)
			if got.ID != 3 || got.Outcome != github.Created {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestAKindCanNotEndTheHiddenLine(t *testing.T) {
	t.Parallel()
	for _, nasty := range []string{"a --> b", "a --!> b", "a\n-->\n# b", "<!-- <script>", `"}`, "\xff\xfe", "a\r\nb\u2028c", "->", ">"} {
		s := github.Sticky{Kind: nasty, Run: 12, Attempt: 1}
		var written string
		server := asWorkflow(t).on(list, ok([]object{}))
		server.on(post, created(issueComment(2, bot, "x")))
		_, err := server.client().SetComment(t.Context(), 7, s, "body")
		check(t, err)
		written = server.request(2).body["body"].(string)
		line, rest, _ := strings.Cut(written, "\n")
		if rest != "body" || strings.Count(line, ">") != 1 || !strings.HasSuffix(line, " -->") || strings.ContainsAny(line, "\r\u2028") {
			t.Errorf("kind %q gives %q", nasty, written)
		}
		// Read back, it is the comment of this kind.
		again := asWorkflow(t).on(list, ok([]object{issueComment(2, bot, strings.ReplaceAll(written, "\n", "\r\n"))}))
		got, err := again.client().SetComment(t.Context(), 7, s, "body")
		check(t, err)
		if got.ID != 2 {
			t.Errorf("kind %q is not found again", nasty)
		}
	}
}

func TestTheAuthorIsWhoeverTheTokenWritesAs(t *testing.T) {
	t.Parallel()
	ours := func(author string) answer { return ok([]object{issueComment(2, author, marked(12, 1, "same"))}) }
	t.Run("a personal token's user", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).on(whoAmI, ok(me("octocat"))).on(list, ours("Octocat"))
		_, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "same")
		check(t, err)
	})
	for _, status := range []int{403, 404} {
		t.Run(fmt.Sprintf("the workflow's, where the question is answered %d", status), func(t *testing.T) {
			t.Parallel()
			s := newServer(t).on(whoAmI, fails(status, notPerm)).on(list, ours(bot))
			_, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "same")
			check(t, err)
		})
	}
	t.Run("the configured one, unasked", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).on(list, ours("our-app[bot]"))
		cfg := s.config()
		cfg.Author = "our-app[bot]"
		c, err := github.New(cfg)
		check(t, err)
		_, err = c.SetComment(t.Context(), 7, sticky(12, 1), "same")
		check(t, err)
	})
	t.Run("the one that GitHub says it was", func(t *testing.T) {
		t.Parallel()
		s := asWorkflow(t).on(list, ok([]object{})).
			on(post, created(issueComment(2, "our-app[bot]", marked(12, 1, "a")))).
			on(get(2), ok(issueComment(2, "our-app[bot]", marked(12, 1, "a")))).
			on(patch(2), ok(issueComment(2, "our-app[bot]", marked(12, 1, "b"))))
		c := s.client()
		for _, body := range []string{"a", "b"} {
			_, err := c.SetComment(t.Context(), 7, sticky(12, 1), body)
			check(t, err)
		}
	})
	t.Run("a token that is refused is an error", func(t *testing.T) {
		t.Parallel()
		s := newServer(t).on(whoAmI, fails(401, "Bad credentials"))
		_, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), "a")
		var answer *github.APIError
		if !errors.As(err, &answer) || !answer.Denied() {
			t.Errorf("error: %v", err)
		}
	})
}

func TestABodyThatIsTooLongIsRefusedUnsent(t *testing.T) {
	t.Parallel()
	room := 65536 - len([]rune(marked(12, 1, "")))
	s := asWorkflow(t).on(list, ok([]object{})).on(post, created(issueComment(2, bot, "x")))
	_, err := s.client().SetComment(t.Context(), 7, sticky(12, 1), strings.Repeat("ä", room))
	check(t, err)
	_, err = newServer(t).client().SetComment(t.Context(), 7, sticky(12, 1), strings.Repeat("ä", room+1))
	if err == nil || !strings.Contains(err.Error(), "65537 characters") {
		t.Errorf("error: %v", err)
	}
}

// FuzzMarker holds that any kind is found again, and ends nothing early.
func FuzzMarker(f *testing.F) {
	f.Add("plan --> x")
	f.Add("\xff\u2028<!--")
	f.Fuzz(func(t *testing.T, kind string) {
		line := github.MarkerLine(t, strings.ToValidUTF8(kind, "\uFFFD"))
		if strings.Count(line, ">") != 1 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("kind %q gives %q", kind, line)
		}
		if got, ok := github.MarkerKind(line + "\nbody"); !ok || got != strings.ToValidUTF8(kind, "\uFFFD") {
			t.Errorf("kind %q is read as %q", kind, got)
		}
	})
}
