package hub

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

func (h *Hub) checkRoutes() []route {
	needs := []string{"checks"}
	return []route{
		{"POST /repos/{owner}/{repo}/check-runs", needs, "checks/runs#create-a-check-run", h.createCheck},
		{"PATCH /repos/{owner}/{repo}/check-runs/{id}", needs, "checks/runs#update-a-check-run", h.updateCheck},
		{"GET /repos/{owner}/{repo}/check-runs/{id}", needs, "checks/runs#get-a-check-run", func(c *call) (int, any, error) {
			k, err := h.check(c)
			if err != nil {
				return 0, nil, err
			}
			return http.StatusOK, h.renderCheck(c.links, k), nil
		}},
		{
			"GET /repos/{owner}/{repo}/check-runs/{id}/annotations", needs,
			"checks/runs#list-check-run-annotations", h.listAnnotations,
		},
		{
			"GET /repos/{owner}/{repo}/commits/{ref}/check-runs", needs,
			"checks/runs#list-check-runs-for-a-git-reference", h.listChecks,
		},
	}
}

func (h *Hub) createCheck(c *call) (int, any, error) {
	in, err := c.checkRequest()
	if err != nil {
		return 0, nil, err
	}
	if err := supplied(map[string]bool{"name": in.Name != nil, "head_sha": in.HeadSHA != nil}); err != nil {
		return 0, nil, err
	}
	if o := in.Output; o != nil {
		if err := supplied(map[string]bool{"title": o.Title != nil, "summary": o.Summary != nil}); err != nil {
			return 0, nil, err
		}
	}
	// A branch or a shortened SHA is not taken here.
	if h.commits[*in.HeadSHA] == nil {
		return 0, nil, unprocessable("No commit found for SHA: %s", *in.HeadSHA)
	}
	k := &Check{ID: h.id(), HeadSHA: *in.HeadSHA, App: c.token.Login, Status: "queued"}
	if err := h.set(k, in); err != nil {
		return 0, nil, err
	}
	if k.StartedAt.IsZero() {
		k.StartedAt = h.now()
	}
	h.checks = append(h.checks, k)
	return http.StatusCreated, h.renderCheck(c.links, k), nil
}

func (h *Hub) updateCheck(c *call) (int, any, error) {
	in, err := c.checkRequest()
	if err != nil {
		return 0, nil, err
	}
	k, err := h.check(c)
	if err != nil {
		return 0, nil, err
	}
	if k.App != c.token.Login {
		return 0, nil, forbidden("Invalid app_id `%d` - check run can only be modified by the GitHub App that created it.", numberOf(c.token.Login))
	}
	if o := in.Output; o != nil {
		if err := supplied(map[string]bool{"summary": o.Summary != nil}); err != nil {
			return 0, nil, err
		}
	}
	if err := h.set(k, in); err != nil {
		return 0, nil, err
	}
	k.Updates++
	return http.StatusOK, h.renderCheck(c.links, k), nil
}

// set takes over what a request says and leaves the rest as it is; with an error
// nothing is changed.
func (h *Hub) set(k *Check, in checkRequest) error {
	started, err := in.time("started_at", in.StartedAt)
	if err != nil {
		return err
	}
	completed, err := in.time("completed_at", in.CompletedAt)
	if err != nil {
		return err
	}
	for field, value := range map[*string]*string{
		&k.Name: in.Name, &k.ExternalID: in.ExternalID, &k.DetailsURL: in.DetailsURL, &k.Status: in.Status,
	} {
		if value != nil {
			*field = *value
		}
	}
	if in.Status != nil && *in.Status != "completed" {
		k.Conclusion, k.CompletedAt = "", completed // it runs again
	}
	if in.Conclusion != nil {
		k.Status, k.Conclusion = "completed", *in.Conclusion
		if k.CompletedAt = completed; completed.IsZero() {
			k.CompletedAt = h.now()
		}
	}
	if !started.IsZero() {
		k.StartedAt = started
	}
	if in.Output != nil {
		in.Output.to(k)
	}
	return nil
}

func (h *Hub) check(c *call) (*Check, error) {
	i := slices.IndexFunc(h.checks, func(k *Check) bool { return k.ID == c.number("id") })
	if i < 0 {
		return nil, notFound()
	}
	return h.checks[i], nil
}

func (h *Hub) listAnnotations(c *call) (int, any, error) {
	k, err := h.check(c)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, list(page(c, k.Annotations, 30), func(a Annotation) map[string]any {
		return map[string]any{
			"path": a.Path, "start_line": a.StartLine, "end_line": a.EndLine, "start_column": number(a.StartColumn), "end_column": number(a.EndColumn),
			"annotation_level": a.Level, "title": text(a.Title), "message": a.Message, "raw_details": text(a.RawDetails),
			"blob_href": c.page("blob", k.HeadSHA, a.Path),
		}
	}), nil
}

// listChecks lists those of a commit, the newest first; by default of each name the
// newest alone.
func (h *Hub) listChecks(c *call) (int, any, error) {
	commit := h.resolve(c.PathValue("ref"))
	if commit == nil {
		return 0, nil, unprocessable("No commit found for SHA: %s", c.PathValue("ref"))
	}
	q := c.URL.Query()
	found := h.checksOf(commit.SHA, q.Get("filter") == "all")
	found = slices.DeleteFunc(found, func(k *Check) bool {
		return q.Get("check_name") != "" && q.Get("check_name") != k.Name || q.Get("status") != "" && q.Get("status") != k.Status ||
			q.Get("app_id") != "" && q.Get("app_id") != appID(c.links, k)
	})
	return http.StatusOK, map[string]any{
		"total_count": len(found),
		"check_runs":  list(page(c, found, 30), func(k *Check) map[string]any { return h.renderCheck(c.links, k) }),
	}, nil
}

func appID(l links, k *Check) string { return strconv.FormatInt(l.app(k.App)["id"].(int64), 10) } //nolint:forcetypeassert // it is one

// checksOf are the check runs of a commit, the newest first: all, or of each name
// and app the newest.
func (h *Hub) checksOf(sha string, all bool) []*Check {
	type key struct{ name, app string }
	seen := map[key]bool{}
	var found []*Check
	for _, k := range slices.Backward(h.checks) {
		if k.HeadSHA == sha && (all || !seen[key{k.Name, k.App}]) {
			found = append(found, k)
			seen[key{k.Name, k.App}] = true
		}
	}
	return found
}

func (h *Hub) renderCheck(l links, k *Check) map[string]any {
	self, html := l.api("check-runs", k.ID), l.page("runs", k.ID)
	pulls := []map[string]any{}
	for _, p := range h.pulls {
		// Those from forks are not named.
		if p.State == "open" && p.HeadSHA == k.HeadSHA && p.HeadRepository == h.cfg.Repository {
			pulls = append(pulls, l.minimalPull(p))
		}
	}
	return map[string]any{
		"id": k.ID, "node_id": nodeID("CR", k.ID), "name": k.Name, "head_sha": k.HeadSHA, "external_id": k.ExternalID, "url": self,
		"html_url": html, "details_url": cmp.Or(k.DetailsURL, html), "status": k.Status, "conclusion": text(k.Conclusion),
		"started_at": stamp(k.StartedAt), "completed_at": stamp(k.CompletedAt),
		"output": map[string]any{
			"title": text(k.Title), "summary": text(k.Summary), "text": text(k.Text),
			"annotations_count": len(k.Annotations), "annotations_url": self + "/annotations",
		},
		"check_suite": map[string]any{"id": numberOf(k.HeadSHA + k.App)}, "app": l.app(k.App), "pull_requests": pulls,
	}
}

// number is a number in an answer: null where there is none.
func number(n int) any {
	if n == 0 {
		return nil
	}
	return n
}
