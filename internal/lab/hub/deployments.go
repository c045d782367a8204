package hub

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
)

func (h *Hub) deploymentRoutes() []route {
	needs := []string{"deployments"}
	return []route{
		{"POST /repos/{owner}/{repo}/deployments", needs, "deployments/deployments#create-a-deployment", h.createDeployment},
		{"GET /repos/{owner}/{repo}/deployments", needs, "deployments/deployments#list-deployments", h.listDeployments},
		{"GET /repos/{owner}/{repo}/deployments/{id}", needs, "deployments/deployments#get-a-deployment", func(c *call) (int, any, error) {
			d, err := h.deployment(c)
			if err != nil {
				return 0, nil, err
			}
			return http.StatusOK, c.deployment(d), nil
		}},
		{
			"POST /repos/{owner}/{repo}/deployments/{id}/statuses", needs,
			"deployments/statuses#create-a-deployment-status", h.createStatus,
		},
		{
			"GET /repos/{owner}/{repo}/deployments/{id}/statuses", needs,
			"deployments/statuses#list-deployment-statuses", h.listStatuses,
		},
	}
}

type deploymentRequest struct {
	Ref              *string         `json:"ref"`
	Task             string          `json:"task"`
	AutoMerge        *bool           `json:"auto_merge"`
	RequiredContexts *[]string       `json:"required_contexts"`
	Payload          json.RawMessage `json:"payload"`
	Environment      string          `json:"environment"`
	Description      string          `json:"description"`
	Transient        bool            `json:"transient_environment"`
	Production       *bool           `json:"production_environment"`
}

func (h *Hub) createDeployment(c *call) (int, any, error) {
	var in deploymentRequest
	if err := c.read(&in); err != nil {
		return 0, nil, err
	}
	if err := supplied(map[string]bool{"ref": in.Ref != nil}); err != nil {
		return 0, nil, err
	}
	if in.Payload = bytes.TrimSpace(in.Payload); len(in.Payload) > 0 && !bytes.ContainsAny(in.Payload[:1], `{"n`) {
		return 0, nil, invalid("For 'properties/payload', %s is not a string or an object.", in.Payload)
	}
	commit := h.resolve(*in.Ref)
	if commit == nil {
		return 0, nil, unprocessable("No ref found for: %s", *in.Ref)
	}
	if message := h.autoMerge(in); message != "" {
		return http.StatusAccepted, map[string]string{"message": message}, nil
	}
	if failed := h.failedContexts(commit.SHA, in.RequiredContexts); failed != nil {
		return 0, nil, &apiError{
			status: http.StatusConflict, message: "Conflict: Commit status checks failed for " + *in.Ref + ".",
			details: []any{map[string]any{"contexts": failed, "resource": "Deployment", "field": "required_contexts", "code": "invalid"}},
		}
	}
	d := &Deployment{
		ID: h.id(), SHA: commit.SHA, Ref: *in.Ref, Task: cmp.Or(in.Task, "deploy"), Environment: cmp.Or(in.Environment, "production"),
		Description: in.Description, Creator: c.token.Login, Payload: in.Payload, Transient: in.Transient,
		CreatedAt: h.now(), UpdatedAt: h.now(),
	}
	d.Production = d.Environment == "production"
	if in.Production != nil {
		d.Production = *in.Production
	}
	h.deployments = append(h.deployments, d)
	return http.StatusCreated, c.deployment(d), nil
}

// autoMerge merges the default branch into a branch that is behind it, unless the
// request says not to; then there is no deployment, but a message.
func (h *Hub) autoMerge(in deploymentRequest) string {
	head, ok := h.branches[*in.Ref]
	base := h.branches[h.cfg.DefaultBranch]
	if !ok || in.AutoMerge != nil && !*in.AutoMerge || len(h.commits.between(head, base)) == 0 {
		return ""
	}
	merge := Commit{
		SHA: nameOf("auto-merge", head, base), Parents: []string{head, base},
		Message: "Merge " + h.cfg.DefaultBranch + " into " + *in.Ref, Author: h.owner(),
	}
	if h.commits[merge.SHA] == nil && h.addCommit(merge) != nil {
		return ""
	}
	h.branches[*in.Ref] = merge.SHA
	return "Auto-merged " + h.cfg.DefaultBranch + " into " + *in.Ref + " on deployment."
}

// failedContexts are the contexts of a commit with their states if one of those
// that are required is not a success, and nil otherwise. Required are all, unless
// the request names some. Check runs are contexts too, one that still runs
// included: https://github.com/drevops/vortex/issues/1903
func (h *Hub) failedContexts(sha string, required *[]string) []map[string]string {
	states := map[string]string{}
	var contexts []map[string]string
	for _, k := range h.checksOf(sha, false) {
		state := "failure"
		switch {
		case k.Status != "completed":
			state = "pending"
		case k.Conclusion == "success":
			state = "success"
		}
		states[k.Name] = state
		contexts = append(contexts, map[string]string{"context": k.Name, "state": state})
	}
	names := required
	if names == nil {
		all := []string{}
		for name := range states {
			all = append(all, name)
		}
		names = &all
	}
	if slices.ContainsFunc(*names, func(name string) bool { return states[name] != "success" }) {
		return append([]map[string]string{}, contexts...)
	}
	return nil
}

func (h *Hub) deployment(c *call) (*Deployment, error) {
	i := slices.IndexFunc(h.deployments, func(d *Deployment) bool { return d.ID == c.number("id") })
	if i < 0 {
		return nil, notFound()
	}
	return h.deployments[i], nil
}

func (h *Hub) listDeployments(c *call) (int, any, error) {
	q := c.URL.Query()
	var found []*Deployment
	for _, d := range slices.Backward(h.deployments) {
		differs := false
		for name, value := range map[string]string{"sha": d.SHA, "ref": d.Ref, "task": d.Task, "environment": d.Environment} {
			// "none" is the description's word for no filter.
			if asked := q.Get(name); asked != "" && asked != "none" && asked != value {
				differs = true
			}
		}
		if !differs {
			found = append(found, d)
		}
	}
	return http.StatusOK, list(page(c, found, 30), c.deployment), nil
}

func (l links) deployment(d *Deployment) map[string]any {
	self := l.api("deployments", d.ID)
	var payload any = map[string]any{}
	if p := string(d.Payload); p != "" && p != "null" && p != `""` {
		payload = d.Payload
	}
	return map[string]any{
		"id": d.ID, "node_id": nodeID("DE", d.ID), "url": self, "sha": d.SHA, "ref": d.Ref, "task": d.Task, "payload": payload,
		"original_environment": d.Environment, "environment": d.Latest().Environment, "description": text(d.Description), "creator": l.user(d.Creator),
		"created_at": stamp(d.CreatedAt), "updated_at": stamp(d.UpdatedAt), "statuses_url": self + "/statuses", "repository_url": l.api(),
		"transient_environment": d.Transient, "production_environment": d.Production, "performed_via_github_app": nil,
	}
}
