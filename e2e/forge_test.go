//go:build linux && e2e

package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/versatus/snowdrop/internal/lab/hub"
)

const (
	// githubToken may write what a workflow may be allowed to write, readToken is that
	// of a pull request from a fork.
	githubToken = "ghs_e2eCanary0000000000000000000000000001"
	readToken   = "ghs_e2eCanary0000000000000000000000000002"
)

// forgeTokens are who may speak to the lab's GitHub.
func forgeTokens() []hub.Token {
	return []hub.Token{
		{Value: githubToken},
		{Value: readToken, Permissions: map[string]string{
			"checks": "read", "contents": "read", "deployments": "read", "issues": "read", "pull-requests": "read",
		}},
	}
}

// publish makes GitHub know all commits and branches of the project.
func (w *world) publish(ctx context.Context, t *testing.T) {
	t.Helper()
	forge := w.lab.GitHub()
	known := forge.State().Commits
	for line := range strings.Lines(w.project.git(ctx, t, "log", "--all", "--reverse", "--topo-order", "--format=%H %s%x00%P")) {
		commit, parents, _ := strings.Cut(strings.TrimSpace(line), "\x00")
		sha, message, _ := strings.Cut(commit, " ")
		if slices.ContainsFunc(known, func(c hub.Commit) bool { return c.SHA == sha }) {
			continue
		}
		check(t, forge.AddCommit(hub.Commit{SHA: sha, Parents: strings.Fields(parents), Message: message, Author: "mona"}))
	}
	for line := range strings.Lines(w.project.git(ctx, t, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")) {
		branch, sha, _ := strings.Cut(strings.TrimSpace(line), " ")
		check(t, forge.SetBranch(branch, sha))
	}
}

// head is the commit that is checked out.
func (w *world) head(ctx context.Context, t *testing.T) string {
	t.Helper()
	return w.project.git(ctx, t, "rev-parse", "HEAD")
}

// The payloads have what GitHub's have of what the action reads.

func repository(w *world) map[string]any {
	return map[string]any{"full_name": w.lab.GitHub().Repository(), "default_branch": "main"}
}

func (w *world) pushEvent(ctx context.Context, t *testing.T) map[string]any {
	t.Helper()
	return map[string]any{"ref": "refs/heads/main", "after": w.head(ctx, t), "repository": repository(w)}
}

func (w *world) pullEvent(action string, p hub.Pull) map[string]any {
	return map[string]any{
		"action": action, "number": p.Number, "repository": repository(w),
		"pull_request": map[string]any{
			"number": p.Number,
			"head":   map[string]any{"sha": p.HeadSHA, "ref": p.HeadRef, "repo": map[string]any{"full_name": p.HeadRepository}},
			"base":   map[string]any{"sha": p.BaseSHA, "ref": p.BaseRef, "repo": repository(w)},
		},
	}
}

func (w *world) pull(t *testing.T, number int) hub.Pull {
	t.Helper()
	for _, p := range w.lab.GitHub().State().Pulls {
		if p.Number == number {
			return p
		}
	}
	t.Fatalf("there is no pull request %d", number)
	return hub.Pull{}
}

// checks are the newest check runs of a commit, by server.
func (w *world) checks(sha string) map[string]hub.Check {
	out := map[string]hub.Check{}
	for _, c := range w.lab.GitHub().State().Checks {
		if server, ok := strings.CutPrefix(c.Name, "snowdrop / "); ok && c.HeadSHA == sha {
			out[server] = c
		}
	}
	return out
}

// conclusions demands how the check runs of a commit ended.
func (w *world) conclusions(t *testing.T, sha string, want map[string]string) {
	t.Helper()
	got := w.checks(sha)
	for server, conclusion := range want {
		if c := got[server]; c.Conclusion != conclusion || c.Title == "" || c.Summary == "" {
			t.Errorf("the check of %s: %s %q, want %s", server, c.Conclusion, c.Title, conclusion)
		}
	}
	for server := range got {
		if _, ok := want[server]; !ok {
			t.Errorf("%s has a check: %+v", server, got[server])
		}
	}
}

// deployed are the states of the deployments of a commit, by server.
func (w *world) deployed(sha string) map[string]string {
	out := map[string]string{}
	for _, d := range w.lab.GitHub().State().Deployments {
		if server, ok := strings.CutPrefix(d.Environment, "production/"); ok && d.SHA == sha {
			out[server] = d.Latest().State
		}
	}
	return out
}

// comments are those of a pull request.
func (w *world) comments(number int) []hub.Comment {
	return slices.DeleteFunc(w.lab.GitHub().State().Comments, func(c hub.Comment) bool { return c.Pull != number })
}
