package demo

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/versatus/snowdrop/internal/action/publish"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/event"
	"github.com/versatus/snowdrop/internal/github"
	"github.com/versatus/snowdrop/internal/lab"
	"github.com/versatus/snowdrop/internal/lab/hub"
	"github.com/versatus/snowdrop/internal/report/markdown"
)

// forge is the lab's GitHub: each release of the demo is a pull request there, is
// planned, is merged and deployed, and all of it is told as the action tells it.
type forge struct {
	hub    *hub.Hub
	client *github.Client
	url    string

	newest string // the commit that main has
	pull   int    // the pull request that brought it
	run    int64
}

func newForge(l *lab.Lab) (*forge, error) {
	client, err := github.New(github.Config{Token: l.GitHub().Token(), BaseURL: l.GitHubURL(), Repository: l.GitHub().Repository()})
	if err != nil {
		return nil, fmt.Errorf("prepare the client of the lab's GitHub: %w", err)
	}
	client.Hurry() // the lab asks for no pauses
	return &forge{hub: l.GitHub(), client: client, url: l.GitHubURL()}, nil
}

// propose opens a pull request that brings an act's release.
func (f *forge) propose(a act, commit string) error {
	base := hub.Commit{SHA: commit, Message: a.title, Author: "mona", At: a.at}
	if f.newest == "" {
		f.newest = "0000000000000000000000000000000000000001"
		if err := f.hub.AddCommit(hub.Commit{SHA: f.newest, Message: "An empty fleet", Author: "mona", At: a.at.Add(-time.Hour)}); err != nil {
			return fmt.Errorf("begin the demo's repository: %w", err)
		}
		if err := f.hub.SetBranch("main", f.newest); err != nil {
			return fmt.Errorf("begin the demo's repository: %w", err)
		}
	}
	base.Parents = []string{f.newest}
	if err := f.hub.AddCommit(base); err != nil {
		return fmt.Errorf("commit the release: %w", err)
	}
	p, err := f.hub.AddPull(hub.Pull{Title: a.title, Body: a.text, Author: "mona", HeadSHA: commit, HeadRef: "release-" + commit[:7]})
	if err != nil {
		return fmt.Errorf("open a pull request: %w", err)
	}
	f.newest, f.pull = commit, p.Number
	return nil
}

func (f *forge) merge() error {
	if err := f.hub.Merge(f.pull, f.newest); err != nil {
		return fmt.Errorf("merge the release: %w", err)
	}
	return nil
}

// tell tells a run of a plan on GitHub. What it returns takes the run's events, and
// waits at the end until all is told.
func (f *forge) tell(ctx context.Context, command string, plan *deploy.Plan) (event.Sink, func()) {
	f.run++
	story := markdown.NewStory(time.Now)
	run := strconv.FormatInt(f.run, 10) + ".1"
	warn := func(string) {} // the lab takes everything
	var servers []string
	for _, s := range plan.Servers {
		servers = append(servers, s.Server.Name)
	}
	all := []publish.Reporter{
		publish.NewChecks(publish.ChecksConfig{
			GitHub: f.client, Story: story, HeadSHA: f.newest, Run: run, Warn: warn,
			Annotations: func(error) []github.Annotation { return nil },
		}, servers),
		publish.NewComment(publish.CommentConfig{
			GitHub: f.client, Pull: f.pull, Commit: f.newest, Warn: warn,
			Sticky: github.Sticky{Kind: command, Run: f.run, Attempt: 1, Revision: f.newest},
			Body: func() string {
				return story.Comment(markdown.Frame{
					Title: "snowdrop " + command, Environment: "production", Head: f.newest, RepositoryURL: f.url + "/" + f.hub.Repository(),
				})
			},
		}),
	}
	if command == "deploy" {
		all = append(all, publish.NewDeployments(publish.DeploymentsConfig{
			GitHub: f.client, Ref: f.newest, Environment: "production", Run: run, Warn: warn,
			Describe: func(server string) string { return story.Check(server).Title }, URL: func(string, string) string { return "" },
		}))
	}
	var telling sync.WaitGroup
	sinks := []event.Sink{story}
	for _, one := range all {
		telling.Go(func() { one.Run(ctx) })
		sinks = append(sinks, one)
	}
	return event.Tee(sinks...), func() {
		for _, one := range all {
			one.Finish(publish.Ending{Cancelled: ctx.Err() != nil})
		}
		telling.Wait()
	}
}

// page is where the newest pull request can be seen.
func (f *forge) page() string { return fmt.Sprintf("%s/%s/pull/%d", f.url, f.hub.Repository(), f.pull) }
