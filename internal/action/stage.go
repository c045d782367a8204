package action

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/versatus/snowdrop/internal/action/publish"
	"github.com/versatus/snowdrop/internal/connect"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/fleet"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// stage is where the run is told: the log, and what GitHub shows.
type stage struct {
	*runner
	story  *markdown.Story
	github *github.Client // nil without a token

	servers   []fleet.Server
	reporters []publish.Reporter
	checks    *publish.Checks
	comment   *publish.Comment
	telling   sync.WaitGroup
	stopTell  context.CancelFunc

	mu  sync.Mutex
	out outcome
	// ended is the error that no server's own end tells.
	ended error
}

// newStage opens the stage. The reports outlive ctx: a run that was cancelled is
// told too.
func (r *runner) newStage(ctx context.Context, err error) *stage {
	s := &stage{runner: r, story: markdown.NewStory(r.now)}
	switch {
	case r.fleet == nil:
	case r.order.preview.verb != "":
		s.servers = r.order.preview.servers
	default: // newOrder has selected them once already
		s.servers, _ = r.fleet.Select(r.order.request.Servers, r.order.request.Cycle)
		if !slices.Contains([]string{"verify", "status", "switch"}, r.order.command) {
			// Nothing will be told of servers that get no images: a check of theirs would
			// stay open.
			s.servers = slices.DeleteFunc(s.servers, func(one fleet.Server) bool { return one.Provider == fleet.SSHHosts })
		}
	}
	s.connect(err)
	tell, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopTell = stop
	for _, one := range s.reporters {
		s.telling.Go(func() { one.Run(tell) })
	}
	return s
}

// connect makes GitHub's client and the reporters that the inputs want. err is what
// keeps the run from its work, if something does.
func (s *stage) connect(err error) {
	if s.inputs.GitHubToken == "" {
		if s.inputs.Checks || s.inputs.Comment || s.inputs.Deployments {
			s.warn("the input `github-token` is empty: no checks, comments and deployments are written")
		}
		return
	}
	client, fault := s.client(s.event.Repository)
	if fault != nil {
		s.warn(fmt.Sprintf("no checks, comments and deployments are written: %v", fault))
		return
	}
	s.github = client
	if s.inputs.Checks {
		s.addChecks(err)
	}
	if s.inputs.Deployments && s.deploys() {
		s.addDeployments()
	}
	if s.inputs.Comment && s.comments() {
		s.addComment()
	}
}

func (r *runner) client(repository string) (*github.Client, error) {
	return github.New(github.Config{ //nolint:wrapcheck // it says what is wrong
		Token: r.inputs.GitHubToken, BaseURL: r.event.APIURL, Repository: repository,
		UserAgent: "snowdrop/" + connect.Version(), Author: r.inputs.CommentAuthor, Clock: r.clock,
	})
}

func (s *stage) addChecks(err error) {
	var names []string
	if faults := fleet.Errors(nil); errors.As(err, &faults) {
		names = []string{s.inputs.Config} // its servers are not known; its faults are to be seen
	}
	for _, server := range s.servers {
		names = append(names, server.Name)
	}
	s.checks = publish.NewChecks(publish.ChecksConfig{
		GitHub: s.github, Story: s.story, HeadSHA: s.commit(), RunURL: s.event.RunURL(), Run: s.runName(),
		Annotations: s.annotations, Warn: s.warn,
	}, names)
	s.reporters = append(s.reporters, s.checks)
}

func (s *stage) addDeployments() {
	config := publish.DeploymentsConfig{
		GitHub: s.github, Ref: s.commit(), Environment: s.inputs.Environment, RunURL: s.event.RunURL(), Run: s.runName(),
		Describe: func(server string) string { return s.story.Check(server).Title },
		URL:      s.page,
		Warn:     s.warn,
	}
	if s.order.preview.pull > 0 {
		s.order.preview.place(&config)
	}
	s.reporters = append(s.reporters, publish.NewDeployments(config))
}

// page is where people see what a server serves: what the fleet file says, and for a
// preview what is at its address.
func (s *stage) page(server, address string) string {
	for _, one := range s.servers {
		if one.Name == server && s.order.preview.pull > 0 {
			return previewPage(one, address)
		}
		if one.Name == server {
			return one.URL
		}
	}
	return ""
}

func (s *stage) addComment() {
	pull := 0
	if s.event.Pull != nil {
		pull = s.event.Pull.Number
	}
	s.comment = publish.NewComment(publish.CommentConfig{
		GitHub: s.github, Pull: pull, Commit: s.event.SHA,
		Sticky: github.Sticky{
			Kind: fmt.Sprintf("%s %s %s", s.order.command, filepath.ToSlash(filepath.Clean(s.inputs.Config)), s.inputs.Environment),
			Run:  s.event.RunID, Attempt: s.event.Attempt, Revision: s.event.SHA,
		},
		Body: func() string {
			if s.nothingToTell() {
				return ""
			}
			return s.redact.String(s.story.Comment(s.frame()))
		},
		Warn: s.warn,
	})
	s.reporters = append(s.reporters, s.comment)
}

// deploys says whether the command changes what servers run.
func (s *stage) deploys() bool {
	switch s.order.command {
	case "deploy", "rebuild", "rollback", "switch":
		return !s.order.request.DryRun
	case "preview":
		return len(s.servers) > 0
	default:
		return false
	}
}

// comments says whether there is a pull request to comment: the one of the event,
// or the one whose merge is deployed.
func (s *stage) comments() bool {
	if s.order.command == "" {
		return false // the workflow is at fault, not what is in the pull request
	}
	return s.event.Pull != nil || s.event.Name == "push" && s.order.command == "deploy"
}

// commit is what checks and deployments belong to.
func (s *stage) commit() string {
	if s.order.command != "rebuild" && s.order.request.Revision != "" && s.ownFlake() {
		return s.order.request.Revision
	}
	return s.event.SHA
}

// runName tells this run from all others.
func (r *runner) runName() string {
	return strconv.FormatInt(r.event.RunID, 10) + "." + strconv.Itoa(r.event.Attempt)
}

// annotations are the places that an error speaks of, without secrets: the errors
// within one that was redacted are as they were.
func (s *stage) annotations(err error) []github.Annotation {
	all := annotations(err, s.event.Workspace, s.configDir())
	for i := range all {
		all[i].Title, all[i].Message = s.redact.String(all[i].Title), s.redact.String(all[i].Message)
	}
	return all
}

// Emit tells an event to everybody. The story comes first: the others read it.
func (s *stage) Emit(e event.Event) {
	s.story.Emit(e)
	s.log.Emit(e)
	for _, one := range s.reporters {
		one.Emit(e)
	}
}

// perform does the use case. When the run is cancelled, it waits for it no longer
// than there is time.
func (s *stage) perform(ctx context.Context) error {
	done := make(chan error, 1)
	go func() {
		s.isOpen = s.pullIsOpen()
		out, err := s.use(ctx, event.SinkFunc(s.Emit), s.ancestry())
		s.retire(ctx, out)
		s.mu.Lock()
		s.out = out
		s.mu.Unlock()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	select {
	case err := <-done:
		return err
	case <-late.Done():
		return errStillAtWork
	}
}

// close ends the reports, writes summary and outputs, and returns the run's error.
func (s *stage) close(ctx context.Context, err error) error {
	defer s.stopTell()
	if ctx.Err() != nil && s.github != nil {
		s.github.Hurry()
	}
	s.ended = beyondServers(err)
	for _, one := range s.reporters {
		one.Finish(publish.Ending{Err: s.redact.Error(s.ended), Cancelled: ctx.Err() != nil, Blamed: blamed(s.ended, s.servers)})
	}
	if !s.toldInTime(ctx) {
		s.warn("GitHub did not take all reports in the time that was left")
	}
	s.log.Close()
	s.annotate(err)
	s.write(ctx, err)
	return err
}

// beyondServers is an error that no server's own end tells: of the fleet file, of
// planning, of a run that broke off.
func beyondServers(err error) error {
	var failed *deploy.FailedError
	if errors.As(err, &failed) {
		return nil
	}
	return err
}
