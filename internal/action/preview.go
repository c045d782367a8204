package action

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/versatus/snowdrop/internal/action/publish"
	"github.com/versatus/snowdrop/internal/action/workflow"
	"github.com/versatus/snowdrop/internal/deploy"
	"github.com/versatus/snowdrop/internal/fleet"
)

// preview is what is to be done with previews.
type preview struct {
	// verb is up, down or sweep; empty where nothing is done with them.
	verb string
	// pull is the pull request's number; 0 for a sweep.
	pull int
	// names are the servers that were asked for, servers those that are brought up.
	names   []string
	servers []fleet.Server
	// idle says why nothing is done at all.
	idle string
}

// isOpen says whether a pull request is open.
type isOpen func(ctx context.Context, pull int) (bool, error)

// carryOut does it. open may be nil.
func (p preview) carryOut(ctx context.Context, d *deploy.Deployer, open isOpen) (*deploy.Result, error) {
	switch p.verb {
	case "up":
		return d.PreviewUp(ctx, deploy.PreviewRequest{Pull: p.pull, Servers: p.names}) //nolint:wrapcheck // the use case says what it did
	case "down":
		return d.PreviewDown(ctx, p.pull) //nolint:wrapcheck // as above
	default:
		return d.PreviewSweep(ctx, open) //nolint:wrapcheck // as above
	}
}

// newPreview finds out what the pull request wants. A label that was taken off is as
// good as a pull request that was closed; to one that is closed labels can still be put.
func newPreview(e workflow.Event, in workflow.Inputs, f *fleet.Fleet) (preview, error) {
	if in.DryRun || in.Revision != "" {
		return preview{}, errors.New("the inputs `dry-run` and `revision` are not for previews: a preview has what the pull request has")
	}
	if f.Preview == nil {
		return preview{}, fmt.Errorf("%s has no `preview:`, so pull requests have no droplets of their own: add `preview: {}` to it, or more", f.Path)
	}
	if in.Command == "preview-sweep" {
		return preview{verb: "sweep"}, nil
	}
	if e.Pull == nil {
		return preview{}, fmt.Errorf("the command preview is for the event pull_request; the event is %s; the command preview-sweep is for a schedule", e.Name)
	}
	p := preview{pull: e.Pull.Number}
	labelled := slices.Contains(e.Pull.Labels, f.Preview.Label)
	switch {
	case e.Dependabot():
		p.idle = fmt.Sprintf("the workflow was started by Dependabot: GitHub gives it no secrets, so pull request %d has no preview", p.pull)
		return p, nil
	case e.Action == "closed", e.Pull.Closed, e.Action == "unlabeled" && !labelled && !in.Preview:
		p.verb = "down"
		return p, nil
	case !labelled && !in.Preview:
		p.idle = fmt.Sprintf("pull request %d does not carry the label %q (preview.label of %s), and the input `preview` does not ask for a preview: nothing is done",
			p.pull, f.Preview.Label, f.Path)
		return p, nil
	}
	p.verb, p.names = "up", in.Servers
	var err error
	p.servers, err = deploy.PreviewServers(f, deploy.PreviewRequest{Pull: p.pull, Servers: p.names})
	return p, err //nolint:wrapcheck // it says what is wrong with the request
}

// previewTask is the task of a preview's deployments: by it they are found again when
// it is gone.
func previewTask(pull int) string { return "preview-pr-" + strconv.Itoa(pull) }

// environment is where the run deploys to.
func (s *stage) environment() string {
	if s.order.preview.pull > 0 {
		return previewEnvironment(s.order.preview.pull)
	}
	return s.inputs.Environment
}

func previewEnvironment(pull int) string { return "preview/pr-" + strconv.Itoa(pull) }

// place makes deployments those of a preview: each server in an environment that will
// cease to be.
func (p preview) place(c *publish.DeploymentsConfig) {
	c.Environment = previewEnvironment(p.pull)
	c.Task, c.Transient = previewTask(p.pull), true
	c.Place = func(server string) string { return strings.TrimPrefix(server, previewTask(p.pull)+"-") }
}

// previewPage is the root of the first address that the server's checks ask for.
func previewPage(s fleet.Server, address string) string {
	if address == "" || len(s.Verify.HTTP) == 0 {
		return ""
	}
	asked, err := s.Verify.HTTP[0].Expand(fleet.HTTPVars{IPv4: address, PrivateIPv4: address, Name: s.Name})
	if err != nil {
		return ""
	}
	page, err := url.Parse(asked)
	if err != nil {
		return ""
	}
	return page.Scheme + "://" + page.Host + "/"
}

// pullIsOpen asks GitHub; nil without a token.
func (s *stage) pullIsOpen() isOpen {
	if s.github == nil {
		return nil
	}
	return func(ctx context.Context, pull int) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, compareTime)
		defer cancel()
		return s.github.PullIsOpen(ctx, pull) //nolint:wrapcheck // it says what it asked
	}
}

// nothingToTell says whether a pull request was closed that had no preview.
func (s *stage) nothingToTell() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == nil && s.out.preview && s.out.result != nil && len(s.out.result.Servers) == 0
}

// retire makes the deployments of previews inactive that are gone. That it could not
// be done is a warning, like with every report.
func (s *stage) retire(ctx context.Context, out outcome) {
	if s.github == nil || !s.inputs.Deployments || !out.preview || out.result == nil || len(s.servers) > 0 {
		return
	}
	pulls := map[int]bool{}
	if s.order.preview.pull > 0 {
		pulls[s.order.preview.pull] = true // an earlier run may have come no further
	}
	for _, server := range out.result.Servers {
		pull := deploy.PreviewPull(server.Server)
		if pull > 0 && server.Err == nil {
			pulls[pull] = true
		} else {
			delete(pulls, pull) // it is still there
		}
	}
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	for pull := range pulls {
		if s.github.Silent() {
			s.warn("GitHub does not answer: deployments of previews that are gone are still shown as active")
			return
		}
		if err := s.github.RetireDeployments(ctx, previewTask(pull), "the preview is gone"); err != nil {
			s.warn(fmt.Sprintf("the deployments of pull request %d's preview are still shown as active: %v", pull, err))
		}
	}
}
