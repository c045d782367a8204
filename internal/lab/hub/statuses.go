package hub

import (
	"cmp"
	"net/http"
	"slices"
	"unicode/utf8"
)

// statusLimit is a status' description's, in characters.
const statusLimit = 140

type statusRequest struct {
	State          *string `json:"state"`
	TargetURL      string  `json:"target_url"`
	LogURL         string  `json:"log_url"`
	Description    string  `json:"description"`
	Environment    string  `json:"environment"`
	EnvironmentURL string  `json:"environment_url"`
	AutoInactive   *bool   `json:"auto_inactive"`
}

func (h *Hub) createStatus(c *call) (int, any, error) {
	d, err := h.deployment(c)
	if err != nil {
		return 0, nil, err
	}
	var in statusRequest
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if err := in.check(); err != nil {
		return 0, nil, err
	}
	s := DeploymentStatus{
		State: *in.State, Description: in.Description, EnvironmentURL: in.EnvironmentURL,
		LogURL: cmp.Or(in.LogURL, in.TargetURL), Environment: cmp.Or(in.Environment, d.Latest().Environment),
	}
	s = h.addStatus(d, s, c.token.Login)
	if s.State == "success" && (in.AutoInactive == nil || *in.AutoInactive) {
		h.deactivate(d, s.Environment, c.token.Login)
	}
	return http.StatusCreated, c.status(d, s), nil
}

func (in statusRequest) check() error {
	if err := supplied(map[string]bool{"state": in.State != nil}); err != nil {
		return err
	}
	states := []string{"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
	if err := oneOf("state", in.State, states); err != nil {
		return err
	}
	refuse := func(field, message string) error {
		return validationFailed(detail{"DeploymentStatus", "custom", field, field + " " + message})
	}
	if utf8.RuneCountInString(in.Description) > statusLimit {
		return refuse("description", "is too long (maximum is 140 characters)")
	}
	for _, u := range []struct{ field, address string }{
		{"target_url", in.TargetURL}, {"log_url", in.LogURL}, {"environment_url", in.EnvironmentURL},
	} {
		if u.address != "" && !webAddress(u.address) {
			return refuse(u.field, "must use http(s) scheme")
		}
	}
	return nil
}

func (h *Hub) addStatus(d *Deployment, s DeploymentStatus, creator string) DeploymentStatus {
	s.ID, s.Creator, s.CreatedAt = h.id(), creator, h.now()
	d.Statuses, d.UpdatedAt = append(d.Statuses, s), s.CreatedAt
	return s
}

// deactivate makes the earlier deployments to an environment inactive whose last
// word was success, except those to transient and production environments.
// https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status
func (h *Hub) deactivate(by *Deployment, environment, creator string) {
	for _, d := range h.deployments {
		latest := d.Latest()
		if d.ID < by.ID && !d.Transient && !d.Production && latest.State == "success" && latest.Environment == environment {
			h.addStatus(d, DeploymentStatus{State: "inactive", Environment: environment, LogURL: latest.LogURL}, creator)
		}
	}
}

// listStatuses lists the newest first.
func (h *Hub) listStatuses(c *call) (int, any, error) {
	d, err := h.deployment(c)
	if err != nil {
		return 0, nil, err
	}
	all := slices.Clone(d.Statuses)
	slices.Reverse(all)
	return http.StatusOK, list(page(c, all, 30), func(s DeploymentStatus) map[string]any { return c.status(d, s) }), nil
}

func (l links) status(d *Deployment, s DeploymentStatus) map[string]any {
	self := l.api("deployments", d.ID)
	return map[string]any{
		"id": s.ID, "node_id": nodeID("DES", s.ID), "url": l.api("deployments", d.ID, "statuses", s.ID), "state": s.State, "creator": l.user(s.Creator),
		"description": s.Description, "environment": s.Environment, "target_url": s.LogURL, "log_url": s.LogURL, "environment_url": s.EnvironmentURL,
		"created_at": stamp(s.CreatedAt), "updated_at": stamp(s.CreatedAt), "deployment_url": self, "repository_url": l.api(),
		"performed_via_github_app": nil,
	}
}
