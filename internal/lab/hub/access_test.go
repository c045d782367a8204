package hub_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gh "github.com/google/go-github/v60/github"

	"github.com/versatus/snowdrop/internal/lab/fault"
	"github.com/versatus/snowdrop/internal/lab/hub"
)

// ask sends a request and returns the status, the headers and the body.
func (w *world) ask(token, method, path string) (int, http.Header, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader("{}"))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "token "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// endpoints are those that a permission is needed for: any of those named.
func endpoints() map[string][]string {
	const r = "/repos/acme/fleet"
	return map[string][]string{
		"POST " + r + "/check-runs":                            {"checks"},
		"PATCH " + r + "/check-runs/1":                         {"checks"},
		"GET " + r + "/check-runs/1":                           {"checks"},
		"GET " + r + "/check-runs/1/annotations":               {"checks"},
		"GET " + r + "/commits/main/check-runs":                {"checks"},
		"GET " + r + "/issues/2/comments":                      {"issues", "pull-requests"},
		"POST " + r + "/issues/2/comments":                     {"issues", "pull-requests"},
		"GET " + r + "/issues/comments/1":                      {"issues", "pull-requests"},
		"PATCH " + r + "/issues/comments/1":                    {"issues", "pull-requests"},
		"GET " + r + "/deployments":                            {"deployments"},
		"POST " + r + "/deployments":                           {"deployments"},
		"GET " + r + "/deployments/1":                          {"deployments"},
		"GET " + r + "/deployments/1/statuses":                 {"deployments"},
		"POST " + r + "/deployments/1/statuses":                {"deployments"},
		"GET " + r + "/commits/main":                           {"contents"},
		"GET " + r + "/compare/" + sha("1") + "..." + sha("2"): {"contents"},
		"GET " + r + "/pulls":                                  {"pull-requests"},
		"GET " + r + "/pulls/2":                                {"pull-requests"},
		"GET " + r + "/commits/main/pulls":                     {"pull-requests"},
	}
}

func TestATokenMayDoWhatItsPermissionsAllow(t *testing.T) {
	t.Parallel()
	all := []string{"checks", "contents", "deployments", "issues", "pull-requests"}
	var tokens []hub.Token
	for _, p := range all {
		for _, level := range []string{"read", "write"} {
			tokens = append(tokens, hub.Token{Value: p + level, Permissions: map[string]string{p: level}})
		}
	}
	w := start(t, hub.Config{Tokens: append(tokens, hub.Token{Value: "mine", Login: "mona", Permissions: map[string]string{}})})
	for endpoint, needs := range endpoints() {
		method, path, _ := strings.Cut(endpoint, " ")
		for _, token := range tokens {
			wanted := method != http.MethodGet
			may := false
			for _, need := range needs {
				may = may || token.Permissions[need] == "write" || token.Permissions[need] == "read" && !wanted
			}
			status, header, body := w.ask(token.Value, method, path)
			if (status != http.StatusForbidden) != may {
				t.Errorf("%s with %s: answered %d", endpoint, token.Value, status)
			}
			if status == http.StatusForbidden && (!strings.Contains(body, `"message":"Resource not accessible by integration"`) ||
				!strings.Contains(body, `"documentation_url":"https://docs.github.com/rest/`) || !strings.Contains(body, `"status":"403"`)) {
				t.Errorf("%s: says %s", endpoint, body)
			}
			if accepted := header.Get("x-accepted-github-permissions"); !strings.HasPrefix(accepted, strings.ReplaceAll(needs[0], "-", "_")+"=") {
				t.Errorf("%s: accepts %q", endpoint, accepted)
			}
		}
		if status, _, body := w.ask("mine", method, path); status != http.StatusForbidden || !strings.Contains(body, "by personal access token") {
			t.Errorf("%s with a personal token: %d %s", endpoint, status, body)
		}
	}
}

func TestATokenOfAForkCanReadAlone(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	c := w.client(reader)
	if _, _, err := c.Checks.ListCheckRunsForRef(t.Context(), owner, repo, "open", nil); err != nil {
		t.Error(err)
	}
	_, _, err := c.Checks.CreateCheckRun(t.Context(), owner, repo, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")})
	fails(t, err, "403 Resource not accessible by integration")
}

func TestWhoCallsIsKnown(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	for _, tt := range []struct {
		token, path string
		status      int
		says        string
	}{
		{"", "/repos/acme/fleet", 401, "Requires authentication"},
		{"wrong", "/repos/acme/fleet", 401, "Bad credentials"},
		{"", "/user", 401, "Requires authentication"},
		{personal, "/user", 200, `"login":"mona"`},
		{hub.DefaultToken, "/user", 403, "Resource not accessible by integration"},
		{hub.DefaultToken, "/repos/ACME/Fleet", 200, `"full_name":"acme/fleet"`},
		{hub.DefaultToken, "/repos/acme/other", 404, "Not Found"},
		{hub.DefaultToken, "/repos/acme/other/pulls", 404, "Not Found"},
		{hub.DefaultToken, "/repos/acme/fleet/milestones", 404, "Not Found"},
	} {
		status, header, body := w.ask(tt.token, http.MethodGet, tt.path)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s with %q: %d %s", tt.path, tt.token, status, body)
		}
		if header.Get("x-github-request-id") == "" {
			t.Errorf("%s: no request id", tt.path)
		}
	}
}

func TestTheHoursRequestsAreCountedForEachToken(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var hours atomic.Int64
	w := start(t, hub.Config{RequestsPerHour: 2, Now: func() time.Time { return at.Add(time.Duration(hours.Load()) * time.Hour) }})
	reset := strconv.FormatInt(at.Add(time.Hour).Unix(), 10)
	for used := 1; used <= 2; used++ {
		status, header, _ := w.ask(hub.DefaultToken, http.MethodGet, "/repos/acme/fleet")
		got := fmt.Sprintln(status, header.Get("x-ratelimit-limit"), header.Get("x-ratelimit-used"), header.Get("x-ratelimit-remaining"), header.Get("x-ratelimit-reset"))
		if want := fmt.Sprintln(200, "2", used, 2-used, reset); got != want {
			t.Errorf("request %d: %s; want %s", used, got, want)
		}
	}
	_, _, err := w.client(hub.DefaultToken).Repositories.Get(t.Context(), owner, repo)
	var limit *gh.RateLimitError
	if !errors.As(err, &limit) || limit.Rate.Remaining != 0 || !strings.HasPrefix(limit.Message, "API rate limit exceeded for installation ID ") {
		t.Errorf("said %v", err)
	}
	if status, _, _ := w.ask(personal, http.MethodGet, "/user"); status != 200 {
		t.Errorf("another token: %d", status)
	}
	hours.Add(1)
	if status, _, _ := w.ask(hub.DefaultToken, http.MethodGet, "/repos/acme/fleet"); status != 200 {
		t.Errorf("an hour later: %d", status)
	}
}

func TestFaultsBeforeAndAfterSomethingIsDone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault fault.Fault
		want  string
		done  int
	}{
		{fault.Fault{Kind: fault.GitHubError}, "500 Server Error", 0},
		{fault.Fault{Kind: fault.GitHubError, Status: 503, Message: "No server is currently available"}, "503 No server", 0},
		{fault.Fault{Kind: fault.GitHubLost}, "502 Server Error", 1},
		{fault.Fault{Kind: fault.GitHubDrop}, "EOF", 1},
		{fault.Fault{Kind: fault.GitHubRateLimit, Delay: 3 * time.Second}, "403 You have exceeded a secondary rate limit.", 0},
		{fault.Fault{Kind: fault.GitHubSlow, Delay: time.Millisecond}, "<nil>", 1},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			t.Parallel()
			faults := &fault.Set{}
			w := start(t, hub.Config{Faults: faults})
			tt.fault.Target = "POST /repos/acme/fleet/check-runs"
			if err := faults.Add(tt.fault); err != nil {
				t.Fatal(err)
			}
			c := w.client(hub.DefaultToken)
			if _, _, err := c.PullRequests.Get(t.Context(), owner, repo, 2); err != nil {
				t.Errorf("another request fails: %v", err)
			}
			_, _, err := c.Checks.CreateCheckRun(t.Context(), owner, repo, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")})
			fails(t, err, tt.want)
			if n := len(w.State().Checks); n != tt.done {
				t.Errorf("there are %d check runs; want %d", n, tt.done)
			}
			if len(faults.List()) != 0 {
				t.Error("the fault is armed still")
			}
			var abuse *gh.AbuseRateLimitError
			if tt.fault.Kind == fault.GitHubRateLimit && (!errors.As(err, &abuse) || abuse.GetRetryAfter() != 3*time.Second) {
				t.Errorf("%v does not say when to come back", err)
			}
		})
	}
}

func TestWithoutChecksThereAreCommentsAlone(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{WithoutChecks: true})
	c, ctx := w.client(hub.DefaultToken), t.Context()
	_, _, err := c.Checks.CreateCheckRun(ctx, owner, repo, gh.CreateCheckRunOptions{Name: "c", HeadSHA: sha("4")})
	fails(t, err, "404 Not Found")
	_, _, err = c.Checks.ListCheckRunsForRef(ctx, owner, repo, "main", nil)
	fails(t, err, "404 Not Found")
	_, _, err = c.Repositories.CreateDeployment(ctx, owner, repo, request("main", "production"))
	fails(t, err, "404 Not Found")
	if _, _, err = c.Issues.CreateComment(ctx, owner, repo, 2, &gh.IssueComment{Body: gh.String("a")}); err != nil {
		t.Error(err)
	}
}

func TestABodyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t, hub.Config{})
	for body, want := range map[string]string{
		`{"body": 7}`: `422 Invalid request.\n\nFor 'properties/body', number is not a string.`,
		`{"body": "a`: `400 Problems parsing JSON`,
		`{"body": "` + strings.Repeat("a", 2<<20): `413`,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/repos/acme/fleet/issues/2/comments", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+hub.DefaultToken)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
		status, message, _ := strings.Cut(want, " ")
		if strconv.Itoa(resp.StatusCode) != status || !strings.Contains(string(answer), message) {
			t.Errorf("%.20s: %d %s", body, resp.StatusCode, answer)
		}
	}
}
