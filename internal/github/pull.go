package github

import (
	"context"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

const pullsWrite = "pull-requests: write"

// Proposal is a pull request as it is to be.
type Proposal struct {
	// Head is a branch of the repository itself, Base the one that it is to be merged
	// into.
	Head, Base string
	// Body is Markdown.
	Title, Body string
}

// Propose opens a pull request from a branch, or brings title and text of the one that
// is open up to date. It is not opened twice if an answer is lost, nor where somebody
// else opened it meanwhile.
func (c *Client) Propose(ctx context.Context, p Proposal) (Pull, Outcome, error) {
	p.Title, p.Body = valid(p.Title), valid(p.Body)
	there, found, err := c.findPull(ctx, p)
	if err != nil {
		return Pull{}, "", err
	}
	if found {
		return c.amend(ctx, there, p)
	}
	request := &gh.NewPullRequest{Title: gh.String(p.Title), Body: gh.String(p.Body), Head: gh.String(p.Head), Base: gh.String(p.Base)}
	made, err := once(ctx, c.clock, func(ctx context.Context) (*gh.PullRequest, error) {
		made, _, err := c.api.PullRequests.Create(ctx, c.owner, c.name, request)
		return made, c.explain(err, pullsWrite, "open a pull request from %s into %s", p.Head, p.Base)
	}, func(ctx context.Context) (*gh.PullRequest, bool, error) { return c.findPull(ctx, p) })
	if err == nil {
		return toPull(made), Created, nil
	}
	if answer := asAPIError(err); answer != nil && strings.Contains(answer.Message, "already exists") {
		if there, found, lookErr := c.findPull(ctx, p); lookErr == nil && found {
			return c.amend(ctx, there, p)
		}
	}
	return Pull{}, "", err
}

// Withdraw closes the open pull request of a branch into another with a comment why, and
// returns it. Without one it returns false. It may be done twice: there is one such
// comment.
func (c *Client) Withdraw(ctx context.Context, head, base, why string) (Pull, bool, error) {
	there, found, err := c.findPull(ctx, Proposal{Head: head, Base: base})
	if err != nil || !found {
		return Pull{}, false, err
	}
	// The word comes first: who is told that it was closed finds it there.
	if _, err := c.SetComment(ctx, there.GetNumber(), Sticky{Kind: "withdrawn " + head, Revision: there.GetHead().GetSHA()}, why); err != nil {
		return toPull(there), false, err
	}
	closed, _, err := c.api.PullRequests.Edit(ctx, c.owner, c.name, there.GetNumber(), &gh.PullRequest{State: gh.String("closed")})
	if err != nil {
		return toPull(there), false, c.explain(err, pullsWrite, "close pull request %d", there.GetNumber())
	}
	return toPull(closed), true, nil
}

// findPull looks for the open pull request of a branch into another; there is one at
// most.
func (c *Client) findPull(ctx context.Context, p Proposal) (*gh.PullRequest, bool, error) {
	list, _, err := c.api.PullRequests.List(ctx, c.owner, c.name, &gh.PullRequestListOptions{
		State: "open", Head: c.owner + ":" + p.Head, Base: p.Base,
	})
	if err != nil {
		return nil, false, c.explain(err, pullsRead, "look for a pull request from %s into %s", p.Head, p.Base)
	}
	for _, one := range list {
		// GitHub leaves out a filter that it does not understand.
		if one.GetHead().GetRef() == p.Head && one.GetBase().GetRef() == p.Base &&
			strings.EqualFold(one.GetHead().GetRepo().GetFullName(), one.GetBase().GetRepo().GetFullName()) {
			return one, true, nil
		}
	}
	return nil, false, nil
}

func (c *Client) amend(ctx context.Context, there *gh.PullRequest, p Proposal) (Pull, Outcome, error) {
	if there.GetTitle() == p.Title && same(there.GetBody(), p.Body) {
		return toPull(there), Kept, nil
	}
	change := &gh.PullRequest{Title: gh.String(p.Title), Body: gh.String(p.Body)}
	changed, _, err := c.api.PullRequests.Edit(ctx, c.owner, c.name, there.GetNumber(), change)
	if err != nil {
		return toPull(there), "", c.explain(err, pullsWrite, "change pull request %d", there.GetNumber())
	}
	return toPull(changed), Updated, nil
}
