package github

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	gh "github.com/google/go-github/v60/github"
)

const (
	commentsWrite = "pull-requests: write"
	// commentLimit is in characters.
	commentLimit = 65536
	// workflowAuthor writes what is written with a job's GITHUB_TOKEN.
	workflowAuthor = "github-actions[bot]"
)

// Sticky says which comment is meant and who writes it.
type Sticky struct {
	// Kind tells the comments of one pull request apart, such as
	// "plan snowdrop.yaml production".
	Kind string
	// Run and Attempt are the workflow run's: what a newer one wrote stays.
	Run     int64
	Attempt int
	// Revision is the commit that the comment speaks of.
	Revision string
}

// Outcome is what became of a comment.
type Outcome string

// What SetComment did: made it, changed it, or left it as a newer run wrote it.
const (
	Created Outcome = "created"
	Updated Outcome = "updated"
	Kept    Outcome = "kept"
)

// Comment is the one that now stands on the pull request.
type Comment struct {
	ID      int64
	URL     string
	Outcome Outcome
}

// comments is what the client knows of comments and their author.
type comments struct {
	// turn lets one in at a time: between a look and a change, no other of this
	// client may change it.
	turn   turn
	author string
	ids    map[subject]int64
}

// subject is what there is one comment for.
type subject struct {
	pull int
	kind string
}

func newComments(author string) *comments {
	return &comments{turn: newTurn(), author: author, ids: map[subject]int64{}}
}

// SetComment makes the comment of that kind on a pull request, or changes it in
// place. It is known by a hidden first line and by its author. The comment of a
// newer run (a higher Run, or Attempt of the same) is left alone. The body is
// Markdown; one of more than 65,536 characters, the hidden line included, is an
// error, and nothing is changed.
//
// Two runs that start at once can each make a comment. The one that the newest
// run wrote counts, and the others are folded to a line that points to it: an
// older plan beside the current one could be taken for it. Deleting them could
// destroy what people link to. With an error and an ID that is not 0, the comment
// is written and only folding failed.
//
// GitHub changes a comment without asking whether it is still what was seen. So
// it is looked at right before; a newer run's change within that moment can be
// lost.
func (c *Client) SetComment(ctx context.Context, pull int, s Sticky, body string) (Comment, error) {
	s.Kind = valid(s.Kind) // as it is read back
	m := marker{Kind: s.Kind, Run: s.Run, Attempt: s.Attempt, Revision: s.Revision}
	line, err := m.line()
	if err != nil {
		return Comment{}, fmt.Errorf("write the hidden line of the comment %q: %w", s.Kind, err)
	}
	text := line + "\n" + valid(body)
	if n := utf8.RuneCountInString(text); n > commentLimit {
		return Comment{}, fmt.Errorf("comment on pull request %d: the comment %q has %d characters and GitHub takes %d; shorten it", pull, s.Kind, n, commentLimit)
	}
	if err := c.comments.turn.take(ctx); err != nil {
		return Comment{}, fmt.Errorf("comment on pull request %d: %w", pull, err)
	}
	defer c.comments.turn.give()

	outcome := Updated
	for try := 1; ; try++ {
		if err := c.pacer.ready(ctx); err != nil {
			return Comment{}, fmt.Errorf("comment on pull request %d: %w", pull, err)
		}
		there, err := c.ours(ctx, subject{pull, s.Kind})
		if err != nil {
			return Comment{}, err
		}
		switch {
		case there.newest == nil:
			outcome = Created
		case there.marker.compare(m) > 0:
			return comment(there.newest, Kept), nil
		case same(there.newest.GetBody(), text):
			return comment(there.newest, outcome), c.fold(ctx, there)
		}
		written, err := c.write(ctx, pull, there.newest, text)
		if err == nil {
			c.comments.ids[subject{pull, s.Kind}] = written.GetID()
			there.newest = written
			return comment(written, outcome), c.fold(ctx, there)
		}
		if err := c.again(ctx, err, try, subject{pull, s.Kind}); err != nil {
			return Comment{}, err
		}
	}
}

// write sends the comment once: what may have changed meanwhile is looked at
// before it is sent again.
func (c *Client) write(ctx context.Context, pull int, there *gh.IssueComment, text string) (*gh.IssueComment, error) {
	change := &gh.IssueComment{Body: gh.String(text)}
	if there != nil {
		written, _, err := c.api.Issues.EditComment(carefully(ctx), c.owner, c.name, there.GetID(), change)
		return written, c.explain(err, commentsWrite, "change comment %d on pull request %d", there.GetID(), pull)
	}
	written, _, err := c.api.Issues.CreateComment(ctx, c.owner, c.name, pull, change)
	if err != nil {
		return nil, c.explain(err, commentsWrite, "comment on pull request %d", pull)
	}
	// Now it is known for certain who this token writes as.
	if author := written.GetUser().GetLogin(); author != "" {
		c.comments.author = author
	}
	return written, nil
}

// again says, by returning nil, that another look and another attempt are due: it
// is in doubt whether the comment was written, or it was deleted meanwhile.
func (c *Client) again(ctx context.Context, err error, try int, s subject) error {
	if try == tries {
		return err
	}
	if answer := asAPIError(err); answer != nil && answer.Missing() && c.comments.ids[s] != 0 {
		delete(c.comments.ids, s)
		return nil
	}
	if !inDoubt(err) {
		return err
	}
	if sleepErr := c.clock.Sleep(ctx, settle); sleepErr != nil {
		return fmt.Errorf("%w (stopped before it was known whether that took effect: %w)", err, sleepErr)
	}
	return nil
}

// fold leaves of the other comments of ours a line that points to the newest.
func (c *Client) fold(ctx context.Context, there found) error {
	var faults []error
	for _, old := range there.others {
		m, _ := markerOf(old.GetBody())
		m.Folded = true
		line, err := m.line()
		if err == nil {
			text := fmt.Sprintf("%s\nAn older report. The [newest one](%s) counts.", line, there.newest.GetHTMLURL())
			_, _, err = c.api.Issues.EditComment(ctx, c.owner, c.name, old.GetID(), &gh.IssueComment{Body: gh.String(text)})
		}
		faults = append(faults, c.explain(err, commentsWrite, "fold comment %d, which is out of date", old.GetID()))
	}
	return errors.Join(faults...)
}

// same compares bodies, whose line ends and trailing blanks are the server's
// choice.
func same(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

func comment(c *gh.IssueComment, outcome Outcome) Comment {
	return Comment{ID: c.GetID(), URL: c.GetHTMLURL(), Outcome: outcome}
}
