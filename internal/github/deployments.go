package github

import (
	"context"
	"encoding/json"
	"errors"
	"maps"

	gh "github.com/google/go-github/v60/github"
)

const (
	deploymentsWrite = "deployments: write"
	// statusLimit is the longest description of a deployment's status, in
	// characters. https://docs.github.com/en/rest/deployments/statuses
	statusLimit = 140
)

// Deployment is what is brought to an environment.
type Deployment struct {
	// Ref is a commit, branch or tag, Task such as "deploy".
	Ref, Environment, Task, Description string
	// Transient is an environment that will cease to be, Production one that
	// people use.
	Transient, Production bool
	// Payload tells this deployment from others of the same ref, environment and
	// task: give it the run and the attempt.
	Payload map[string]string
}

// CreateDeployment makes a deployment and returns its id. The commit's statuses
// are not asked for (whoever deploys has decided), and nothing is merged. It is
// not made twice if an answer is lost: then one with the same payload is looked
// for, which is why there must be one.
func (c *Client) CreateDeployment(ctx context.Context, d Deployment) (int64, error) {
	if d.Ref == "" || len(d.Payload) == 0 {
		return 0, errors.New("create a deployment: it lacks a ref, or a payload that tells it from others")
	}
	request := &gh.DeploymentRequest{
		Ref: gh.String(d.Ref), Task: optional(d.Task), Environment: optional(d.Environment), Description: optional(valid(d.Description)),
		// null would ask for every status of the commit, this run's included.
		AutoMerge: gh.Bool(false), RequiredContexts: &[]string{},
		Payload:              d.Payload,
		TransientEnvironment: gh.Bool(d.Transient), ProductionEnvironment: gh.Bool(d.Production),
	}
	const what = "create a deployment of %s to %s"
	made, err := once(ctx, c.clock, func(ctx context.Context) (*gh.Deployment, error) {
		made, _, err := c.api.Repositories.CreateDeployment(ctx, c.owner, c.name, request)
		return made, c.explain(err, deploymentsWrite, what, d.Ref, d.Environment)
	}, func(ctx context.Context) (*gh.Deployment, bool, error) { return c.findDeployment(ctx, d) })
	return made.GetID(), err
}

// findDeployment looks for a deployment that was perhaps made, among the newest.
func (c *Client) findDeployment(ctx context.Context, d Deployment) (*gh.Deployment, bool, error) {
	list, _, err := c.api.Repositories.ListDeployments(ctx, c.owner, c.name, &gh.DeploymentsListOptions{
		Ref: d.Ref, Task: d.Task, Environment: d.Environment, ListOptions: gh.ListOptions{PerPage: perPage},
	})
	if err != nil {
		return nil, false, c.explain(err, deploymentsWrite, "look for the deployment of %s to %s", d.Ref, d.Environment)
	}
	for _, one := range list {
		if maps.Equal(payload(one.Payload), d.Payload) {
			return one, true, nil
		}
	}
	return nil, false, nil
}

// payload reads what GitHub kept: an object, or a string that holds one.
func payload(raw json.RawMessage) map[string]string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var values map[string]string
	if json.Unmarshal(raw, &values) != nil {
		return nil
	}
	return values
}

// DeploymentStatus is how far a deployment is.
type DeploymentStatus struct {
	// State is queued, pending, in_progress, success, failure, error or inactive.
	State string
	// Description is cut to 140 characters.
	Description            string
	LogURL, EnvironmentURL string
	// Environment is where the deployment went, if that is not what it was made for.
	Environment string
	// AutoInactive makes the earlier deployments to that environment inactive,
	// when this one is a success and neither transient nor production.
	AutoInactive bool
}

// SetDeploymentStatus adds a status to a deployment; the newest is the one that
// is shown. After a lost answer it is not added again where it is the newest.
func (c *Client) SetDeploymentStatus(ctx context.Context, id int64, s DeploymentStatus) error {
	request := &gh.DeploymentStatusRequest{
		State: gh.String(s.State), Description: optional(cutLine(s.Description, statusLimit)),
		LogURL: optional(s.LogURL), EnvironmentURL: optional(s.EnvironmentURL), Environment: optional(s.Environment),
		AutoInactive: gh.Bool(s.AutoInactive),
	}
	_, err := once(ctx, c.clock, func(ctx context.Context) (*gh.DeploymentStatus, error) {
		made, _, err := c.api.Repositories.CreateDeploymentStatus(ctx, c.owner, c.name, id, request)
		return made, c.explain(err, deploymentsWrite, "set deployment %d to %s", id, s.State)
	}, func(ctx context.Context) (*gh.DeploymentStatus, bool, error) {
		newest, err := c.newestStatus(ctx, id)
		return newest, newest != nil && tells(newest, request), err
	})
	return err
}

func (c *Client) newestStatus(ctx context.Context, id int64) (*gh.DeploymentStatus, error) {
	list, _, err := c.api.Repositories.ListDeploymentStatuses(ctx, c.owner, c.name, id, &gh.ListOptions{PerPage: perPage})
	if err != nil {
		return nil, c.explain(err, deploymentsWrite, "look at the statuses of deployment %d", id)
	}
	var newest *gh.DeploymentStatus
	for _, one := range list {
		if one.GetID() > newest.GetID() {
			newest = one
		}
	}
	return newest, nil
}

// tells says whether a status is the one that was asked for.
func tells(s *gh.DeploymentStatus, asked *gh.DeploymentStatusRequest) bool {
	return s.GetState() == asked.GetState() && s.GetDescription() == asked.GetDescription() &&
		s.GetLogURL() == asked.GetLogURL() && s.GetEnvironmentURL() == asked.GetEnvironmentURL()
}
