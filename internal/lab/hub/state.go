package hub

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// State is all that the repository holds, each list the oldest first.
type State struct {
	Repository string `json:"repository"`
	// Branches are the commits that branches point to, by name.
	Branches    map[string]string `json:"branches"`
	Commits     []Commit          `json:"commits"`
	Pulls       []Pull            `json:"pulls"`
	Checks      []Check           `json:"checks"`
	Comments    []Comment         `json:"comments"`
	Deployments []Deployment      `json:"deployments"`
}

// Commit is one commit; what it changes is not known.
type Commit struct {
	SHA     string   `json:"sha"`
	Parents []string `json:"parents,omitempty"`
	Message string   `json:"message"`
	// Author is a login.
	Author string    `json:"author"`
	At     time.Time `json:"at,omitzero"`
	// Test is set for a commit that tries a merge: no branch has it.
	Test bool `json:"test,omitempty"`

	// order is when it was added, to sort those of one second.
	order int
}

// Pull is a pull request.
type Pull struct {
	Number int    `json:"number"`
	Title  string `json:"title"`
	// Body is Markdown.
	Body    string `json:"body,omitempty"`
	Author  string `json:"author"`
	HeadSHA string `json:"head_sha"`
	HeadRef string `json:"head_ref"`
	// HeadRepository is owner/name, of a fork another one than the repository's.
	HeadRepository string `json:"head_repository,omitempty"`
	BaseRef        string `json:"base_ref"`
	BaseSHA        string `json:"base_sha,omitempty"`
	// State is open or closed, the latter also for one that was merged.
	State string `json:"state"`
	// MergeCommit is the commit that the merge made; of one that is not merged the
	// one that tries it, which a workflow has as GITHUB_SHA.
	MergeCommit string    `json:"merge_commit"`
	CreatedAt   time.Time `json:"created_at,omitzero"`
	UpdatedAt   time.Time `json:"updated_at,omitzero"`
	ClosedAt    time.Time `json:"closed_at,omitzero"`
	MergedAt    time.Time `json:"merged_at,omitzero"`
}

// Merged says whether it was merged.
func (p Pull) Merged() bool { return !p.MergedAt.IsZero() }

// Check is a check run.
type Check struct {
	ID         int64  `json:"id"`
	Name       string `json:"name"`
	HeadSHA    string `json:"head_sha"`
	ExternalID string `json:"external_id,omitempty"`
	DetailsURL string `json:"details_url,omitempty"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion,omitempty"`
	// App is the login of the app that made it; no other may change it.
	App         string       `json:"app"`
	StartedAt   time.Time    `json:"started_at,omitzero"`
	CompletedAt time.Time    `json:"completed_at,omitzero"`
	Title       string       `json:"title,omitempty"`
	Summary     string       `json:"summary,omitempty"`
	Text        string       `json:"text,omitempty"`
	Annotations []Annotation `json:"annotations,omitempty"`
	// Updates is how often it was changed after it was made.
	Updates int `json:"updates,omitempty"`
}

// Annotation is a remark on lines of a file.
type Annotation struct {
	Path        string `json:"path"`
	StartLine   int    `json:"start_line"`
	EndLine     int    `json:"end_line"`
	StartColumn int    `json:"start_column,omitempty"`
	EndColumn   int    `json:"end_column,omitempty"`
	// Level is notice, warning or failure.
	Level      string `json:"annotation_level"`
	Message    string `json:"message"`
	Title      string `json:"title,omitempty"`
	RawDetails string `json:"raw_details,omitempty"`
}

// Comment is a comment on a pull request.
type Comment struct {
	ID        int64     `json:"id"`
	Pull      int       `json:"pull"`
	Author    string    `json:"author"`
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Earlier are the bodies that it had before, the oldest first.
	Earlier []string `json:"earlier,omitempty"`
}

// Deployment is a commit on its way to an environment.
type Deployment struct {
	ID          int64           `json:"id"`
	SHA         string          `json:"sha"`
	Ref         string          `json:"ref"`
	Task        string          `json:"task"`
	Environment string          `json:"environment"`
	Description string          `json:"description,omitempty"`
	Creator     string          `json:"creator"`
	Payload     json.RawMessage `json:"payload,omitempty"`
	// Transient is an environment that will cease to be, Production one that people
	// use.
	Transient  bool               `json:"transient_environment"`
	Production bool               `json:"production_environment"`
	CreatedAt  time.Time          `json:"created_at"`
	UpdatedAt  time.Time          `json:"updated_at"`
	Statuses   []DeploymentStatus `json:"statuses,omitempty"`
}

// Latest is the newest status; its State is "pending" while there is none.
func (d Deployment) Latest() DeploymentStatus {
	if len(d.Statuses) == 0 {
		return DeploymentStatus{State: "pending", Environment: d.Environment}
	}
	return d.Statuses[len(d.Statuses)-1]
}

// DeploymentStatus is how far a deployment was at one moment.
type DeploymentStatus struct {
	ID             int64     `json:"id"`
	State          string    `json:"state"`
	Description    string    `json:"description,omitempty"`
	Environment    string    `json:"environment"`
	EnvironmentURL string    `json:"environment_url,omitempty"`
	LogURL         string    `json:"log_url,omitempty"`
	Creator        string    `json:"creator"`
	CreatedAt      time.Time `json:"created_at"`
}

// State returns a copy of all that the repository holds.
func (h *Hub) State() State {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := State{Repository: h.cfg.Repository, Branches: maps.Clone(h.branches)}
	for _, c := range slices.SortedFunc(maps.Values(h.commits), byOrder) {
		copied := *c
		copied.Parents = slices.Clone(c.Parents)
		s.Commits = append(s.Commits, copied)
	}
	for _, p := range h.pulls {
		s.Pulls = append(s.Pulls, *p)
	}
	for _, k := range h.checks {
		copied := *k
		copied.Annotations = slices.Clone(k.Annotations)
		s.Checks = append(s.Checks, copied)
	}
	for _, c := range h.comments {
		copied := *c
		copied.Earlier = slices.Clone(c.Earlier)
		s.Comments = append(s.Comments, copied)
	}
	for _, d := range h.deployments {
		copied := *d
		copied.Payload, copied.Statuses = slices.Clone(d.Payload), slices.Clone(d.Statuses)
		s.Deployments = append(s.Deployments, copied)
	}
	return s
}

func byOrder(a, b *Commit) int { return a.order - b.order }
