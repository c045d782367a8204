package github

import (
	"context"

	gh "github.com/google/go-github/v60/github"
)

// PullIsOpen says whether a pull request is open.
func (c *Client) PullIsOpen(ctx context.Context, number int) (bool, error) {
	pull, _, err := c.api.PullRequests.Get(ctx, c.owner, c.name, number)
	if err != nil {
		return false, c.explain(err, pullsRead, "look whether pull request %d is open", number)
	}
	return pull.GetState() == "open", nil
}

// RetireDeployments makes all deployments of a task inactive, those that are not so
// yet: what they brought somewhere is gone.
func (c *Client) RetireDeployments(ctx context.Context, task, description string) error {
	options := &gh.DeploymentsListOptions{Task: task, ListOptions: gh.ListOptions{PerPage: perPage}}
	for {
		page, resp, err := c.api.Repositories.ListDeployments(ctx, c.owner, c.name, options)
		if err != nil {
			return c.explain(err, deploymentsWrite, "list the deployments of %s", task)
		}
		for _, one := range page {
			newest, err := c.newestStatus(ctx, one.GetID())
			if err != nil {
				return err
			}
			if newest.GetState() == "inactive" {
				continue
			}
			if err := c.SetDeploymentStatus(ctx, one.GetID(), DeploymentStatus{State: "inactive", Description: description}); err != nil {
				return err
			}
		}
		if resp.NextPage == 0 {
			return nil
		}
		options.Page = resp.NextPage
	}
}
