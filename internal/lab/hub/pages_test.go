package hub_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"
	"golang.org/x/net/html"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

// told is a world in which a deploy has told its story.
func told(t *testing.T) *world {
	t.Helper()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	at := func(minute int) *gh.Timestamp {
		return &gh.Timestamp{Time: time.Date(2026, 3, 4, 5, minute, 0, 0, time.UTC)}
	}
	run := gh.String(w.url + "/acme/fleet/actions/runs/77")
	w.check(c, gh.CreateCheckRunOptions{Name: "snowdrop / db", HeadSHA: sha("4"), Conclusion: gh.String("success"), StartedAt: at(1), CompletedAt: at(3), DetailsURL: run, Output: page("Nothing to do.")})
	failed := annotated(asIs, func(a *gh.CheckRunAnnotation) {
		a.EndLine, a.AnnotationLevel, a.Title, a.RawDetails = gh.Int(4), gh.String("warning"), gh.String("Old"), gh.String("<raw>")
	})
	failed.Title, failed.Text = gh.String("nginx.service failed"), gh.String("```\nno <b>luck</b>\n```")
	w.check(c, gh.CreateCheckRunOptions{Name: "snowdrop / web", HeadSHA: sha("4"), Conclusion: gh.String("failure"), StartedAt: at(1), CompletedAt: at(2), DetailsURL: run, Output: failed})
	w.check(c, gh.CreateCheckRunOptions{Name: "snowdrop / mail", HeadSHA: sha("6"), Status: gh.String("in_progress"), StartedAt: at(1)})
	w.check(c, gh.CreateCheckRunOptions{Name: "snowdrop / mail", HeadSHA: sha("5"), Conclusion: gh.String("skipped")})
	comment, _, err := c.Issues.CreateComment(t.Context(), owner, repo, 2, &gh.IssueComment{Body: gh.String("first")})
	if err != nil {
		t.Fatal(err)
	}
	body := "<!-- snowdrop {\"kind\":\"plan\"} -->\n## Deployed\n\n> [!WARNING]\n> The disk is wiped.\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n<details><summary>More</summary>\n\nof #1 and " + sha("3") + ", thanks to @mona\n\n</details>\n<script>alert(1)</script>"
	if _, _, err := c.Issues.EditComment(t.Context(), owner, repo, comment.GetID(), &gh.IssueComment{Body: &body}); err != nil {
		t.Fatal(err)
	}
	id := w.deploy(request(sha("4"), "production/web"), "in_progress")
	w.status(id, &gh.DeploymentStatusRequest{State: gh.String("success"), Description: gh.String("verified on web-1"), LogURL: run, EnvironmentURL: gh.String("https://web.example.com")})
	w.deploy(request(sha("5"), "production/web"), "failure")
	return w
}

func (w *world) look(path string) (int, string) {
	w.t.Helper()
	status, header, body := w.ask("", http.MethodGet, path)
	if csp := header.Get("Content-Security-Policy"); strings.HasPrefix(header.Get("Content-Type"), "text/html") && !strings.HasPrefix(csp, "default-src 'none'") {
		w.t.Errorf("%s may load: %q", path, csp)
	}
	return status, body
}

// TestEveryLinkOfThePagesLeadsSomewhere follows them all, from the repository's page
// and from the addresses that the API gave.
func TestEveryLinkOfThePagesLeadsSomewhere(t *testing.T) {
	t.Parallel()
	w := told(t)
	next := []string{"/"}
	c := w.client(hub.DefaultToken)
	list, _, err := c.Checks.ListCheckRunsForRef(t.Context(), owner, repo, "open", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range list.CheckRuns {
		next = append(next, k.GetHTMLURL(), k.GetDetailsURL())
	}
	commit, _, err := c.Repositories.GetCommit(t.Context(), owner, repo, "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	comparison, _, err := c.Repositories.CompareCommits(t.Context(), owner, repo, sha("1"), sha("5"), nil)
	if err != nil {
		t.Fatal(err)
	}
	comments, _, err := c.Issues.ListComments(t.Context(), owner, repo, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	next = append(next, commit.GetHTMLURL(), comparison.GetHTMLURL(), comments[0].GetHTMLURL(), comments[0].GetUser().GetHTMLURL())

	href := regexp.MustCompile(`(?:href|id)="([^"]*)"`)
	seen := map[string]bool{}
	for len(next) > 0 {
		address := strings.ReplaceAll(next[0], "&amp;", "&")
		next = next[1:]
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Host != "" && "http://"+u.Host != w.url || seen[address] {
			continue
		}
		seen[address] = true
		status, body := w.look(u.RequestURI())
		if status != http.StatusOK {
			t.Errorf("%s: %d", address, status)
		}
		if u.Fragment != "" && !strings.Contains(body, `id="`+u.Fragment+`"`) {
			t.Errorf("%s: there is nothing of that name on the page", address)
		}
		for _, m := range href.FindAllStringSubmatch(body, -1) {
			switch {
			case strings.HasPrefix(m[0], "id="):
			case strings.HasPrefix(m[1], "#"):
				next = append(next, u.Path+m[1])
			default:
				next = append(next, m[1])
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("only %d pages were found: %v", len(seen), seen)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := told(t)
	checks := w.State().Checks
	for name, path := range map[string]string{
		"repository": "/",
		"pull":       "/acme/fleet/pull/2",
		"merged":     "/acme/fleet/pull/1",
		"check":      w.page(checks[1]),
		"run":        "/acme/fleet/actions/runs/77",
		"commit":     "/acme/fleet/commit/" + sha("5"),
		"compare":    "/acme/fleet/compare/" + sha("1") + "..." + sha("5"),
	} {
		status, body := w.look(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		// Of the drawings their names alone.
		body = regexp.MustCompile(`(?s)<svg class="(.*?)".*?</svg>`).ReplaceAllString(body, "[$1]")
		body = regexp.MustCompile(`\n\s*\n+`).ReplaceAllString(strings.ReplaceAll(body, w.url, "http://lab"), "\n")
		golden(t, name+".html", body)
	}
}

func (w *world) page(k hub.Check) string {
	w.t.Helper()
	run, _, err := w.client(hub.DefaultToken).Checks.GetCheckRun(w.t.Context(), owner, repo, k.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimPrefix(run.GetHTMLURL(), w.url)
}

func TestAPageThatIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	for _, path := range []string{
		"/acme/other", "/acme/fleet/pull/99", "/acme/fleet/pull/x", "/acme/fleet/commit/" + sha("7"), "/acme/fleet/runs/1",
		"/acme/fleet/compare/main", "/acme/fleet/compare/main...nowhere", "/acme/fleet/settings/secrets", "/favicon.ico/x",
	} {
		if status, body := w.look(path); status != http.StatusNotFound || !strings.Contains(body, "There is no such page") {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestAnEmptyRepositoryHasAPage(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(hub.New(hub.Config{Repository: "you/yours"}))
	t.Cleanup(s.Close)
	w := &world{t: t, url: s.URL}
	status, body := w.look("/")
	if status != http.StatusOK || !strings.Contains(body, "There are no pull requests.") || !strings.Contains(body, "yours") {
		t.Errorf("%d %s", status, body)
	}
}

func TestNothingThatIsWrittenRunsInAPage(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(hub.DefaultToken)
	const bad = `"><script>alert(1)</script><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>`
	out := annotated(func(a *gh.CheckRunAnnotation) {
		a.Path, a.Message, a.Title, a.RawDetails = gh.String(bad), gh.String(bad), gh.String(bad), gh.String(bad)
	})
	out.Title, out.Summary, out.Text = gh.String(bad), gh.String(bad), gh.String(bad)
	k := w.check(c, gh.CreateCheckRunOptions{Name: bad, HeadSHA: sha("4"), Output: out})
	if _, _, err := c.Issues.CreateComment(t.Context(), owner, repo, 2, &gh.IssueComment{Body: gh.String(bad)}); err != nil {
		t.Fatal(err)
	}
	id := w.deploy(request(sha("4"), bad))
	w.status(id, &gh.DeploymentStatusRequest{State: gh.String("success"), Description: gh.String(bad), EnvironmentURL: gh.String(`http://"><script>`)})
	for _, path := range []string{"/", "/acme/fleet/pull/2", "/acme/fleet/commit/" + sha("4"), strings.TrimPrefix(k.GetHTMLURL(), w.url)} {
		status, body := w.look(path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		doc, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "img") {
				t.Errorf("%s has the element %s", path, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "href" && strings.HasPrefix(a.Val, "javascript") {
					t.Errorf("%s has %s=%q", path, a.Key, a.Val)
				}
			}
		}
	}
}

func TestTheStyleSheetIsServed(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	resp, err := http.Get(w.url + "/style.css")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/css") || !strings.Contains(string(body), "prefers-color-scheme: dark") {
		t.Errorf("%d %s, %v", resp.StatusCode, resp.Header.Get("Content-Type"), err)
	}
}
