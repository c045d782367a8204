package github

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	gh "github.com/google/go-github/v60/github"
)

const (
	pullsRead    = "pull-requests: read"
	contentsRead = "contents: read"
)

// Pull is a pull request.
type Pull struct {
	Number     int
	Title, URL string
	// State is open or closed, the latter also for one that is Merged.
	State   string
	HeadSHA string
	// HeadRepository is "owner/name", of a fork another one than the base's; empty
	// if it was deleted.
	HeadRepository, BaseRef string
	// MergeCommit is the commit that the merge made.
	MergeCommit string
	Merged      bool
}

// PullsOfCommit are the pull requests that brought a commit, in GitHub's order.
// For a commit that is not on the default branch they are open ones too.
func (c *Client) PullsOfCommit(ctx context.Context, sha string) ([]Pull, error) {
	var all []Pull
	options := &gh.ListOptions{PerPage: perPage}
	for {
		page, resp, err := c.api.PullRequests.ListPullRequestsWithCommit(ctx, c.owner, c.name, url.PathEscape(sha), options)
		if err != nil {
			return nil, c.explain(err, pullsRead, "list the pull requests of commit %s", sha)
		}
		for _, p := range page {
			if !slices.ContainsFunc(all, func(q Pull) bool { return q.Number == p.GetNumber() }) {
				all = append(all, toPull(p))
			}
		}
		if resp.NextPage == 0 {
			return all, nil
		}
		options.Page = resp.NextPage
	}
}

func toPull(p *gh.PullRequest) Pull {
	pull := Pull{
		Number: p.GetNumber(), Title: p.GetTitle(), URL: p.GetHTMLURL(), State: p.GetState(),
		HeadSHA: p.GetHead().GetSHA(), HeadRepository: p.GetHead().GetRepo().GetFullName(), BaseRef: p.GetBase().GetRef(),
		// A list has no "merged", only since when.
		Merged: !p.GetMergedAt().IsZero(),
	}
	// Of an open one it is a commit that tries the merge.
	if pull.Merged {
		pull.MergeCommit = p.GetMergeCommitSHA()
	}
	return pull
}

// Relation is how one commit stands to another.
type Relation string

// The relations of a head to its base.
const (
	Identical Relation = "identical"
	Ahead     Relation = "ahead"    // it has the base and more
	Behind    Relation = "behind"   // the base has it and more
	Diverged  Relation = "diverged" // each has what the other has not
)

// Compare says how head stands to base; both are commits, branches or tags.
func (c *Client) Compare(ctx context.Context, base, head string) (Relation, error) {
	// All commits and changed files would come along. The commits are kept to
	// one; the files can not be left out, but need not be understood.
	address := fmt.Sprintf("repos/%s/%s/compare/%s...%s?per_page=1", c.owner, c.name, url.PathEscape(base), url.PathEscape(head))
	req, err := c.api.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return "", c.explain(err, contentsRead, "compare %s with %s", head, base)
	}
	var comparison struct {
		Status Relation `json:"status"`
	}
	if _, err := c.api.Do(ctx, req, &comparison); err != nil {
		return "", c.explain(err, contentsRead, "compare %s with %s", head, base)
	}
	switch comparison.Status {
	case Identical, Ahead, Behind, Diverged:
		return comparison.Status, nil
	default:
		return "", fmt.Errorf("compare %s with %s: GitHub says %q, which is no relation that there is", head, base, comparison.Status)
	}
}
