package github

import (
	"context"
	"net/http"
	"strings"

	gh "github.com/google/go-github/v60/github"
)

// found are the comments of ours about one subject.
type found struct {
	// newest is the one that the newest run wrote, nil if there is none, and
	// marker its first line.
	newest *gh.IssueComment
	marker marker
	others []*gh.IssueComment
}

// ours looks for our comments. The one that was found or written before is looked
// at alone; otherwise all are read, since a second of ours may be the last.
func (c *Client) ours(ctx context.Context, s subject) (found, error) {
	author, err := c.author(ctx)
	if err != nil {
		return found{}, err
	}
	if id := c.comments.ids[s]; id != 0 {
		got, _, err := c.api.Issues.GetComment(ctx, c.owner, c.name, id)
		err = c.explain(err, commentsWrite, "look at comment %d on pull request %d", id, s.pull)
		if answer := asAPIError(err); err != nil && (answer == nil || !answer.Missing()) {
			return found{}, err
		}
		if err == nil {
			if m, ok := isOurs(got, author, s.kind); ok {
				return found{newest: got, marker: m}, nil
			}
		}
		// Somebody deleted it, took it over, or a newer run folded it.
		delete(c.comments.ids, s)
	}
	there, err := c.search(ctx, s, author)
	if err == nil && there.newest != nil {
		c.comments.ids[s] = there.newest.GetID()
	}
	return there, err
}

func (c *Client) search(ctx context.Context, s subject, author string) (found, error) {
	var there found
	seen := map[int64]bool{}
	options := &gh.IssueListCommentsOptions{ListOptions: gh.ListOptions{PerPage: perPage}}
	for {
		page, resp, err := c.api.Issues.ListComments(ctx, c.owner, c.name, s.pull, options)
		if err != nil {
			return found{}, c.explain(err, commentsWrite, "look for the comment %q on pull request %d", s.kind, s.pull)
		}
		for _, one := range page {
			// One that is deleted meanwhile moves the others between pages.
			if m, ok := isOurs(one, author, s.kind); ok && !seen[one.GetID()] {
				seen[one.GetID()] = true
				there.add(one, m)
			}
		}
		if resp.NextPage == 0 {
			return there, nil
		}
		options.Page = resp.NextPage
	}
}

// add takes the comments in the order of their making: of two by one run the
// first counts.
func (f *found) add(one *gh.IssueComment, m marker) {
	switch {
	case f.newest == nil:
		f.newest, f.marker = one, m
	case m.compare(f.marker) > 0:
		f.others = append(f.others, f.newest)
		f.newest, f.marker = one, m
	default:
		f.others = append(f.others, one)
	}
}

// isOurs says whether a comment is one of ours that counts. Anybody can write the
// hidden line; nobody else can write it as this author.
func isOurs(c *gh.IssueComment, author, kind string) (marker, bool) {
	m, ok := markerOf(c.GetBody())
	return m, ok && m.Kind == kind && !m.Folded && strings.EqualFold(c.GetUser().GetLogin(), author)
}

// author is the login that comments are written as. A personal token can ask; the
// workflow's is refused.
func (c *Client) author(ctx context.Context) (string, error) {
	if c.comments.author != "" {
		return c.comments.author, nil
	}
	user, _, err := c.api.Users.Get(ctx, "")
	err = c.explain(err, commentsWrite, "ask whose token it is")
	answer := asAPIError(err)
	switch {
	case err == nil:
		c.comments.author = user.GetLogin()
	case answer != nil && (answer.Missing() || answer.Denied() && answer.Status == http.StatusForbidden):
		c.comments.author = workflowAuthor
	default:
		return "", err
	}
	return c.comments.author, nil
}
