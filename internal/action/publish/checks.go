package publish

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// checkEvery is the least time between two updates of one check run.
const checkEvery = 5 * time.Second

// CheckRuns is what GitHub does for Checks. *github.Client does it.
type CheckRuns interface {
	CreateCheck(ctx context.Context, c github.Check) (int64, error)
	UpdateCheck(ctx context.Context, id int64, c github.Check) error
}

// ChecksConfig says what check runs are written.
type ChecksConfig struct {
	GitHub CheckRuns
	Story  *markdown.Story
	// HeadSHA is the commit that they belong to, RunURL where their details are.
	HeadSHA, RunURL string
	// Run tells this run's check runs from those of others.
	Run string
	// Annotations are the places in files that an error speaks of.
	Annotations func(error) []github.Annotation
	// Warn tells, once, that they cannot be written.
	Warn func(text string)
}

// Checks writes one check run for each server, "snowdrop / web": in progress from
// the start, updated as the run goes on, concluded with the evidence.
type Checks struct {
	base
	cfg    ChecksConfig
	checks []*check
}

// check is one server's check run. What stands above the line belongs to Run
// alone, what stands below is guarded by the mutex.
type check struct {
	server  string
	id      int64
	started time.Time
	tried   time.Time // the last time that it was written, or could not be
	// ----
	dirty     bool
	begun     bool // something was done for the server
	finished  *event.ServerFinished
	concluded bool
}

var _ Reporter = (*Checks)(nil)

// NewChecks makes the check runs of servers; Run writes them.
func NewChecks(cfg ChecksConfig, servers []string) *Checks {
	c := &Checks{base: newBase("check runs", "checks", cfg.Warn), cfg: cfg}
	for _, server := range servers {
		c.checks = append(c.checks, &check{server: server, started: time.Now(), dirty: true})
	}
	return c
}

// Emit takes in an event. The story must have it already.
func (c *Checks) Emit(e event.Event) {
	c.mu.Lock()
	for _, one := range c.checks {
		switch e := e.(type) {
		case event.ServerFinished:
			if e.Server == one.server {
				one.finished, one.dirty = &e, true
			}
		case event.StepStarted:
			one.touch(e.Subject)
			one.begun = one.begun || e.Server == one.server
		case event.StepFinished:
			one.touch(e.Subject)
		case event.Phase:
			one.touch(e.Subject)
		case event.Evidence:
			one.touch(e.Subject)
		case event.DropletFinished:
			one.touch(e.Subject)
		case event.RunStarted:
			one.dirty = true
		}
	}
	c.mu.Unlock()
	c.stir()
}

// touch notes that there is news of the server, or of all of them.
func (c *check) touch(s event.Subject) {
	if s.Server == "" || s.Server == c.server {
		c.dirty = true
	}
}

// Written says whether GitHub has the check runs, with their annotations.
func (c *Checks) Written() bool {
	off := c.isOff()
	c.mu.Lock()
	defer c.mu.Unlock()
	return !off && !slices.ContainsFunc(c.checks, func(one *check) bool { return !one.concluded })
}

// Run implements Reporter.
func (c *Checks) Run(ctx context.Context) {
	c.loop(ctx, func(ctx context.Context, end *Ending) (again time.Duration) {
		if end != nil && end.Cancelled {
			together(c.checks, func(one *check) { c.write(ctx, one, end) })
			return 0
		}
		for _, one := range c.checks {
			if end == nil && c.ending() != nil {
				return 0 // what is still to be written is how it ended
			}
			if wait := c.write(ctx, one, end); wait > 0 && (again == 0 || wait < again) {
				again = wait
			}
		}
		return again
	})
}

func (c *Checks) news(one *check) (finished *event.ServerFinished, dirty, concluded bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return one.finished, one.dirty, one.concluded
}

// write brings one check run up to date, if there is something to write and it may
// be written already; else it returns how long to wait.
func (c *Checks) write(ctx context.Context, one *check, end *Ending) (wait time.Duration) {
	finished, dirty, concluded := c.news(one)
	over := end != nil || finished != nil
	if concluded || c.isOff() || !over && !dirty {
		return 0
	}
	if since := time.Since(one.tried); !over && !one.tried.IsZero() && since < checkEvery {
		return checkEvery - since
	}
	c.mu.Lock()
	one.dirty = false
	c.mu.Unlock()
	if !c.send(ctx, one, c.describe(one, finished, end)) {
		c.mu.Lock()
		one.dirty = true
		c.mu.Unlock()
		return checkEvery // it may have been a passing fault
	}
	c.mu.Lock()
	one.concluded = over
	c.mu.Unlock()
	return 0
}

// send creates or updates a check run, and says whether that was done.
func (c *Checks) send(ctx context.Context, one *check, about github.Check) bool {
	defer func() { one.tried = time.Now() }()
	err := c.put(ctx, one, about)
	if len(about.Annotations) > 0 && refused(err) {
		// The check must not stay open for a remark beside a line.
		about.Annotations = nil
		if again := c.put(ctx, one, about); again == nil {
			c.ok(err)
			return true
		}
	}
	return c.ok(err)
}

func (c *Checks) put(ctx context.Context, one *check, about github.Check) (err error) {
	if one.id != 0 {
		return c.cfg.GitHub.UpdateCheck(ctx, one.id, about) //nolint:wrapcheck // it says what it did
	}
	one.id, err = c.cfg.GitHub.CreateCheck(ctx, about)
	return err //nolint:wrapcheck // as above
}

// refused says whether GitHub takes something in the request for invalid.
func refused(err error) bool {
	var answer *github.APIError
	return errors.As(err, &answer) && answer.Status == http.StatusUnprocessableEntity
}

func (c *Checks) describe(one *check, finished *event.ServerFinished, end *Ending) github.Check {
	text := c.cfg.Story.Check(one.server)
	about := github.Check{
		Name: "snowdrop / " + one.server, HeadSHA: c.cfg.HeadSHA, ExternalID: c.cfg.Run + "/" + one.server, DetailsURL: c.cfg.RunURL,
		Status: "in_progress", StartedAt: one.started, Title: text.Title, Summary: text.Summary, Text: text.Text,
	}
	switch {
	case finished != nil:
		about.Conclusion = conclusion(finished.Outcome, end)
		about.Annotations = c.cfg.Annotations(finished.Err)
	case end != nil:
		c.breakOff(one, end, &about)
	default:
		return about
	}
	about.Status, about.CompletedAt = "completed", time.Now()
	return about
}

// breakOff ends the check of a server whose end the run did not tell.
func (c *Checks) breakOff(one *check, end *Ending, about *github.Check) {
	c.mu.Lock()
	begun := one.begun
	c.mu.Unlock()
	conclusion, title := broken(one.server, end)
	about.Conclusion = conclusion
	if begun {
		about.Title = "not seen to its end: " + about.Title // and the page says how far it came
		return
	}
	about.Title, about.Summary = title, title
	if end.Err != nil && !end.Cancelled && (len(end.Blamed) == 0 || end.Blamed[one.server]) {
		about.Summary = markdown.Fault(end.Err)
		about.Annotations = c.cfg.Annotations(end.Err)
	}
}

// conclusion is GitHub's word for how a server ended. What is not "success",
// "neutral" or "skipped" keeps a pull request from being merged where the check is
// required.
func conclusion(o event.Outcome, end *Ending) string {
	switch o {
	case event.Verified, event.Unchanged, event.Built, event.Pruned, event.WouldDo, event.Evaluated:
		return "success"
	case event.Cancelled:
		return "cancelled"
	case event.Untouched:
		if end != nil && end.Cancelled {
			return "cancelled"
		}
		return "skipped"
	default:
		return "failure"
	}
}

// broken is how a server is concluded that the run did not come to.
func broken(server string, end *Ending) (conclusion, title string) {
	switch {
	case end.Cancelled || errors.Is(end.Err, context.Canceled):
		return "cancelled", "cancelled before anything was done"
	case end.Err == nil:
		return "skipped", "nothing was done"
	case len(end.Blamed) > 0 && !end.Blamed[server]:
		return "cancelled", "nothing was done: another server cannot be planned"
	default:
		return "failure", "nothing was done: it cannot be planned"
	}
}
