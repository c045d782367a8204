package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
)

// CommentAPI is what GitHub does for Comment. *github.Client does it.
type CommentAPI interface {
	SetComment(ctx context.Context, pull int, s github.Sticky, body string) (github.Comment, error)
	PullsOfCommit(ctx context.Context, sha string) ([]github.Pull, error)
}

// CommentConfig says which comment is written.
type CommentConfig struct {
	GitHub CommentAPI
	// Pull is the pull request; 0 means those that brought Commit.
	Pull   int
	Commit string
	Sticky github.Sticky
	// Body is the comment, asked for when the run has ended; where it is empty, there is
	// nothing to tell, and nothing is written.
	Body func() string
	Warn func(text string)
}

// Comment writes the pull request's comment when the run has ended.
type Comment struct {
	base
	cfg CommentConfig
	url string // guarded by the mutex
}

var _ Reporter = (*Comment)(nil)

// NewComment makes the reporter; Run writes.
func NewComment(cfg CommentConfig) *Comment {
	return &Comment{base: newBase("comments", "comment", cfg.Warn), cfg: cfg}
}

// Emit implements Reporter: the comment is written once, from the whole story.
func (c *Comment) Emit(event.Event) {}

// URL is the comment's address; empty while there is none.
func (c *Comment) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.url
}

// Run implements Reporter.
func (c *Comment) Run(ctx context.Context) {
	c.loop(ctx, func(ctx context.Context, end *Ending) time.Duration {
		if end != nil {
			c.write(ctx)
		}
		return 0
	})
}

// mostPulls bounds the pull requests that one commit can have comments on: a commit
// that was merged to many branches has brought nothing to most of them.
const mostPulls = 3

func (c *Comment) write(ctx context.Context) {
	body := c.cfg.Body()
	if body == "" {
		return
	}
	pulls := []int{c.cfg.Pull}
	if c.cfg.Pull == 0 {
		found, err := c.cfg.GitHub.PullsOfCommit(ctx, c.cfg.Commit)
		if !c.ok(err) {
			return
		}
		pulls = merged(found)
	}
	for _, number := range pulls {
		comment, err := c.cfg.GitHub.SetComment(ctx, number, c.cfg.Sticky, body)
		if !c.ok(wrapPull(err, number)) && comment.ID == 0 {
			continue
		}
		c.mu.Lock()
		if c.url == "" {
			c.url = comment.URL
		}
		c.mu.Unlock()
	}
}

func wrapPull(err error, number int) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pull request #%d: %w", number, err)
}

// merged are the pull requests that brought the commit, the newest first.
func merged(pulls []github.Pull) []int {
	var numbers []int
	for _, p := range pulls {
		if p.Merged && len(numbers) < mostPulls {
			numbers = append(numbers, p.Number)
		}
	}
	return numbers
}
