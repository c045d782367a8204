package github

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	gh "github.com/google/go-github/v60/github"
)

const checksWrite = "checks: write"

// Check is a check run: one line among a commit's checks, with a page of its own.
type Check struct {
	// Name is what it is found by among the commit's checks, HeadSHA the commit.
	Name, HeadSHA string
	// ExternalID tells it from others of that name and commit: give it the run,
	// the attempt and the server.
	ExternalID string
	DetailsURL string
	// Status is queued, in_progress or completed, Conclusion what a completed one
	// came to: success, failure, neutral, cancelled, skipped, timed_out or
	// action_required. An empty Status is GitHub's default, and an update leaves
	// it as it is.
	Status, Conclusion string
	// Title, Summary and Text are the page; the last two are Markdown, and what
	// is beyond 65,535 bytes of them is cut off.
	Title, Summary, Text   string
	StartedAt, CompletedAt time.Time
	// Annotations are added to those that the check run has already.
	Annotations []Annotation
}

// CreateCheck makes a check run and returns its id. It is not made twice if an
// answer is lost: then one with the same name and ExternalID is looked for, which
// is why there must be an ExternalID. With an error and an id that is not 0, the
// check run is there, but lacks annotations.
func (c *Client) CreateCheck(ctx context.Context, k Check) (int64, error) {
	if k.Name == "" || k.HeadSHA == "" || k.ExternalID == "" {
		return 0, errors.New("create a check run: it lacks a name, a commit or an external id")
	}
	first, rest := firstBatch(k.Annotations)
	options := gh.CreateCheckRunOptions{
		Name: k.Name, HeadSHA: k.HeadSHA, ExternalID: gh.String(k.ExternalID), DetailsURL: optional(k.DetailsURL),
		Status: optional(k.Status), Conclusion: optional(k.Conclusion),
		StartedAt: timestamp(k.StartedAt), CompletedAt: timestamp(k.CompletedAt), Output: output(k, first),
	}
	run, err := once(ctx, c.clock, func(ctx context.Context) (*gh.CheckRun, error) {
		run, _, err := c.api.Checks.CreateCheckRun(ctx, c.owner, c.name, options)
		return run, c.explain(err, checksWrite, "create the check run %q of %s", k.Name, k.HeadSHA)
	}, func(ctx context.Context) (*gh.CheckRun, bool, error) { return c.findCheck(ctx, k) })
	if err != nil {
		return 0, err
	}
	c.noteAnnotations(run.GetID(), len(first))
	return run.GetID(), c.annotate(ctx, run.GetID(), k, rest)
}

// findCheck looks for a check run that was perhaps made. All are listed, not the
// latest of each name alone: another run of the workflow may have made one since.
func (c *Client) findCheck(ctx context.Context, k Check) (*gh.CheckRun, bool, error) {
	options := &gh.ListCheckRunsOptions{CheckName: gh.String(k.Name), Filter: gh.String("all"), ListOptions: gh.ListOptions{PerPage: perPage}}
	for {
		list, resp, err := c.api.Checks.ListCheckRunsForRef(ctx, c.owner, c.name, k.HeadSHA, options)
		if err != nil {
			return nil, false, c.explain(err, checksWrite, "look for the check run %q of %s", k.Name, k.HeadSHA)
		}
		for _, run := range list.CheckRuns {
			if run.GetName() == k.Name && run.GetExternalID() == k.ExternalID {
				return run, true, nil
			}
		}
		if resp.NextPage == 0 {
			return nil, false, nil
		}
		options.Page = resp.NextPage
	}
}

// updateCheckRun has a field more than go-github's: a check run that was queued
// starts later than it is made.
type updateCheckRun struct {
	gh.UpdateCheckRunOptions
	StartedAt *gh.Timestamp `json:"started_at,omitempty"`
}

// UpdateCheck sets what the check run says, and adds its annotations to those
// that are there; HeadSHA stays what it is. With an error after the first 50
// annotations, all is set but those that follow. One check run must not be updated
// twice at the same time.
func (c *Client) UpdateCheck(ctx context.Context, id int64, k Check) error {
	if k.Name == "" {
		return fmt.Errorf("update check run %d: it lacks a name", id)
	}
	first, rest := firstBatch(k.Annotations)
	page := output(k, first)
	if page != nil && page.Text == nil {
		page.Text = gh.String("") // or an earlier text would stay
	}
	change := updateCheckRun{
		UpdateCheckRunOptions: gh.UpdateCheckRunOptions{
			Name: k.Name, ExternalID: optional(k.ExternalID), DetailsURL: optional(k.DetailsURL),
			Status: optional(k.Status), Conclusion: optional(k.Conclusion), CompletedAt: timestamp(k.CompletedAt), Output: page,
		},
		StartedAt: timestamp(k.StartedAt),
	}
	if err := c.patchCheck(ctx, id, change); err != nil {
		return err
	}
	return c.annotate(ctx, id, k, rest)
}

// annotate adds what did not fit into the first request. The page goes along each
// time, since GitHub wants a summary beside annotations; the conclusion does not:
// it was said.
func (c *Client) annotate(ctx context.Context, id int64, k Check, annotations []Annotation) error {
	done := len(k.Annotations) - len(annotations)
	for batch := range slices.Chunk(annotations, batchSize) {
		change := updateCheckRun{UpdateCheckRunOptions: gh.UpdateCheckRunOptions{Name: k.Name, Output: output(k, batch)}}
		if err := c.patchCheck(ctx, id, change); err != nil {
			return fmt.Errorf("%d of %d annotations are there: %w", done, len(k.Annotations), err)
		}
		done += len(batch)
	}
	return nil
}

// patchCheck sends one update. Without annotations it sets values, and may be
// repeated. Annotations are added: after a lost answer their number tells whether
// they arrived.
func (c *Client) patchCheck(ctx context.Context, id int64, change updateCheckRun) error {
	send := func(ctx context.Context) (*gh.CheckRun, error) { return c.sendUpdate(ctx, id, change) }
	var added int
	if change.Output != nil {
		added = len(change.Output.Annotations)
	}
	if added == 0 {
		_, err := send(ctx)
		return err
	}
	before, err := c.annotations(ctx, id)
	if err != nil {
		return err
	}
	_, err = once(ctx, c.clock, send, func(ctx context.Context) (*gh.CheckRun, bool, error) {
		run, err := c.getCheck(ctx, id)
		return run, run.GetOutput().GetAnnotationsCount() >= before+added, err
	})
	if err == nil {
		c.noteAnnotations(id, before+added)
	}
	return err
}

func (c *Client) sendUpdate(ctx context.Context, id int64, change updateCheckRun) (*gh.CheckRun, error) {
	const what = "update check run %d"
	req, err := c.api.NewRequest("PATCH", fmt.Sprintf("repos/%s/%s/check-runs/%d", c.owner, c.name, id), change)
	if err != nil {
		return nil, c.explain(err, checksWrite, what, id)
	}
	run := new(gh.CheckRun)
	_, err = c.api.Do(ctx, req, run)
	return run, c.explain(err, checksWrite, what, id)
}

func (c *Client) getCheck(ctx context.Context, id int64) (*gh.CheckRun, error) {
	run, _, err := c.api.Checks.GetCheckRun(ctx, c.owner, c.name, id)
	return run, c.explain(err, checksWrite, "look at check run %d", id)
}

// output is the page of a check run. GitHub wants a title and a summary on it.
func output(k Check, batch []Annotation) *gh.CheckRunOutput {
	if k.Title == "" && k.Summary == "" && k.Text == "" && len(batch) == 0 {
		return nil
	}
	title, summary := k.Title, k.Summary
	if title == "" {
		title = k.Name
	}
	if summary == "" {
		summary = title
	}
	out := &gh.CheckRunOutput{Title: gh.String(valid(title)), Summary: gh.String(cutBytes(summary, textLimit)), Annotations: converted(batch)}
	if k.Text != "" {
		out.Text = gh.String(cutBytes(k.Text, textLimit))
	}
	return out
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timestamp(t time.Time) *gh.Timestamp {
	if t.IsZero() {
		return nil
	}
	return &gh.Timestamp{Time: t.UTC().Truncate(time.Second)}
}
